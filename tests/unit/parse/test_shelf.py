import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.parse.shelf import Shelf
from glimmr.price_table import CHARGES, schema


def charges(codes: list[str]) -> pa.RecordBatch:
    fill = {"int32": 1, "int64": 0, "string": "x"}
    rows = [
        {c.name: fill.get(str(c.type), []) for c in CHARGES if not c.nullable} | {"code": code, "hcpcs": code}
        for code in codes
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema(CHARGES))


def groups_scanned(path: Path, code: str) -> tuple[int, int]:
    asked = f"EXPLAIN ANALYZE SELECT charge_id FROM '{path}' WHERE hcpcs = '{code}'"
    plan = duckdb.connect().execute(asked).fetchall()[0][1]
    scanned, groups = re.findall(r"Row Groups Scanned: (\d+) / (\d+)", plan)[0]
    return int(scanned), int(groups)


def test_row_groups_without_a_code_are_not_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "charges", CHARGES)
    shelf.add(charges([f"{n * 7919 % 100_000:05}" for n in range(50_000)]))  # every group from 00000 to 99999
    shelf.close()
    path = tmp_path / "charges.parquet"
    for code in (f"{12_345 * 7919 % 100_000:05}", "50000X"):
        scanned, groups = groups_scanned(path, code)
        assert groups == 7
        assert scanned <= 2  # one of twenty groups is read in vain


def test_rows_that_wait_do_not_keep_the_arrays_they_were_cut_from(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "charges", CHARGES)
    before = pa.total_allocated_bytes()
    for _ in range(5):
        much = charges(["99213", *["0" * 1000] * 5000])
        shelf.add(much.slice(0, 1))
    del much
    assert pa.total_allocated_bytes() - before < 2_000_000
    shelf.close()
    assert pq.read_table(tmp_path / "charges.parquet")["code"].to_pylist() == ["99213"] * 5


def test_a_shelf_without_rows_leaves_no_file(tmp_path: Path) -> None:
    Shelf(tmp_path, "charges", CHARGES).close()
    assert not list(tmp_path.iterdir())
