"""A scan of worlds of several sizes: seconds and peak memory. `python bench/scan.py [--sizes 500,5000]`.

Memory is to be flat and time linear. The world is served by a process of its own, so that only the scan is measured.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_WORLD = ("-m", "glimmr.world", "--mix", "scan", "--pra-requests", "100000", "--hospitals")
_HURRY = {"GLIMMR_PRA_DELAY_SECONDS": "0", "GLIMMR_PRA_REQUESTS": "100000", "GLIMMR_MIN_FREE_BYTES": "1"}
_SOURCES = {"GLIMMR_SOURCES": "cms_roster,pra,cms_hpt"}  # those of the default


def measured(hospitals: int, scans: int) -> dict[str, float]:
    """What a scan of all places cost: seconds, and the peak of its memory."""
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(
            [sys.executable, *_WORLD, str(hospitals)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as world,
    ):
        assert world.stdout is not None
        settings = json.loads(world.stdout.readline())["settings"]
        env = {**os.environ, **settings, **_HURRY, **_SOURCES, "GLIMMR_SCANS": str(scans)}
        words = [sys.executable, __file__, "--data", data]
        told = subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE).stdout
        assert world.stdin is not None
        world.stdin.close()
    return json.loads(told)


def scan(data: Path) -> None:
    """Scan all places in this process, take up no address, and say what that cost."""
    import asyncio  # noqa: PLC0415 - its memory is measured, not that of the process above

    from glimmr import app  # noqa: PLC0415 - same
    from glimmr.cli.asked import sources_asked  # noqa: PLC0415 - same
    from glimmr.settings import load  # noqa: PLC0415 - same

    settings = load(data=data)
    with app.working(settings, limit=0) as parts:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.monotonic(), time.process_time()
        asyncio.run(app.walk(parts, sources_asked(settings, [], all_states=True), refresh=False, stop=asyncio.Event()))
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
        addresses = parts.database.read(
            lambda connection: connection.exec_driver_sql("SELECT count(*) FROM price_files").scalar_one()
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = {"before_mib": before / 1024, "peak_mib": peak / 1024}
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "addresses": addresses} | mib))


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="500,5000")
    parser.add_argument("--scans", type=int, default=2)
    parser.add_argument("--data", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.data is not None:
        scan(given.data)
        return
    for hospitals in map(int, given.sizes.split(",")):
        told = measured(hospitals, given.scans)
        each, cpu_each = (1000 * told[seconds] / hospitals for seconds in ("seconds", "cpu_seconds"))
        print(
            f"{hospitals:>6,} hospitals  {told['addresses']:>6,} addresses  {told['seconds']:8.1f} s"
            f"  {each:6.1f} ms a hospital, {cpu_each:5.1f} of CPU"
            f"  peak {told['peak_mib']:6.0f} MiB (began at {told['before_mib']:.0f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
