"""Real price files: what is read equals the truth, and every file ends in an outcome."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glimmr.model import FileReport, MemberReport
from glimmr.outcomes import Outcome, is_reason
from glimmr.parse import inspect, parse

from .conftest import lines
from .truth import ABOUT_THE_TRUTH, METRICS, differences, found

MANIFEST = lines("MANIFEST.jsonl")
TEMPLATE_KINDS = {"mrf_real", "mrf_excerpt", "spec_example"}
CMS = [m for m in MANIFEST if str(m.get("template")).startswith("cms-") and m["kind"] in TEMPLATE_KINDS]
TRUE = [line for line in lines("TRUTH.jsonl") if "sha256" in line]
REPORT = Path(__file__).parents[2] / "reports" / "corpus.csv"
MOST_SECONDS, MOST_RSS_BYTES = 60, 10**9


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
    columns = inspect(corpus / entry["file"]).report.members[0].columns
    assert list(differences(entry["metrics"], found(entry, report, charges, rates, columns))) == []


def test_the_truth_says_nothing_that_is_not_compared() -> None:
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


def test_every_file_ends_in_an_outcome_of_the_closed_list_and_the_results_are_written(
    corpus: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for entry in MANIFEST:
        report, charges, rates = read(corpus, entry, tmp_path)
        wrong += [f"{entry['file']}: {problem}" for problem in problems(entry, report, charges, rates)]
        rows += [result(entry, report, member) for member in report.members]
    REPORT.parent.mkdir(exist_ok=True)
    with REPORT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert not wrong


def problems(
    entry: dict[str, Any], report: FileReport, charges: pa.Table | None, rates: pa.Table | None
) -> Iterator[str]:
    """What is wrong with how a file was read."""
    ended = f"{report.outcome} {report.reason}"
    if not is_reason(Outcome(report.outcome), report.reason) or not (report.message or report.outcome == Outcome.OK):
        yield f"{ended}: no reason of the closed list, or no message"
    if report.rows_in != report.items_out + report.rows_rejected:
        yield "does not reconcile"
    if report.charges != (charges.num_rows if charges else 0) or report.rates != (rates.num_rows if rates else 0):
        yield "the tables do not have the rows of the report"
    if report.seconds > MOST_SECONDS or report.peak_rss_bytes > MOST_RSS_BYTES:
        yield f"{report.seconds} s, {report.peak_rss_bytes} bytes"
    if report.outcome not in expected(entry):
        yield f"ended {ended}"


def expected(entry: dict[str, Any]) -> set[Outcome]:
    """How a file of its kind may end."""
    if entry["kind"] == "negative_companion_doc" and entry["format"] in {"xls", "xlsx", "xlsm", "csv"}:
        return {Outcome.NO_PRICE_TABLE}
    if entry["kind"].startswith("negative_") or entry["format"] in {"html", "pdf", "doc", "docx"}:
        return {Outcome.NO_PRICE_TABLE} if entry["kind"] == "negative_other" else {Outcome.NOT_A_PRICE_FILE}
    if entry["kind"] == "mrf_real" and entry["truth"]:
        return {Outcome.OK}
    return set(Outcome) - {Outcome.INTERNAL_ERROR, Outcome.UNSAFE, Outcome.TOO_LARGE}


def result(entry: dict[str, Any], report: FileReport, member: MemberReport) -> dict[str, Any]:
    findings = sum(finding.count for finding in member.findings)
    return {
        "file": entry["file"], "member": member.member, "format": member.format, "layout": member.layout,
        "rows": member.rows_in, "charges": member.charges, "rates": member.rates, "rejects": member.rows_rejected,
        "findings": findings, "outcome": member.outcome, "reason": member.reason, "seconds": report.seconds,
    }  # fmt: skip
