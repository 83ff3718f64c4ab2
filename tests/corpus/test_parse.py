"""Real price files: what is read equals the truth, and CMS's templates are always ok."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glimmr.model import FileReport
from glimmr.outcomes import Outcome
from glimmr.parse import Limits, parse

from .conftest import lines
from .truth import ABOUT_THE_TRUTH, METRICS, differences, found

MANIFEST = lines("MANIFEST.jsonl")
TEMPLATE_KINDS = {"mrf_real", "mrf_excerpt", "spec_example"}
CMS = [m for m in MANIFEST if str(m.get("template")).startswith("cms-") and m["kind"] in TEMPLATE_KINDS]
TRUE = [line for line in lines("TRUTH.jsonl") if "sha256" in line]


def read(corpus: Path, entry: dict[str, Any], to: Path) -> tuple[FileReport, pa.Table | None, pa.Table | None]:
    report = parse(corpus / entry["file"], to)
    tables = [
        pq.read_table(to / name) if (to / name).is_file() else None for name in ("charges.parquet", "rates.parquet")
    ]
    return report, tables[0], tables[1]


def name_of(entry: dict[str, Any]) -> str:
    return f"{entry['sha256'][:8]}-{Path(entry['file']).name[-40:]}"


@pytest.mark.parametrize("entry", TRUE or [None], ids=lambda e: name_of(e) if e else "none")
def test_a_file_gives_exactly_what_is_true_of_it(corpus: Path, entry: dict[str, Any] | None, tmp_path: Path) -> None:
    assert entry is not None
    report, charges, rates = read(corpus, entry, tmp_path)
    assert report.outcome == Outcome.OK
    assert report.rows_in == report.items_out + report.rows_rejected
    assert charges is not None
    head = parse(corpus / entry["file"], tmp_path / "head", limits=Limits(head_items=1))
    columns = head.members[0].columns
    assert list(differences(entry["metrics"], found(entry, report, charges, rates, columns))) == []


def test_the_truth_says_nothing_that_is_not_compared(corpus: Path) -> None:
    assert corpus
    assert {name for entry in TRUE for name in entry["metrics"]} <= METRICS.keys() | ABOUT_THE_TRUTH


@pytest.mark.parametrize("entry", CMS or [None], ids=lambda e: name_of(e) if e else "none")
def test_a_real_cms_file_is_ok_or_has_no_rows_at_all(
    corpus: Path, entry: dict[str, Any] | None, tmp_path: Path
) -> None:
    assert entry is not None
    report, charges, _ = read(corpus, entry, tmp_path)
    if report.rows_in:
        assert report.outcome == Outcome.OK
        assert charges is not None
        assert charges["charge_id"].to_pylist() == list(range(report.charges))
    else:
        assert (report.outcome, report.reason) == (Outcome.NO_PRICE_TABLE, "no_charges")
