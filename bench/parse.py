"""How fast, and in how much memory, generated price files are parsed, beside what one would write first.

python bench/parse.py --mb 100 --layout json tall wide
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def glimmr(path: Path, to: Path) -> None:
    from glimmr.parse import parse_in_child  # noqa: PLC0415

    report = parse_in_child(lambda **_: None, path=str(path), to=str(to), file_id="0" * 64, limits={})
    assert report["outcome"] == "ok", report


def plain(path: Path, to: Path) -> None:
    import plain as written_first  # noqa: PLC0415

    written_first.PARSERS[path.suffix.removeprefix(".")](path, to)


def load_only(path: Path, _: Path) -> None:
    with path.open("rb") as file:
        json.load(file)


def _measured(
    work: Callable[[Path, Path], None], path: Path, to: Path, out: "multiprocessing.Queue[list[float]]"
) -> None:
    begun = time.monotonic()
    work(path, to)
    used = resource.getrusage(resource.RUSAGE_SELF)
    out.put([used.ru_utime + used.ru_stime, time.monotonic() - begun, used.ru_maxrss / 1024])


def measure(name: str, work: Callable[[Path, Path], None], path: Path) -> float:
    """Run `work` in a fresh process; print and return its CPU seconds (imports included)."""
    spawn = multiprocessing.get_context("spawn")
    out = spawn.Queue()
    with tempfile.TemporaryDirectory(dir=path.parent) as to:
        process = spawn.Process(target=_measured, args=(work, path, Path(to), out))
        process.start()
        cpu, wall, rss = out.get()
        process.join()
        written = sum(f.stat().st_size for f in Path(to).iterdir()) / 1e6
    size = path.stat().st_size / 1e6
    print(
        f"{path.suffix[1:]:5} {name:10} {size:8.1f} MB  CPU {cpu:7.2f} s  wall {wall:7.2f} s"
        f"  {size / cpu:7.1f} MB/CPU-s  RSS {rss:6.0f} MB  Parquet {written:.1f} MB",
        flush=True,
    )
    return cpu


def main() -> None:
    """Generate, measure, compare."""
    from files import WRITERS  # noqa: PLC0415

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--mb", type=int, default=100)
    arguments.add_argument("--layout", nargs="*", default=list(WRITERS), choices=list(WRITERS))
    arguments.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for layout in given.layout:
            path = Path(folder) / f"bench.{layout}"
            WRITERS[layout](path, given.mb * 1_000_000)
            ours = measure("glimmr", glimmr, path)
            if given.peers:
                theirs = measure("plain", plain, path)
                print(f"{layout:5} plain / glimmr = {theirs / ours:.1f}")
                if layout == "json":
                    print(f"{layout:5} glimmr / json.load = {ours / measure('json.load', load_only, path):.2f}")
            path.unlink()


if __name__ == "__main__":
    main()
