"""Every file at hand, real, made-up mess or of a small world, ends in an outcome; reports/corpus.csv lists them.

Without a corpus the others are checked all the same, and the report stays as it is.
"""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glimmr.model import FileReport, MemberReport
from glimmr.outcomes import Outcome, is_reason
from glimmr.parse import Limits, parse
from glimmr.world import world
from glimmr.world.mixes import RECIPES
from tests.mess.expected import NAMES, expected_of, paper_of
from tests.support.memory import growth

from .conftest import CORPUS, lines

REPORT = Path(__file__).parents[2] / "reports" / "corpus.csv"
MOST_SECONDS, MOST_RSS_BYTES = 60, 10**9
HOSPITALS = 40  # enough for a file of each of the world's recipes


@dataclasses.dataclass(frozen=True)
class Paper:
    """A file, how it may end, and how many charges and rates it must then have, where that is known."""

    source: str
    name: str
    path: Path
    outcomes: set[Outcome]
    rows: tuple[int, int] | None = None
    limits: dict[str, Any] = dataclasses.field(default_factory=dict)


def real() -> Iterator[Paper]:
    for entry in lines("MANIFEST.jsonl"):
        yield Paper("corpus", entry["file"], CORPUS / entry["file"], expected(entry))


def messes(folder: Path) -> Iterator[Paper]:
    for name in NAMES:
        due, path = expected_of(name), folder / name
        path.write_bytes(paper_of(name))
        rows = (due["count"]["charges"], due["count"]["rates"]) if "count" in due else None
        yield Paper("mess", name, path, {Outcome(due["outcome"])}, rows, due.get("limits", {}))


def simulated(folder: Path) -> Iterator[Paper]:
    for number, file in enumerate(world(11, HOSPITALS, "clean").files):
        path, due = folder / f"world-{number}", file.expect
        path.write_bytes(b"".join(file.content.chunks()))
        assert due.charges is not None
        assert due.rates is not None
        yield Paper("world", file.url, path, {Outcome(due.outcome)}, (due.charges, due.rates))


def test_every_file_ends_in_an_outcome_of_the_closed_list_and_the_results_are_written(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for paper in (*real(), *messes(tmp_path), *simulated(tmp_path)):
        with growth() as peak_bytes:
            report = parse(paper.path, tmp_path / "out", limits=Limits(**paper.limits))
            report = dataclasses.replace(report, peak_rss_bytes=peak_bytes())  # the process has done other things
        wrong += [f"{paper.source} {paper.name}: {problem}" for problem in problems(paper, report, tmp_path / "out")]
        rows += [result(paper, report, member) for member in report.members]
    write(rows, REPORT)
    assert not wrong


def test_a_report_without_real_files_is_not_written_over_one_with_them(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "corpus.csv"
    write([{"source": "mess", "file": "empty.csv"}], report)
    assert not report.exists()
    write([{"source": "mess", "file": "empty.csv"}, {"source": "corpus", "file": "real.csv"}], report)
    written = report.read_text()
    write([{"source": "world", "file": "made-up.csv"}], report)
    assert report.read_text() == written


def write(rows: list[dict[str, Any]], to: Path) -> None:
    if not any(row["source"] == "corpus" for row in rows):
        return
    to.parent.mkdir(exist_ok=True)
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_the_small_world_has_a_file_of_every_recipe() -> None:
    files = world(11, HOSPITALS, "clean").files
    made = {(file.kind, file.content.encoding, file.content.container, file.content.shapes[0].quirks) for file in files}
    assert made == {(recipe.kind, recipe.encoding, recipe.container, recipe.quirks) for recipe in RECIPES}


def problems(paper: Paper, report: FileReport, folder: Path) -> Iterator[str]:
    """What is wrong with how a file was read."""
    ended = f"{report.outcome} {report.reason}"
    if not is_reason(Outcome(report.outcome), report.reason) or not (report.message or report.outcome == Outcome.OK):
        yield f"{ended}: no reason of the closed list, or no message"
    if report.rows_in != report.items_out + report.rows_rejected:
        yield "does not reconcile"
    if (report.charges, report.rates) != (rows_of(folder, "charges"), rows_of(folder, "rates")):
        yield "the tables do not have the rows of the report"
    if paper.rows not in {None, (report.charges, report.rates)}:
        yield f"{report.charges} charges and {report.rates} rates instead of {paper.rows}"
    if report.seconds > MOST_SECONDS or report.peak_rss_bytes > MOST_RSS_BYTES:
        yield f"{report.seconds} s, {report.peak_rss_bytes} bytes"
    if report.outcome not in paper.outcomes:
        yield f"ended {ended}"


def rows_of(folder: Path, table: str) -> int:
    path = folder / f"{table}.parquet"
    return pq.read_metadata(path).num_rows if path.exists() else 0


def expected(entry: dict[str, Any]) -> set[Outcome]:
    """How a file of its kind may end."""
    if entry["kind"] == "negative_companion_doc" and entry["format"] in {"xls", "xlsx", "xlsm", "csv"}:
        return {Outcome.NO_PRICE_TABLE}
    if entry["kind"].startswith("negative_") or entry["format"] in {"html", "pdf", "doc", "docx"}:
        return {Outcome.NO_PRICE_TABLE} if entry["kind"] == "negative_other" else {Outcome.NOT_A_PRICE_FILE}
    if entry["kind"] == "mrf_real" and entry["truth"]:
        return {Outcome.OK}
    return set(Outcome) - {Outcome.INTERNAL_ERROR, Outcome.UNSAFE, Outcome.TOO_LARGE}


def result(paper: Paper, report: FileReport, member: MemberReport) -> dict[str, Any]:
    findings = sum(finding.count for finding in member.findings)
    return {
        "source": paper.source, "file": paper.name, "member": member.member, "format": member.format,
        "layout": member.layout, "rows": member.rows_in, "charges": member.charges, "rates": member.rates,
        "rejects": member.rows_rejected, "findings": findings, "outcome": member.outcome, "reason": member.reason,
        "seconds": report.seconds,
    }  # fmt: skip
