"""How fast generated price files are parsed, beside what reads them without storing and what one would write first.

python bench/parse.py --mb 100 --layout json tall wide

Every line is a fresh process of one thread; CPU seconds count its imports. Compare inside one run only.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import peers
import process
from files import LAYOUTS, write
from process import Used
from stages import STAGES, by_stage

Ratios = dict[str, float]
_OURS_TIMES = 6  # as large is our file when the original system's way is measured: one as hospitals publish
_READERS: dict[str, dict[str, Callable[[Path], Any]]] = {
    "json": {"json.load": peers.json_load},
    "tall": {"pandas": peers.pandas_texts, "pandas, types guessed": peers.pandas_guessing},
    "wide": {"pandas": peers.pandas_texts, "pandas, types guessed": peers.pandas_guessing},
}


def glimmr(path: Path) -> dict[str, Any]:
    """The product: charges, rates, findings, rejects."""
    from glimmr.parse import parse_in_child  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=path.parent) as to:
        report = parse_in_child(lambda **_: None, path=str(path), to=to, file_id="0" * 64, limits={})
        assert report["outcome"] == "ok", report
        written = sum(file.stat().st_size for file in Path(to).iterdir())
    return {"records": report["rows_in"], "written": written}


def plain(path: Path) -> None:
    """csv or json, Decimal, rows, pyarrow: the same tables, without findings."""
    import plain as written_first  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=path.parent) as to:
        written_first.PARSERS[path.suffix.removeprefix(".")](path, Path(to))


def stages(path: Path) -> dict[str, float]:
    """CPU seconds of the product by stage."""
    with tempfile.TemporaryDirectory(dir=path.parent) as to:
        return by_stage(path, Path(to))


def show(path: Path, name: str, used: Used) -> None:
    """One line of the table."""
    size = path.stat().st_size / 1e6
    print(
        f"{path.suffix[1:]:5} {name:22} {size:7.1f} MB  CPU {used.cpu_seconds:7.2f} s  wall {used.wall_seconds:7.2f} s"
        f"  {size / used.cpu_seconds:7.1f} MB/CPU-s  RSS {used.peak_rss_bytes / 1e6:5.0f} MB",
        flush=True,
    )


def compare(path: Path, rounds: int) -> Ratios:
    """Glimmr and its peers in turn, `rounds` times; the median of each round's ratios."""
    layout = path.suffix[1:]
    works = {"plain": plain, **_READERS[layout]}
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        ours = process.run(glimmr, path)
        show(path, "glimmr", ours)
        for name, work in works.items():
            theirs = process.run(work, path)
            show(path, name, theirs)
            found[name].append(ours.cpu_seconds / theirs.cpu_seconds)
    ratios = {name: statistics.median(all_of_it) for name, all_of_it in found.items()}
    for name, ratio in ratios.items():
        said = f"plain / glimmr = {1 / ratio:.2f}" if name == "plain" else f"glimmr / {name} = {ratio:.2f}"
        print(f"{layout:5} {said}", flush=True)
    return ratios


def show_stages(path: Path) -> None:
    """Where the product's CPU seconds go, per 100 MB of text."""
    told = process.run(stages, path).told
    per = 100 / (path.stat().st_size / 1e6)
    print(f"{path.suffix[1:]:5} stages, CPU-s per 100 MB: " + ", ".join(f"{s} {told[s] * per:.2f}" for s in STAGES))


def two_jobs(path: Path, rounds: int) -> float:
    """Two files at once, a process each, against one: how many times the work is done per second of wall time."""
    other = path.with_name(f"other{path.suffix}")
    shutil.copyfile(path, other)
    gains: list[float] = []
    for _ in range(rounds):
        alone = process.run(glimmr, path).wall_seconds
        both = max(used.wall_seconds for used in process.together([(glimmr, (path,)), (glimmr, (other,))]))
        gains.append(2 * alone / both)
    other.unlink()
    gain = statistics.median(gains)
    print(f"{path.suffix[1:]:5} two jobs on two cores = {gain:.2f} x one", flush=True)
    return gain


def original(folder: Path, their_bytes: int, our_bytes: int, rounds: int) -> float:
    """Records per second of wall time: the product, its start included, against rows as objects in PostgreSQL.

    PostgreSQL gets a smaller file: it would take minutes, and its pace does not change. It works on two cores, the
    server on one of them: the paces per CPU second are shown, too. The median of the rounds.
    """
    small, large = folder / "small.tall", folder / "large.tall"
    write(small, "tall", their_bytes)
    write(large, "tall", our_bytes)
    ratios: list[float] = []
    for _ in range(rounds):
        theirs = process.run(peers.rows_in_postgresql, small).told
        ours = process.run(glimmr, large)
        paces = {
            "s": (theirs["rows"] / theirs["seconds"], ours.told["records"] / ours.wall_seconds),
            "CPU-s": (theirs["rows"] / theirs["cpu_seconds"], ours.told["records"] / ours.cpu_seconds),
        }
        for clock, (slow, fast) in paces.items():
            said = f"PostgreSQL {slow:.0f} records/{clock}, glimmr {fast:.0f} records/{clock} = {fast / slow:.1f} x"
            print(f"tall  {said}", flush=True)
        slow, fast = paces["s"]
        ratios.append(fast / slow)
    small.unlink()
    large.unlink()
    return statistics.median(ratios)


def main() -> None:
    """Generate, measure, compare."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mb", type=int, default=100)
    arguments.add_argument("--layout", nargs="*", default=list(LAYOUTS), choices=LAYOUTS)
    arguments.add_argument(
        "--file", type=Path, help="measure this file instead; its suffix must be .json, .tall, .wide"
    )
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    arguments.add_argument("--jobs", action=argparse.BooleanOptionalAction, default=True)
    arguments.add_argument("--original-mb", type=int, default=10, help="0: without the original system's way")
    arguments.add_argument("--report", type=Path, help="where the ratios are written as JSON")
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    print(process.note_of_machine())
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for layout in [given.file.suffix[1:]] if given.file else given.layout:
            path = given.file or Path(folder) / f"bench.{layout}"
            if not given.file:
                write(path, layout, given.mb * 1_000_000)
            told[layout] = of_one(path, given.rounds, peers=given.peers, jobs=given.jobs and not given.file)
            if not given.file:
                path.unlink()
        if given.original_mb and not given.file:
            sizes = given.original_mb * 1_000_000, _OURS_TIMES * given.mb * 1_000_000
            told["original"] = original(Path(folder), *sizes, given.rounds)
    if given.report:
        given.report.write_text(json.dumps(told))


def of_one(path: Path, rounds: int, *, peers: bool, jobs: bool) -> dict[str, Any]:
    """Everything that is measured with one file."""
    told: dict[str, Any] = {}
    if peers:
        told["glimmr / peer"] = compare(path, rounds)
    else:
        show(path, "glimmr", process.run(glimmr, path))
    show_stages(path)
    if jobs:
        told["two jobs"] = two_jobs(path, rounds)
    return told


if __name__ == "__main__":
    main()
