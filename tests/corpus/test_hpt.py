"""The real records of hospitals' cms-hpt.txt, written out in every shape that was seen, come back one and all."""

import json
from collections import defaultdict
from random import Random
from urllib.parse import urlsplit

import pytest

from glimmr.scan.hpt_text import read_hpt
from glimmr.scan.hpt_urls import absolute
from tests.unit.scan.hpt_shapes import SHAPES, Record, Shape

from .conftest import CORPUS

RECORDS = CORPUS.parent / "reference" / "cms_hpt_records.jsonl"
SEED = 7


@pytest.fixture(scope="module")
def files() -> dict[str, list[Record]]:
    """The records by the site they stand on, as their files had them."""
    if not RECORDS.is_file():
        pytest.skip(f"no records of real cms-hpt.txt at {RECORDS}; set GLIMMR_CORPUS to the folder beside it")
    by_site: defaultdict[str, list[Record]] = defaultdict(list)
    for line in RECORDS.read_text("utf-8").splitlines():
        record: Record = json.loads(line)
        host = urlsplit(record["source-page-url"]).hostname or urlsplit(record["mrf-url"]).hostname or "?"
        by_site[host].append(record)
    return by_site


@pytest.fixture(scope="module")
def wanted(files: dict[str, list[Record]]) -> dict[str, list[tuple[str, str]]]:
    """Names and addresses, the blanks that somebody read in the wrong encoding gone; one line holds two addresses."""
    return {site: [pair for record in records for pair in _expected(record)] for site, records in files.items()}


def _expected(record: Record) -> list[tuple[str, str]]:
    urls = record["mrf-url"].replace("Â", " ").replace("\u00a0", " ").strip().replace(" https://", "\n https://")
    return [(record["location-name"], absolute(url.strip(), "")) for url in urls.split("\n")]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_real_record_comes_back(
    files: dict[str, list[Record]], wanted: dict[str, list[tuple[str, str]]], shape: Shape
) -> None:
    random = Random(SEED)
    assert sum(map(len, files.values())) == 4189
    for site, records in files.items():
        base, read = f"https://{site}/cms-hpt.txt", read_hpt(shape(records, random))
        assert read.verdict == "hpt", site
        assert [(one.location_name, absolute(one.mrf_url or "", base)) for one in read.records] == wanted[site], site
