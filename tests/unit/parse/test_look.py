"""A look at the head of a file: what it shows, and that it reads no more."""

import gzip
import io
import itertools
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from glimmr.model import Look
from glimmr.parse import inspect, limits
from glimmr.parse.unpack.budget import Budget

from .books import odd_xlsx
from .rule_papers import document, item, root, tall, tall_record

GB = 10**9


def look(path: Path, content: bytes | str, rows: int = 5) -> Look:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect(path, rows)


def read_bytes() -> int:
    """What this process has read so far."""
    facts = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(facts["rchar"])


def test_a_table_shows_its_layout_header_columns_and_first_rows(tmp_path: Path) -> None:
    seen = look(tmp_path / "f", tall(*(tall_record(description=f"Item {n}") for n in range(20))), rows=3)
    (member,) = seen.report.members
    assert (seen.kind, member.layout, member.template_version, member.delimiter) == ("csv", "tall", "3.0.0", ",")
    assert member.header.hospital_name == "West Mercy"
    assert member.header_row == 3
    assert member.columns[:2] == ("description", "code|1")
    assert [(row["source_pos"], row["description"], row["payer_name"]) for row in seen.rows] == [
        ("R4", "Item 0", "Aetna"),
        ("R5", "Item 1", "Aetna"),
        ("R6", "Item 2", "Aetna"),
    ]


def test_findings_of_the_head_are_told_and_what_may_still_come_is_not_missed(tmp_path: Path) -> None:
    seen = look(tmp_path / "f", document(*(item(description="") for _ in range(9))).replace('"Aetna"', '""'), rows=1)
    (member,) = seen.report.members
    assert {f.code: f.severity for f in member.findings} == {
        "GL-DESCRIPTION-MISSING": "error",
        "GL-PAYER-MISSING": "error",
    }


def test_of_two_gigabytes_only_the_head_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(tall(*(tall_record(description=f"Item {n}") for n in range(3000))))
    with path.open("r+b") as file:
        file.truncate(2 * GB)
    before = read_bytes()
    seen = inspect(path, 5)
    assert read_bytes() - before < 50_000_000
    assert len(seen.rows) == 5
    assert seen.report.bytes == 2 * GB


def test_what_stands_before_an_endless_value_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "f"
    head = b'{"hospital_name": "Late General", "version": "3.0.0", "junk": ["'
    path.write_bytes(head + b'some more of it", "' * 10_000_000)
    before = read_bytes()
    (member,) = inspect(path, 5).report.members
    assert read_bytes() - before < path.stat().st_size
    assert (member.format, member.layout, member.header.hospital_name) == ("json", None, "Late General")
    assert member.findings == ()


def test_an_array_before_the_header_is_shown_without_it(tmp_path: Path) -> None:
    items = [item(description=f"Item {n}") for n in range(5000)]
    seen = look(tmp_path / "f", json.dumps({"standard_charge_information": items} | root()))
    (member,) = seen.report.members
    assert (member.layout, member.header.hospital_name) == ("json", None)
    assert seen.rows[0]["description"] == "Item 0"
    assert member.findings == ()


def test_members_of_an_archive_are_each_looked_at(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("a.csv", tall())
        archive.writestr("b.json", gzip.compress(document().encode()))
        archive.writestr("c.pdf", b"%PDF-1.7 nothing")
    seen = inspect(tmp_path / "z", 5)
    assert (seen.kind, seen.report.container) == ("zip", "zip")
    told = [(m.member, m.layout, m.outcome) for m in seen.report.members]
    assert told == [("a.csv", "tall", "ok"), ("b.json", "json", "ok"), ("c.pdf", None, "not_a_price_file")]


def test_something_else_is_named(tmp_path: Path) -> None:
    seen = look(tmp_path / "f", "<!doctype html><html><body>Moved</body></html>")
    assert (seen.kind, seen.report.outcome, seen.rows) == ("html", "not_a_price_file", [])


def test_a_table_of_no_template_is_told(tmp_path: Path) -> None:
    lines = "".join(f"{n},Thing {n},{n}.50\n" for n in range(1, 30))
    (member,) = look(tmp_path / "f", "Charge Code,Description,Price\n" + lines).report.members
    assert (member.layout, [f.code for f in member.findings if f.severity == "error"]) == (
        "legacy",
        ["GL-NOT-TEMPLATE"],
    )


class Unpacked:
    """Counts what is unpacked, on a clock that goes on at every look at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks_per_second: int = 20) -> None:
        self.bytes = 0
        ticks = itertools.count()
        monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: next(ticks) / looks_per_second))
        spend = Budget.spend

        def counted(budget: Budget, size_bytes: int) -> None:
            self.bytes += size_bytes
            spend(budget, size_bytes)

        monkeypatch.setattr(Budget, "spend", counted)


BLANK = b",,,,,\n" * 5_000_000


@pytest.mark.parametrize(
    "content", [tall().encode()[:-1].rpartition(b"\n")[0] + b"\n" + BLANK, b"words, words\n" + BLANK]
)
def test_a_look_ends_in_time_though_all_that_is_packed_was_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    unpacked = Unpacked(monkeypatch)
    look(tmp_path / "f", gzip.compress(content))
    assert 0 < unpacked.bytes < 8_000_000 < len(content)


def test_a_look_ends_in_time_inside_a_packed_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f'<row r="{n}"><c t="inlineStr"><is><t> </t></is></c></row>' for n in range(3, 400_000))
    head = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in ("Description", "CPT", "Price"))
    content = odd_xlsx(f'<row r="1">{head}</row>{rows}')
    unpacked = Unpacked(monkeypatch, looks_per_second=100)
    (member,) = look(tmp_path / "f", content).report.members
    assert member.format == "xlsx"
    assert 0 < unpacked.bytes < 10_000_000 < len(rows)


def test_what_takes_longer_to_open_than_a_look_is_no_empty_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.csv", tall().encode() + BLANK)
    unpacked = Unpacked(monkeypatch)
    seen = look(tmp_path / "f", gzip.compress(inner.getvalue()))
    assert (seen.report.outcome, seen.report.members) == ("ok", ())
    assert "longer than a look" in seen.report.message
    assert 0 < unpacked.bytes < 15_000_000
