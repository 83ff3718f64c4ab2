"""The lake as outsiders open it: `deltalake` and bare DuckDB, without anything of ours."""

from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from glimmr.price_table import TABLES, schema
from glimmr.query import query
from glimmr.stores.lake import Lake
from tests.support.publisher import publish_name

COUNTS = """
    SELECT state, (SELECT count(*) FROM {charges} AS c WHERE c.file_id IN (SELECT file_id FROM {file_hospitals} AS i
                   WHERE i.state = h.state)),
           (SELECT count(*) FROM {rates} AS r WHERE r.file_id IN (SELECT file_id FROM {file_hospitals} AS i
                   WHERE i.state = h.state)),
           count(DISTINCT h.file_id)
    FROM {file_hospitals} AS h JOIN {files} AS f USING (file_id) GROUP BY state ORDER BY state
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.create()
    for number in range(5):
        publish_name(lake, tmp_path, f"n{number}", lambda: None)
    publish_name(lake, tmp_path, "n1", lambda: None, parser_version="2")
    return lake


def test_bare_duckdb_over_the_file_uris_counts_what_our_views_count(lake: Lake) -> None:
    uris = {table: DeltaTable(f"{lake.root}/{table}").file_uris() for table in TABLES}
    with duckdb.connect() as connection:
        outside = connection.execute(COUNTS.format(**{t: f"read_parquet({uris[t]})" for t in TABLES})).fetchall()
    with query(lake) as table:
        inside = table.sql(COUNTS.format(**{t: t for t in TABLES})).rows
    assert inside == outside
    assert inside[0][3] == 5
    assert inside[0][1] > 100


@pytest.mark.parametrize("name", TABLES)
def test_deltalake_reads_the_table_with_the_columns_of_the_contract(lake: Lake, name: str) -> None:
    delta = DeltaTable(f"{lake.root}/{name}")
    rows = delta.to_pyarrow_table()
    assert rows.schema.names == schema(TABLES[name]).names
    assert set(delta.file_uris()) == set(lake.file_uris(name))
    assert len(set(rows["file_id"].to_pylist())) == 5


def test_ids_are_unique_for_outsiders(lake: Lake) -> None:
    for table, key in (("charges", "charge_id"), ("rates", "rate_id")):
        uris = DeltaTable(f"{lake.root}/{table}").file_uris()
        with duckdb.connect() as connection:
            twice = connection.execute(
                f"SELECT file_id, {key} FROM read_parquet(?) GROUP BY ALL HAVING count(*) > 1", [uris]
            ).fetchall()
        assert twice == []
