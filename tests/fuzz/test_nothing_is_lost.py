"""Whatever stands in the cells: every record is a charge, every cell is found again, as a value or word for word."""

import csv
import io
import json
import re
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.parse.tables.amounts import amount
from glimmr.parse.tables.words import count
from tests.unit.parse.papers import BLOCKS, PREAMBLE, TALL, WIDE, Read, csv_text, read, xlsx

from .oddities import HEADERS, TEXTS
from .test_fuzz import FEW, MANY

Cells = list[str]
# What text readers change on purpose is left out: NULs go, lone carriage returns and form feeds end lines or are blank.
CELL = TEXTS.map(lambda text: re.sub("[\x00-\x08\x0b-\x1f\x85\ufeff]", "", text))
RECORDS = st.lists(st.one_of(st.lists(CELL, max_size=14), st.just([""] * 9)), min_size=1, max_size=12)
SHEET_CELL = CELL.map(lambda text: re.sub("[^\t\n -\ud7ff\ue000-\ufffd]", "", text).replace("_x", ""))
# What may stand below the first header: further headers, general data whole or broken off, titles, blank lines, items.
NARROW = "description,code|1,setting,standard_charge|gross\n"
LEGACY = "Description,CPT Code,Gross Charge\n"
UNDER = {
    TALL: "{0},{1},CPT,{2},{3},,Aetna,PPO,{3},fee schedule,",
    WIDE: "{0},{1},CPT,{2},{3},{3},,,,,",
    NARROW: "{0},{1},{2},{3}",
    LEGACY: "{0},{1},{3}",
}
NAMES = st.sampled_from(
    ["hospital_name", "last_updated_on,,,", "hospital_name,last_updated_on,version", PREAMBLE.split("\n")[0]]
)
BETWEEN = st.one_of(
    st.just(PREAMBLE.strip()), NAMES, st.sampled_from(["", "", "Prices of 2026", "Our prices,,,,", "Notes,see below"])
)


@dataclass(frozen=True)
class Item:
    """What a priced record says, whatever header it stands under."""

    description: str
    setting: str
    price: str


ITEMS = st.builds(
    Item,
    st.sampled_from(["MRI", "Z", "hospital_name", "last_updated_on", "standard_charge|gross", "Total", "Gross charge"]),
    st.sampled_from(["both", "outpatient", ""]),
    st.sampled_from(["7", "12.5", "$1,234.50", "2.2", "1e3", "(5.25)", "0"]),
)
LINES = st.lists(st.one_of(ITEMS, ITEMS, BETWEEN, st.sampled_from([*UNDER])), max_size=14)


def named(records: list[Cells]) -> list[Cells]:
    """Each record that is not blank is given a description of its own, no column's name: no two are one charge."""
    return [[f"bandage {n}", *cells] if any(map(str.strip, cells)) else cells for n, cells in enumerate(records)]


def parts_of(label: str, kept: str) -> list[str]:
    """What is kept under a name; cells beyond the header are a JSON list under `more`."""
    return [cell.strip() for cell in json.loads(kept)] if label == "more" else [kept]


def found_again(cell: str, rows: list[dict[str, Any]]) -> bool:
    """Whether a cell is in the rows made of its record: its text anywhere, or the amount or count it is."""
    text = cell.strip()
    texts, numbers, flags = set[str](), set[Decimal](), set[str]()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, Decimal | int):
                numbers.add(Decimal(value))
            elif name == "flags":
                flags.update(value)
            elif name == "codes":
                texts.update(part for pair in value for part in pair.values() if part)
            elif name == "extra":
                texts.update(part for label, kept in value or [] for part in parts_of(label, kept))
            elif isinstance(value, list):
                texts.update(value)
            elif isinstance(value, str):
                texts.add(value)
    folded = {re.sub(r"[\s_-]+", " ", one).casefold() for one in texts}
    micro, _, _ = amount(text)
    counted = count(text)
    return (
        not text
        or text in texts
        or re.sub(r"[\s_-]+", " ", text).casefold() in folded
        or text.upper() in texts
        or (micro is not None and Decimal(micro).scaleb(-6) in numbers)
        or (counted is not None and Decimal(counted[0]) in numbers)
        or (amount(text)[0] is None and text.lstrip("$ -").startswith("999") and "sentinel_nine_nines" in flags)
        or all(part in texts for part in re.split(r"[|,;\s]+", text) if part)  # modifiers
        or text.casefold() in {"ip", "op"}
    )


def all_is_there(got: Read, records: list[Cells], first: int, prefix: str) -> None:
    if "GL-SECTION" in got.findings():  # a record of nothing but columns' names is told as a further header
        return
    due = [(n, cells) for n, cells in enumerate(records) if any(map(str.strip, cells))]
    assert got.report.rows_in == len(due), (got.ended, got.report.rows_in, len(due))
    assert got.rejects == []
    assert [c["source_pos"] for c in got.charges] == [f"{prefix}{n + first}" for n, _ in due]
    for charge, (_, cells) in zip(got.charges, due, strict=True):
        rows = [charge, *(rate for rate in got.rates if rate["charge_id"] == charge["charge_id"])]
        lost = [cell for cell in cells if not found_again(cell, rows)]
        assert not lost, (lost, cells, rows)


def nothing_is_lost_in_csv(records: list[Cells], header: int, delimiter: str) -> None:
    records = named(records)
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([HEADERS[header], *records])
    with tempfile.TemporaryDirectory() as folder:
        got = read(Path(folder), out.getvalue())
        if any(any(map(str.strip, cells)) for cells in records):
            all_is_there(got, records, 2, "R")


def nothing_is_lost_in_a_workbook(records: list[Cells], header: int) -> None:
    records = named(records)
    with tempfile.TemporaryDirectory() as folder:
        got = read(Path(folder), xlsx({"Prices": [HEADERS[header], *records]}))
        if any(any(map(str.strip, cells)) for cells in records):
            all_is_there(got, records, 2, "Prices!R")


def no_item_is_lost_between_sections(first: str, lines: list[str | Item], block_bytes: int, *, book: bool) -> None:
    text, header = (PREAMBLE if first != LEGACY else "") + first, first
    text += UNDER[first].format("X-ray", 71010, "both", "55.50") + "\n"
    due = {text.count("\n")}
    for line in lines:
        if isinstance(line, Item):
            number = text.count("\n") + 1
            due.add(number)
            (cells,) = csv.reader([UNDER[header].replace("{3}", "\x00")])
            price = {"\x00": line.price}
            told = [price.get(cell, cell).format(line.description, number, line.setting) for cell in cells]
            text += csv_text([told])
        else:
            header = line if line in UNDER else header
            text += line.rstrip("\n") + "\n"
    with tempfile.TemporaryDirectory() as folder:
        content = xlsx({"S": list(csv.reader(io.StringIO(text)))}) if book else text
        got = read(Path(folder), content, block_bytes=block_bytes)
    told = [row["source_pos"] for row in (*got.charges, *got.rates)] + [row["position"] for row in got.rejects]
    seen = {int(re.sub(r"C\d+$", "", position).rpartition("R")[2]) for position in told}
    assert due <= seen, (text, due - seen)
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected >= len(due)


@settings(FEW, max_examples=80)
@given(st.sampled_from([*UNDER]), LINES, st.sampled_from(BLOCKS), st.booleans())
def test_every_priced_item_between_sections_is_a_charge_or_a_reject(
    first: str, lines: list[str | Item], block_bytes: int, book: bool
) -> None:
    no_item_is_lost_between_sections(first, lines, block_bytes, book=book)


@settings(FEW, max_examples=60)
@given(RECORDS, st.integers(0, 1), st.sampled_from(",\t;|"))
def test_every_cell_of_a_csv_is_found_again(records: list[Cells], header: int, delimiter: str) -> None:
    nothing_is_lost_in_csv(records, header, delimiter)


@settings(FEW, max_examples=30)
@given(st.lists(st.lists(SHEET_CELL, max_size=14), min_size=1, max_size=9), st.integers(0, 1))
def test_every_cell_of_a_workbook_is_found_again(records: list[Cells], header: int) -> None:
    nothing_is_lost_in_a_workbook(records, header)


@pytest.mark.long
@pytest.mark.timeout(1800)
@MANY
@given(RECORDS, st.integers(0, 1), st.sampled_from(",\t;|"))
def test_every_cell_of_a_csv_is_found_again_many_times(records: list[Cells], header: int, delimiter: str) -> None:
    nothing_is_lost_in_csv(records, header, delimiter)


@pytest.mark.long
@pytest.mark.timeout(1800)
@MANY
@given(st.lists(st.lists(SHEET_CELL, max_size=14), min_size=1, max_size=9), st.integers(0, 1))
def test_every_cell_of_a_workbook_is_found_again_many_times(records: list[Cells], header: int) -> None:
    nothing_is_lost_in_a_workbook(records, header)


@pytest.mark.long
@pytest.mark.timeout(1800)
@MANY
@given(st.sampled_from([*UNDER]), LINES, st.sampled_from(BLOCKS), st.booleans())
def test_every_priced_item_between_sections_is_a_charge_or_a_reject_many_times(
    first: str, lines: list[str | Item], block_bytes: int, book: bool
) -> None:
    no_item_is_lost_between_sections(first, lines, block_bytes, book=book)
