"""Room 5: ask the price table."""

from pathlib import Path

from glimmr.query.answers import Answer, Price
from glimmr.query.flat import write_flat
from glimmr.query.table import PriceTable, Rows
from glimmr.stores.lake import Lake

__all__ = ["Answer", "Price", "PriceTable", "Rows", "query", "write_flat"]


def query(lake: Lake, scratch: Path | None = None) -> PriceTable:
    """The price table as it is now; a context manager. `scratch`: where DuckDB may spill. Raises StorageFault."""
    return PriceTable(lake, scratch)
