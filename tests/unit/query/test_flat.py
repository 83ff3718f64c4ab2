"""The flat export: every charge with its rates, in source order, in three kinds of file."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.errors import NotReconciled, UsageError
from glimmr.query import flat
from glimmr.query.flat import write_flat
from glimmr.query.table import view_sql
from tests.support.price_lists import charge, file_id, rate, write_price_list

A = file_id("a")


def export(folder: Path, charges: list[dict[str, Any]], name: str) -> Path:
    source = write_price_list(folder / "source", A, charges)
    write_flat(source / "charges.parquet", source / "rates.parquet", folder / name)
    return folder / name


@pytest.mark.parametrize("slice_rows", [1, 3, 7, 16_384])
def test_the_parquet_is_what_the_view_says_in_source_order(
    tmp_path: Path, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat, "_SLICE_ROWS", slice_rows)
    charges = [
        charge(str(n), rates=[rate(f"P{k}", str(n + k)) for k in range(n % 5)], extra=[("n", str(n))])
        for n in range(60)
    ]
    rows = pq.read_table(export(tmp_path, charges, "o.parquet"))
    with duckdb.connect() as connection:
        for table in ("charges", "rates"):
            connection.execute(f"CREATE VIEW {table} AS FROM '{tmp_path}/source/{table}.parquet'")
        connection.execute(view_sql("prices"))
        expected = connection.execute("FROM prices ORDER BY charge_id, rate_id NULLS FIRST").fetchall()
    columns = [column.to_pylist(maps_as_pydicts="strict") for column in rows.columns]
    assert list(zip(*columns, strict=True)) == expected
    assert rows.schema.equals(flat.SCHEMA)
    assert len(expected) == 60 // 5 * (1 + 1 + 2 + 3 + 4)


def test_a_price_list_without_rates_is_its_charges(tmp_path: Path) -> None:
    source = write_price_list(tmp_path / "source", A, [charge(), charge("470")])
    assert write_flat(source / "charges.parquet", source / "rates.parquet", tmp_path / "a.csv") == 2
    assert write_flat(source / "charges.parquet", None, tmp_path / "b.csv") == 2
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_json_lines_keep_every_digit(tmp_path: Path) -> None:
    amount = Decimal("999999999999.123457")
    lines = export(tmp_path, [charge(gross_charge=amount, extra=[("é", "x")], rates=[rate()])], "o.ndjson").read_text()
    row = json.loads(lines, parse_float=Decimal)
    assert row["gross_charge"] == amount
    assert row["extra"] == {"é": "x"}
    assert row["codes"] == [{"code": "99213", "type": "CPT"}]
    assert list(row) == flat.SCHEMA.names


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_a_text_in_csv_is_never_a_formula_and_loses_nothing(tmp_path: Path, text: str) -> None:
    path = export(tmp_path, [charge(description=text)], "o.csv")
    with path.open(encoding="utf-8", newline="") as file:
        shown = next(csv.DictReader(file))["description"]
    assert shown[:1] not in set("=+-@\t\r\0")
    assert shown == (f"'{text}" if text[:1] in set("=+-@\t\r\0") and text else text)


def test_numbers_in_csv_stay_numbers(tmp_path: Path) -> None:
    path = export(tmp_path, [charge(description="=1+1", gross_charge=Decimal("-5.25"), rates=[rate("@a")])], "o.csv")
    with path.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["gross_charge"], row["description"], row["payer_name"]) == ("-5.250000", "'=1+1", "'@a")
    assert json.loads(row["codes"]) == [{"code": "99213", "type": "CPT"}]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ndjson"):
        export(tmp_path, [charge()], "o.xlsx")


@pytest.mark.parametrize("wrong", [{"rates": 3}, {"rates": 1}])
def test_charges_and_rates_that_do_not_fit_leave_no_file(tmp_path: Path, wrong: dict[str, int]) -> None:
    source = write_price_list(tmp_path / "source", A, [charge(rates=[rate(), rate()])])
    table = pq.read_table(source / "charges.parquet")
    count = table.schema.get_field_index("rates")
    changed = table.set_column(count, table.schema.field(count), pa.array([wrong["rates"]], pa.int32()))
    pq.write_table(changed, source / "charges.parquet")
    with pytest.raises(NotReconciled):
        write_flat(source / "charges.parquet", source / "rates.parquet", tmp_path / "o.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
