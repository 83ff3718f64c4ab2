"""A look at the head of a file: what it is, what it says of itself, its first prices - whatever its size."""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glimmr.errors import ContentError
from glimmr.model import Look
from glimmr.parse.limits import Limits
from glimmr.parse.reading import read_file
from glimmr.sniff import HEAD_BYTES, Kind, sniff

_BLOCK_BYTES = 256 * 1024
_OF_CHARGE = (
    "source_pos", "description", "code", "code_type", "setting", "gross_charge", "discounted_cash", "min_negotiated",
    "max_negotiated",
)  # fmt: skip
_OF_RATE = (
    "source_pos", "payer_name", "plan_name", "negotiated_dollar", "negotiated_percentage", "negotiated_algorithm",
    "methodology",
)  # fmt: skip


def look(path: Path, rows: int, version: str, near: Path | None, seconds: float) -> Look:
    """Read the head of a file with the parser itself, which stops after `rows` items of each member, or some seconds.

    What it needs meanwhile lies in a folder in `near`; None: where the system has such.
    Raises StorageFault when the file cannot be read.
    """
    kind = Kind.UNKNOWN
    with path.open("rb") as file, contextlib.suppress(ContentError):
        kind = sniff(file.read(HEAD_BYTES))
    limits = Limits(head_items=max(1, rows), head_seconds=seconds, block_bytes=_BLOCK_BYTES)
    with tempfile.TemporaryDirectory(prefix="glimmr-", dir=near) as folder:
        # The sha256 of the whole file would take longer than the look.
        report = read_file(path, Path(folder), file_id="head", limits=limits, tell=_silent, version=version)
        return Look(kind=kind.value, report=report, rows=_first_rows(Path(folder), rows) if rows else [])


def _silent(**progress: Any) -> None:
    del progress


def _first_rows(folder: Path, most: int) -> list[dict[str, Any]]:
    """The first charges, each with its rates, as far as they fit into `most` rows."""
    charges = _read(folder / "charges.parquet", ("charge_id", *_OF_CHARGE), most)
    rates = _read(folder / "rates.parquet", ("charge_id", *_OF_RATE), most)
    found: list[dict[str, Any]] = []
    for charge in charges:
        own = [rate for rate in rates if rate["charge_id"] == charge["charge_id"]]
        found += [charge | rate for rate in own] or [charge]
    return [{name: value for name, value in row.items() if name != "charge_id"} for row in found[:most]]


def _read(path: Path, columns: tuple[str, ...], most: int) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=max(1, most), columns=list(columns)), None)
    return [] if batch is None else batch.slice(0, most).to_pylist()
