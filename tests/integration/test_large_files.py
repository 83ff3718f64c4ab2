"""Files of a gigabyte are read in memory that does not grow with them."""

import json
from pathlib import Path

import pytest

from glimmr.world.content import write_file
from tests.support import line

GIB = 2**30
PEAK_BYTES = 450 * 10**6


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["json", "tall", "wide"])
def test_a_gigabyte_is_parsed_in_less_than_450_megabytes(kind: str, tmp_path: Path) -> None:
    source = tmp_path / f"large.{kind}"
    with source.open("wb") as file:
        write_file(file, kind, "3.0.0", size_bytes=GIB)
    report = tmp_path / "report.json"
    env = line.environment()
    line.glimmr("parse", source, "--to", f"{tmp_path}/out/", "--report", report, env=env, timeout_seconds=1000)
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["outcome"] == "ok"
    assert told["rows_in"] == told["items_out"] + told["rows_rejected"]
    assert told["peak_rss_bytes"] < PEAK_BYTES
