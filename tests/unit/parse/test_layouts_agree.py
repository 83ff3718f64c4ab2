"""One table as JSON, tall, wide or workbook, in any encoding and container, gives the same charges and rates."""

# ruff: noqa: RUF001 - dashes and odd letters are what is tested

import csv
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.parse.tables.amounts import amount

from .layouts import (
    CONTAINERS,
    ENCODINGS,
    TABLES,
    Table,
    as_csv,
    as_json,
    as_workbook,
    can_be_told,
    tall_rows,
    wide_rows,
)
from .papers import Read, read

Plans = list[tuple[str, str]]
Said = tuple[list[dict[str, Any]], list[dict[str, Any]]]
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# The default suite takes the same examples each time; `--long` finds new ones.
FEW = settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
MANY = settings(max_examples=1500, deadline=None, suppress_health_check=QUIET)
MONEY = ("gross_charge", "discounted_cash", "min_negotiated", "max_negotiated")
RATE_MONEY = ("negotiated_dollar", "negotiated_percentage", "estimated_amount", "median_amount", "p10_amount",
              "p90_amount")  # fmt: skip


def said(got: Read) -> Said:
    """What rows say: ids, places and the published column names aside; whether a line was recoded is its encoding's."""
    aside = {"file_id", "member", "source_pos", "records"}

    def one(row: dict[str, Any]) -> dict[str, Any]:
        told = {name: value for name, value in row.items() if name not in aside}
        told["extra"] = sorted(text for _, text in row["extra"] or [])
        told["flags"] = [flag for flag in row["flags"] if flag != "recoded"]
        return told

    return [one(row) for row in got.charges], [one(row) for row in got.rates]


def due(table: Table, plans: Plans) -> tuple[list[Any], list[Any]]:
    """Names and amounts, straight from the table."""

    def money(text: str | None) -> Decimal | None:
        micro = amount(text)[0] if text is not None else None
        return None if micro is None else Decimal(micro).scaleb(-6)

    charges, rates = [], []
    for item in table:
        for charge in item["charges"].values():
            charges.append((item["description"], *(money(charge[name]) for name in MONEY)))
            rates += [
                (len(charges) - 1, *plans[at], *(money(payer[name]) for name in RATE_MONEY))
                for at, payer in sorted(charge["payers"].items())
            ]
    return charges, rates


def names_and_amounts(got: Read) -> tuple[list[Any], list[Any]]:
    return (
        [(row["description"], *(row[name] for name in MONEY)) for row in got.charges],
        [
            (row["charge_id"], row["payer_name"], row["plan_name"], *(row[name] for name in RATE_MONEY))
            for row in got.rates
        ],
    )


def every_layout_says_the_same(made: tuple[Table, Plans], block_bytes: int) -> None:
    table, plans = made
    tall, wide = tall_rows(table, plans), wide_rows(table, plans)
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder)
        first = read(to / "json", as_json(table, plans), block_bytes=block_bytes)
        assert first.report.outcome in {"ok", "no_price_table"}, first.report.message
        assert names_and_amounts(first) == due(table, plans)
        assert first.rejects == []
        for name, content in (
            ("json strings", as_json(table, plans, strings=True, indent=1)),
            ("tall", as_csv(tall)),
            ("wide", as_csv(wide)),
            ("tall workbook", as_workbook(tall)),
            ("wide workbook", as_workbook(wide)),
        ):
            again = read(to / name, content, block_bytes=block_bytes)
            assert again.ended == first.ended, name
            assert said(again) == said(first), name


def no_wrapping_changes_anything(made: tuple[Table, Plans], wrapped: tuple[str, str, str, str, str, int, int]) -> None:
    table, plans = made
    layout, encoding, container, delimiter, ends, quoting, block_bytes = wrapped
    rows = (tall_rows if layout.startswith("tall") else wide_rows)(table, plans)
    if layout.endswith("workbook"):
        content = as_workbook(rows)  # it has an encoding of its own
    else:
        is_json = layout == "json"
        text = (
            as_json(table, plans, indent=None if quoting else 1) if is_json else as_csv(rows, delimiter, ends, quoting)
        )
        if not can_be_told(text, encoding):
            return
        content = ENCODINGS[encoding](text)
    with tempfile.TemporaryDirectory() as folder:
        got = read(Path(folder), CONTAINERS[container](content), block_bytes=block_bytes)
        assert got.report.outcome in {"ok", "no_price_table"}, got.report.message
        assert names_and_amounts(got) == due(table, plans)
        plain = read(Path(folder), as_json(table, plans))
        assert said(got) == said(plain)


BLOCKS = st.sampled_from([40, 500, 4 * 2**20])
WRAPPED = st.tuples(
    st.sampled_from(["tall", "wide", "json", "tall workbook", "wide workbook"]),
    st.sampled_from(list(ENCODINGS)),
    st.sampled_from(list(CONTAINERS)),
    st.sampled_from(",\t;|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    BLOCKS,
)


@FEW
@given(TABLES, BLOCKS)
def test_json_tall_wide_and_workbook_say_the_same(made: tuple[Table, Plans], block_bytes: int) -> None:
    every_layout_says_the_same(made, block_bytes)


@settings(FEW, max_examples=40)
@given(TABLES, WRAPPED)
def test_encoding_container_delimiter_and_line_ends_change_nothing(
    made: tuple[Table, Plans], wrapped: tuple[str, str, str, str, str, int, int]
) -> None:
    no_wrapping_changes_anything(made, wrapped)


@pytest.mark.long
@pytest.mark.timeout(1200)
@MANY
@given(TABLES, BLOCKS)
def test_json_tall_wide_and_workbook_say_the_same_many_times(made: tuple[Table, Plans], block_bytes: int) -> None:
    every_layout_says_the_same(made, block_bytes)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(MANY, max_examples=2000)
@given(TABLES, WRAPPED)
def test_no_wrapping_changes_anything_many_times(
    made: tuple[Table, Plans], wrapped: tuple[str, str, str, str, str, int, int]
) -> None:
    no_wrapping_changes_anything(made, wrapped)


CHARGE = dict.fromkeys((*MONEY, "billing_class", "modifiers", "notes")) | {"gross_charge": "12.50", "payers": {}}
ONE_OF_ALL: Table = [
    {"description": text, "codes": [("99213", "CPT")], "drug_unit": None, "drug_type": None}
    | {"charges": {"outpatient": CHARGE}}
    for text in ("Café – visit", "Señal “plain”")
]


@pytest.mark.parametrize("container", list(CONTAINERS))
@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_every_encoding_is_read_in_every_container(container: str, encoding: str, tmp_path: Path) -> None:
    """One table in all of them, so that none is left to chance."""
    for content in (as_json(ONE_OF_ALL, [], indent=1), as_csv(tall_rows(ONE_OF_ALL, []))):
        assert can_be_told(content, encoding)
        got = read(tmp_path, CONTAINERS[container](ENCODINGS[encoding](content)))
        assert got.ended == ("ok", ""), got.report.message
        assert names_and_amounts(got) == due(ONE_OF_ALL, [])


@pytest.mark.parametrize("container", list(CONTAINERS))
def test_a_workbook_is_read_in_every_container(container: str, tmp_path: Path) -> None:
    for rows in (tall_rows(ONE_OF_ALL, []), wide_rows(ONE_OF_ALL, [])):
        got = read(tmp_path, CONTAINERS[container](as_workbook(rows)))
        assert got.ended == ("ok", ""), got.report.message
        assert names_and_amounts(got) == due(ONE_OF_ALL, [])
