"""The door for SQL: it reads the views, and nothing else of this machine."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from glimmr.errors import StorageFault, UsageError
from glimmr.price_table import TABLES
from glimmr.query import PriceTable, flat, query
from glimmr.query import table as table_module
from glimmr.query.table import VIEWS
from glimmr.stores.lake import Lake
from tests.support.publisher import publish_name


def test_the_seven_views_are_there(table: PriceTable) -> None:
    found = table.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").rows
    assert [row[0] for row in found] == sorted([*TABLES, *VIEWS])


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_price_table_has_the_columns_of_a_full_one(tmp_path: Path, table: PriceTable, name: str) -> None:
    with query(Lake(tmp_path / "none")) as empty:
        assert empty.sql(f"FROM {name}").rows == []
        assert empty.sql(f"DESCRIBE {name}").rows == table.sql(f"DESCRIBE {name}").rows


def test_prices_are_the_charges_with_their_rates(table: PriceTable) -> None:
    rows = table.sql("SELECT code, gross_charge, payer_name, negotiated_dollar FROM prices ORDER BY ALL").rows
    assert rows == [
        ("0450", None, None, None),
        ("470", Decimal("100.5"), None, None),
        ("99213", Decimal("100.5"), "Aetna", Decimal(80)),
        ("99213", Decimal("100.5"), "Aetna", Decimal(90)),
        ("99213", Decimal("100.5"), "Cigna", None),
        ("99213", Decimal("100.5"), None, None),
        ("D0120", Decimal("100.5"), None, None),
    ]


def test_the_flat_export_has_the_columns_of_the_view(table: PriceTable) -> None:
    assert table.sql("FROM prices LIMIT 0").columns == tuple(flat.SCHEMA.names)


def test_amounts_are_the_filled_amounts_once_each(table: PriceTable) -> None:
    rows = table.sql("SELECT amount_kind, count(*), sum(amount) FROM amounts GROUP BY 1 ORDER BY 1").rows
    assert rows == [
        ("estimated", 1, Decimal("91.25")),
        ("gross", 5, Decimal("502.5")),
        ("negotiated", 2, Decimal(170)),
    ]


def test_charge_codes_are_all_published_pairs(table: PriceTable) -> None:
    rows = table.sql("SELECT code, code_type FROM charge_codes WHERE code IN ('470', 'x1') ORDER BY 1").rows
    assert rows == [("470", "MS-DRG"), ("x1", "CDM")]


def test_values_come_as_plain_python_values(table: PriceTable) -> None:
    row = table.sql("SELECT extra, flags, codes FROM charges WHERE extra IS NOT NULL").rows[0]
    assert row == ({"Room": "7", "a": "b"}, ["header_alias"], [{"code": "99213", "type": "CPT"}])
    assert table.sql("SELECT max(fetched_at) FROM files").rows == [(datetime(2025, 8, 1, 10, tzinfo=UTC),)]


def test_the_clock_of_answers_is_utc(table: PriceTable) -> None:
    assert table.sql("SELECT max(fetched_at)::VARCHAR FROM files").rows == [("2025-08-01 10:00:00+00",)]


def test_a_limit_cuts_and_says_so(table: PriceTable) -> None:
    cut = table.sql("FROM range(10000)", limit=3)
    assert (cut.columns, cut.rows, cut.more) == (("range",), [(0,), (1,), (2,)], True)
    assert not table.sql("FROM range(3)", limit=3).more


def test_long_answers_stream(table: PriceTable) -> None:
    columns, batches = table.stream("SELECT range AS n, range AS n FROM range(1_000_000_000)")
    assert columns == ("n", "n")
    assert next(batches)[:2] == [(0, 0), (1, 1)]
    assert table.sql("SELECT 1").rows == [(1,)]  # the first answer is not read to its end


@pytest.mark.parametrize(
    "text", ["EXPLAIN SELECT 1", "explain analyze from prices", "DESCRIBE prices", "SUMMARIZE files"]
)
def test_statements_that_look_are_allowed(table: PriceTable, text: str) -> None:
    assert table.sql(text).rows


@pytest.mark.parametrize(
    "text",
    [
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
        "/* look */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{object}' (FORMAT parquet)",
        "ATTACH '{folder}/out.db'",
        "EXPORT DATABASE '{folder}'",
        "SET lock_configuration = false",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "DROP VIEW charges",
        "CREATE TABLE x AS SELECT 1",
        "PRAGMA database_list",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{folder}/out.csv'",
        "",
    ],
)
def test_statements_that_do_more_than_read_are_refused(
    table: PriceTable, lake: Lake, tmp_path: Path, text: str
) -> None:
    target = Path(lake.file_uris("charges")[0])
    before = target.read_bytes()
    with pytest.raises(UsageError):
        table.sql(text.format(folder=tmp_path, object=target))
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "out.db").exists()
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "FROM read_csv('/etc/passwd')",
        "FROM read_text('/etc/passwd')",
        "FROM read_blob('/etc/*')",
        "FROM glob('/etc/*')",
        "FROM '/etc/passwd'",
        "FROM read_parquet('http://127.0.0.1:9/x.parquet')",
        "FROM sniff_csv('/etc/passwd')",
    ],
)
def test_other_files_and_the_network_cannot_be_read(table: PriceTable, text: str) -> None:
    with pytest.raises(UsageError):
        table.sql(text)


def test_the_programs_own_variables_cannot_be_read(table: PriceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "secret", pa.table({"a": [1]}), raising=False)
    with pytest.raises(UsageError, match="secret"):
        table.sql("FROM secret")


def test_a_wrong_statement_says_what_is_wrong(table: PriceTable) -> None:
    with pytest.raises(UsageError, match="colour"):
        table.sql("SELECT colour FROM prices")
    with pytest.raises(UsageError, match="syntax error"):
        table.sql("SELEKT 1")


def test_an_object_that_is_gone_is_a_storage_fault(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    publish_name(lake, tmp_path, "name", lambda: None)
    with query(lake) as table:
        for uri in lake.file_uris("rates"):
            Path(uri).unlink()
        with pytest.raises(StorageFault):
            table.sql("SELECT sum(negotiated_dollar) FROM rates")
