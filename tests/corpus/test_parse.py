"""Real price files: what is read equals the truth, and every file ends in an outcome."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glimmr.model import FileReport
from glimmr.outcomes import Outcome, is_reason
from glimmr.parse import parse

from .conftest import lines

MANIFEST = lines("MANIFEST.jsonl")
TRUTH = {line["sha256"]: line["metrics"] for line in lines("TRUTH.jsonl") if "sha256" in line}
TEMPLATE_KINDS = {"mrf_real", "mrf_excerpt", "spec_example"}
CMS = [m for m in MANIFEST if str(m.get("template")).startswith("cms-") and m["kind"] in TEMPLATE_KINDS]
TRUE = [m for m in MANIFEST if str(m.get("template")).startswith("cms-") and m["sha256"] in TRUTH]
LATER = {"xlsx", "xls", "xml"}  # formats a later issue reads


def read(corpus: Path, entry: dict[str, Any], to: Path) -> tuple[FileReport, pa.Table | None, pa.Table | None]:
    report = parse(corpus / entry["file"], to)
    tables = [
        pq.read_table(to / name) if (to / name).is_file() else None for name in ("charges.parquet", "rates.parquet")
    ]
    return report, tables[0], tables[1]


def name_of(entry: dict[str, Any]) -> str:
    return f"{entry['sha256'][:8]}-{Path(entry['file']).name[-40:]}"


def close(found: Decimal, text: str) -> bool:
    true = Decimal(text)
    return abs(found - true) <= max(Decimal("0.01"), abs(true) * Decimal("1e-9"))


def total(values: pa.ChunkedArray, weights: pa.ChunkedArray | None = None) -> tuple[int, Decimal]:
    pairs = zip(values.to_pylist(), weights.to_pylist() if weights is not None else [1] * len(values), strict=True)
    kept = [(value * weight, weight) for value, weight in pairs if value is not None]
    return sum(weight for _, weight in kept), sum((value for value, _ in kept), Decimal(0))


@pytest.mark.parametrize("entry", TRUE or [None], ids=lambda e: name_of(e) if e else "none")
def test_a_cms_file_gives_exactly_what_is_true_of_it(
    corpus: Path, entry: dict[str, Any] | None, tmp_path: Path
) -> None:
    assert entry is not None
    truth = TRUTH[entry["sha256"]]
    report, charges, rates = read(corpus, entry, tmp_path)
    assert report.outcome == Outcome.OK
    assert report.rows_in == truth["item_rows"]
    assert report.rows_in == report.items_out + report.rows_rejected
    assert charges is not None and rates is not None
    if truth["layout"] == "tall":
        assert pc.sum(charges["records"]).as_py() == truth["item_rows"]
    for column, name in (
        ("gross_charge", "gross"),
        ("discounted_cash", "cash"),
        ("min_negotiated", "minimum"),
        ("max_negotiated", "maximum"),
    ):
        count, amount = total(charges[column], charges["records"])
        assert (count, close(amount, truth[name]["sum"])) == (truth[name]["n"], True), name
    count, amount = total(rates["negotiated_dollar"])
    assert (count, close(amount, truth["negotiated_dollar"]["sum"])) == (truth["negotiated_dollar"]["n"], True)
    codes = {pair["code"] for pairs in charges["codes"].to_pylist() for pair in pairs} - {None}
    assert len(codes) == truth["distinct_codes"]
    assert payer_plans(rates, truth["layout"]) == truth["payer_plan"]


def payer_plans(rates: pa.Table, layout: str) -> int:
    """Distinct pairs; in a wide file only of groups with a dollar, percentage or algorithm (TRUTH line 1)."""
    if layout == "wide":
        filled = [pc.is_valid(rates[f"negotiated_{name}"]) for name in ("dollar", "percentage", "algorithm")]
        rates = rates.filter(pc.or_(pc.or_(filled[0], filled[1]), filled[2]))
    pairs = set(zip(rates["payer_name"].to_pylist(), rates["plan_name"].to_pylist(), strict=True))
    return len(pairs - {(None, None)})


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


@pytest.mark.parametrize("entry", MANIFEST or [None], ids=lambda e: name_of(e) if e else "none")
def test_every_file_ends_in_an_outcome_with_a_reason_of_the_closed_list(
    corpus: Path, entry: dict[str, Any] | None, tmp_path: Path
) -> None:
    assert entry is not None
    report, charges, rates = read(corpus, entry, tmp_path)
    assert is_reason(Outcome(report.outcome), report.reason)
    assert report.rows_in == report.items_out + report.rows_rejected
    assert report.charges == (charges.num_rows if charges else 0)
    assert report.rates == (rates.num_rows if rates else 0)
    assert report.message or report.outcome == Outcome.OK
    if entry["kind"].startswith("negative_"):
        allowed = {Outcome.NOT_A_PRICE_FILE, Outcome.NO_PRICE_TABLE}
        later = {Outcome.UNPARSEABLE} if report.members[0].format in LATER else set()
        assert report.outcome in allowed | later
