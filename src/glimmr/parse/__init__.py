"""Room 3: bytes in, charges and rates out. Never fails for a bad row, and every file ends in an outcome."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from glimmr.model import FileReport, Look
from glimmr.parse.lean import lean
from glimmr.parse.limits import Limits

PARSER_VERSION = "3"

__all__ = ["PARSER_VERSION", "Limits", "inspect", "inspect_in_child", "parse", "parse_in_child"]


_DEFAULTS = Limits()


def _silent(**progress: Any) -> None:
    del progress


def parse(
    path: Path,
    to: Path,
    *,
    file_id: str | None = None,
    limits: Limits = _DEFAULTS,
    tell: Callable[..., None] = _silent,
) -> FileReport:
    """Read the price file at `path`; write `charges.parquet`, `rates.parquet` (and `rejects.parquet`) into `to`.

    The tables are `glimmr.price_table`'s; the files are there only when they have rows. `file_id` is the sha256 (hex)
    of the bytes, computed when None. `tell(bytes=…, total=…, rows=…)` is called once a second at most, never
    going back, and at the end, whenever that is, with the whole; what it raises ends the work.
    Bad content is never raised: it is the report's outcome and reason.
    Raises NotReconciled for a bug of ours, StorageFault or DiskFull when `path` or `to` fail.
    """
    from glimmr.parse.reading import read_file  # noqa: PLC0415 - Arrow and numpy are heavy; `--help` does not need them

    return read_file(path, to, file_id=file_id, limits=limits, tell=tell, version=PARSER_VERSION)


def inspect(path: Path, rows: int = 5, *, near: Path | None = None, seconds: float = 0.4) -> Look:
    """What the head of a file shows, in well under a second whatever its size; at most `rows` of its rows.

    A folder for what it needs meanwhile is made, and removed again, in `near`; None: where the system has such.
    Raises StorageFault when it cannot be read.
    """
    from glimmr.parse.look import look  # noqa: PLC0415 - as heavy as the parser

    return look(path, rows, PARSER_VERSION, near, seconds)


def parse_in_child(
    tell: Callable[..., None], *, path: str, to: str, file_id: str | None, limits: dict[str, Any]
) -> dict[str, Any]:
    """`parse` for a child process: plain JSON types in and out (`limits` are fields of Limits; absent ones default)."""
    with lean():
        return parse(Path(path), Path(to), file_id=file_id, limits=Limits(**limits), tell=tell).as_dict()


def inspect_in_child(tell: Callable[..., None], *, path: str, seconds: float) -> dict[str, Any]:
    """The report of `inspect` for a child process, as plain JSON types."""
    del tell
    with lean():
        return inspect(Path(path), 0, near=Path(path).parent, seconds=seconds).report.as_dict()
