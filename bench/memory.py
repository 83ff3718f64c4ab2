"""How much memory parsing takes, however large the file: 300 MB, 2 GB, 10 GB, and a gigabyte of 3,700 columns.

python bench/memory.py --layout json tall --mb 300 2000 10000
python bench/memory.py --layout wide --mb 1000 --plans 411
python bench/memory.py --layout xlsx --rows 1048576

The files are gzips whose middle is repeated, parsed while they are unpacked: 10 GB need no room on the disk. A workbook
is measured by its rows, of which a sheet has 1,048,576 at most.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import process
from files import LAYOUTS, plans, write_looped, write_workbook


def parsed(path: Path) -> dict[str, Any]:
    """Parse into a folder that is thrown away; the report."""
    from glimmr.parse import parse_in_child  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=path.parent) as to:
        report = parse_in_child(lambda **_: None, path=str(path), to=to, file_id="0" * 64, limits={})
    assert report["outcome"] == "ok", report
    return report


def peak(folder: Path, layout: str, size: int, plan_count: int) -> int:
    """Parse a generated file of so many bytes (a workbook: rows); print and return the parsing process' peak RSS."""
    path = folder / f"large.{layout}"
    if layout == "xlsx":
        write_workbook(path, size, offered=plans(plan_count))
        said = f"{size} rows, {path.stat().st_size / 1e6:.0f} MB"
    else:
        write_looped(path, layout, size, offered=plans(plan_count))
        said = f"{size / 1e6:7.0f} MB"
    begun = time.monotonic()
    used = process.run(parsed, path)
    path.unlink()
    rows = used.told["charges"] + used.told["rates"]
    print(
        f"{layout:5} {said}, {plan_count} plans: peak RSS {used.peak_rss_bytes / 1e6:5.0f} MB, "
        f"{used.threads} threads, {rows} rows, CPU {used.cpu_seconds:.0f} s, wall {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    return used.peak_rss_bytes


def main() -> None:
    """Measure each layout at each size."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--layout", nargs="*", default=["json", "tall"], choices=[*LAYOUTS, "xlsx"])
    arguments.add_argument("--mb", type=int, nargs="*", default=[300, 2000])
    arguments.add_argument("--rows", type=int, nargs="*", default=[1_048_576], help="of a workbook")
    arguments.add_argument("--plans", type=int, default=40, help="payer-plans; 411 make 3,714 wide columns")
    arguments.add_argument("--report", type=Path, help="where the figures are written as JSON")
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    print(process.note_of_machine())
    told: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for layout in given.layout:
            sizes = given.rows if layout == "xlsx" else [mb * 1_000_000 for mb in given.mb]
            peaks = [peak(Path(folder), layout, size, given.plans) for size in sizes]
            print(f"{layout:5} largest file / smallest = {peaks[-1] / peaks[0]:.2f} x the memory", flush=True)
            told[layout] = peaks
    if given.report:
        given.report.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
