"""What the log says of a Parquet object, so that readers can skip it: rows, smallest, largest, NULLs per column."""

import json
import time
from typing import Any

import pyarrow.parquet as pq
from deltalake.transaction import AddAction

USEFUL = ("charge_id", "code", "code_type", "hcpcs", "ms_drg", "ndc", "rev_code", "setting", "rate_id", "payer_name")
"""Columns worth statistics: what people filter by, and the ids."""


def add_action(path: str, size_bytes: int, footer: pq.FileMetaData, file_id: str | None) -> AddAction:
    """The log entry of one object (Delta protocol: Add File, Per-file Statistics)."""
    return AddAction(
        path=path,
        size=size_bytes,
        partition_values={"file_id": file_id} if file_id is not None else {},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(statistics(footer)),
    )


def statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """`numRecords`, `minValues`, `maxValues`, `nullCount` of the useful columns; a column nobody knows is left out."""
    stats: dict[str, Any] = {"numRecords": footer.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    paths = {footer.schema.column(index).path: index for index in range(footer.num_columns)}
    for name in USEFUL:
        if name in paths:
            _column(stats, footer, name, paths[name])
    return stats


def _column(stats: dict[str, Any], footer: pq.FileMetaData, name: str, index: int) -> None:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    chunks = [(group.num_rows, group.column(index).statistics) for group in groups]
    if any(known is None or not known.has_null_count for _, known in chunks):
        return
    stats["nullCount"][name] = sum(known.null_count for _, known in chunks)
    filled = [known for rows, known in chunks if known.null_count < rows]
    if filled and all(known.has_min_max for known in filled):
        stats["minValues"][name] = min(known.min for known in filled)
        stats["maxValues"][name] = max(known.max for known in filled)
