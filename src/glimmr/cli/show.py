"""How things look in a terminal: tables, sizes, and JSON where a machine reads."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


def clean(value: Any) -> str:
    """The value as text that cannot steer a terminal (RELIABILITY S15: a hospital may be named with an escape)."""
    return "" if value is None else str(value).translate(_CONTROL)


def size(size_bytes: float) -> str:
    """A size as people read it: `3.2 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size_bytes < 1000 or unit == "TB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def as_json(value: Any) -> None:
    """Print the value as JSON: money as text, so that nobody's parser makes it a float; moments as ISO 8601."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


def as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Print rows under column names; numbers stand right."""
    console = Console(highlight=False, soft_wrap=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in set(right) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def money(amount: Decimal | None) -> str:
    """An amount in US dollars, with at least two decimals and none that it does not have."""
    if amount is None:
        return ""
    text = f"{amount.normalize():,f}"
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"


def prices(rows: Iterable[Any]) -> None:
    """Print prices of codes, one a line: who charges how much to whom, as of when, and in which cell it stands."""
    columns = ("hospital", "st", "code", "what", "payer", "plan", "kind", "amount", "how", "file date", "source")
    as_table(
        columns,
        (
            (
                row.hospital,
                row.state,
                row.code,
                f"{(row.description or '')[:32]} {row.setting or ''}".strip(),
                row.payer,
                row.plan,
                row.kind,
                _amount(row),
                row.methodology,
                row.last_updated_on,
                f"{row.member or ''} {row.source_pos}".strip(),
            )
            for row in rows
        ),
        right=("amount",),
    )


def _amount(row: Any) -> str:
    if row.amount is not None:
        return money(row.amount)
    return f"{row.percentage.normalize():f} %" if row.percentage is not None else (row.algorithm or "")[:24]
