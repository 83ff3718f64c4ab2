"""Where DuckDB reads the four tables: the one place to change when they lie in a bucket instead of a folder."""

from collections.abc import Sequence

import pyarrow as pa

from glimmr.price_table import TABLES

_PLAIN = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def relation(table: str, uris: Sequence[str]) -> str:
    """A SELECT of all columns of a table from its objects; of no row, with the same types, when there are none."""
    if not uris:
        columns = ", ".join(f"NULL::{duckdb_type(c.type)} AS {c.name}" for c in TABLES[table])
        return f"SELECT {columns} WHERE false"
    names = ", ".join(column.name for column in TABLES[table])
    return f"SELECT {names} FROM read_parquet({listed(uris)}, hive_partitioning = false)"  # noqa: S608 (quoted)


def listed(texts: Sequence[str]) -> str:
    """A SQL list of texts."""
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def duckdb_type(kind: pa.DataType) -> str:
    """The DuckDB name of an Arrow type of the price table."""
    if isinstance(kind, pa.Decimal128Type):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if isinstance(kind, pa.MapType):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    if isinstance(kind, pa.ListType):
        return f"{duckdb_type(kind.value_type)}[]"
    if isinstance(kind, pa.StructType):
        return "STRUCT(" + ", ".join(f'"{part.name}" {duckdb_type(part.type)}' for part in kind) + ")"
    return _PLAIN[kind]
