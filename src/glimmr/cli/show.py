"""How things look in a terminal: tables, sizes, and JSON where a machine reads."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glimmr.outcomes import MEANINGS, Outcome

_LEAST_WIDTH = 8  # of a column in which something can be read
_FILE_WIDTH = 200  # of a table that goes to a file or a pipe
_PRICES_WIDTH = 100  # of a terminal that has room for what a code means, too
_LONGEST_WHY = 1000  # letters of a message: a list may name an address of any length
_LONG_WORD = re.compile(r"[^\s:]{1000,}")
_SHOWN_OF_A_WORD = 200
_TAB = 9
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code != _TAB}
# What ends a line (U+2028, U+2029) or turns its direction (Unicode UAX 9).
_UNSEEN = {code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}
_STEERING = _CONTROL | _UNSEEN
# JSON itself escapes what is below a space.
_JSON = {code: f"\\u{code:04x}" for code in (*range(127, 160), *_UNSEEN)}


def clean(value: Any) -> str:
    """The value as one line that cannot steer a terminal (RELIABILITY S15: a hospital may be named with an escape).

    Control characters are escaped, and so is what ends a line elsewhere or reverses the direction of the text after it.
    """
    text = "" if value is None else str(value)
    return text if text.isascii() and text.isprintable() else text.translate(_STEERING)  # mostly there is nothing


def clean_lines(value: Any) -> str:
    """As `clean`, but its lines stay lines, indented from the second on: none can pass for a line of ours."""
    return "\n  ".join(map(clean, str(value).split("\n")))


def why(message: Any) -> str:
    """What went wrong, as `clean`; of an address of any length as much as somebody reads."""
    return _with_short_words(clean(message))


def _with_short_words(text: str) -> str:
    return _LONG_WORD.sub(lambda word: f"{word[0][:_SHOWN_OF_A_WORD]}… ({len(word[0]):,} letters)", text)


def size(size_bytes: float) -> str:
    """A size as people read it: `3.2 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size_bytes < 1000 or unit == "TB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def several(count: int, one: str, more: str = "") -> str:
    """So many of something: `1 file`, `2,000 files`; `more` where an s does not make the plural."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def moment(when: datetime | None) -> str:
    """A moment as people read it: `2026-11-30 19:36 UTC`."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else ""


def as_json(value: Any) -> None:
    """Print the value as JSON: money as text, so that nobody's parser makes it a float; moments as ISO 8601."""
    typer.echo(json_text(value))


def json_text(value: Any) -> str:
    """The JSON that `as_json` prints; it cannot steer a terminal either."""
    return json.dumps(_finite(value), default=_plain, ensure_ascii=False, indent=2).translate(_JSON)


def one_line_json(value: Any) -> str:
    """The same in one line: for a log."""
    try:
        told = _ONE_LINE.encode(value).decode()
    except (ValueError, TypeError, OverflowError):  # half a character, or a number or key that is beyond it: all rare
        told = json.dumps(_finite(value), default=_plain, ensure_ascii=False, separators=(",", ":"))
    return told if told.isascii() and "\x7f" not in told else told.translate(_JSON)  # which takes as long as the rest


def _finite(value: Any) -> Any:
    """The same with the floats that JSON has no number for (RFC 8259) as text."""
    if isinstance(value, Mapping):
        told: Mapping[Any, Any] = value
        return {key: _finite(one) for key, one in told.items()}
    if isinstance(value, list | tuple):
        several: Sequence[Any] = value
        return [_finite(one) for one in several]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


_ONE_LINE = msgspec.json.Encoder(enc_hook=_plain)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to who started the command what a closed output means: rich itself would end with 1."""
        raise BrokenPipeError


def as_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[str] = (),
    most: Mapping[str, int] | None = None,
) -> None:
    """Print rows under column names; numbers stand right. On a terminal, `most` letters of a column are shown.

    Where there is little room, long texts are broken into lines rather than numbers, dates and words; where there is
    none for so many columns, every value gets a line of its own.
    """
    console = _Console(highlight=False)
    if not console.is_terminal:
        console.width, most = _FILE_WIDTH, None
    rows = list(rows)
    if rows and len(columns) * _LEAST_WIDTH > console.width:
        _one_below_the_other(columns, rows)
        return
    numbers = set(right)
    cut = [
        [_short(clean(cell), (most or {}).get(name)) for name, cell in zip(columns, row, strict=True)] for row in rows
    ]
    whole = _whole(columns, cut, numbers, console.width)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for n, name in enumerate(columns):
        justify = "right" if name in numbers else "left"
        table.add_column(Text(clean(name)), justify=justify, overflow="fold", no_wrap=n in whole)
    for row in cut:
        table.add_row(*map(Text, row))
    console.print(table)


def _whole(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str], width: int) -> set[int]:
    """The columns whose values stay in one line: numbers first, then the narrowest, while the others can be read."""
    wide = [max(map(cell_len, (clean(name), *(row[n] for row in rows)))) for n, name in enumerate(columns)]
    left, whole = width - 2 * len(columns), set[int]()
    others = sum(min(_LEAST_WIDTH, most) for most in wide)
    for n, most in sorted(enumerate(wide), key=lambda one: (columns[one[0]] not in numbers, one[1])):
        others -= min(_LEAST_WIDTH, most)
        if most + others > left:
            break
        left -= most
        whole.add(n)
    return whole


def without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The same without the columns in which nothing is said."""
    told = [n for n in range(len(columns)) if any(row[n] not in (None, "") for row in rows)]
    return tuple(columns[n] for n in told), [tuple(row[n] for n in told) for row in rows]


def _one_below_the_other(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A value a line, as psql does, a blank line between rows; what is empty is left out."""
    names = [clean(name) for name in columns]
    width = max(map(len, names))
    for row in rows:
        for name, value in zip(names, row, strict=True):
            if value is not None and value != "":
                typer.echo(f"{name:{width}}  {clean(value)}")
        typer.echo()


def _short(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else text[: most - 1] + "…"


def money(amount: Decimal | None) -> str:
    """An amount in US dollars, with at least two decimals and none that it does not have."""
    if amount is None:
        return ""
    text = f"{amount.normalize():,f}"
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"


def without_address(message: str | None, url: str | None) -> str:
    """What an error says, where the address that it begins with is told beside it."""
    return _with_short_words((message or "").removeprefix(f"{url}: "))


def prices(rows: Iterable[Any]) -> None:
    """Print prices of codes, one a line: who charges how much to whom, as of when, and in which cell it stands."""
    columns = ("hospital", "st", "code", "what", "payer, plan", "kind", "amount", "file date", "source")
    shown = (
        (
            row.hospital,
            row.state,
            row.code,
            f"{row.description or ''} {row.setting or ''}".strip(),
            ", ".join(filter(None, (row.payer, row.plan))),
            row.kind,
            _amount(row),
            row.last_updated_on,
            f"{row.member or ''} {row.source_pos}".strip(),
        )
        for row in rows
    )
    console = Console()
    if console.is_terminal and console.width < _PRICES_WIDTH:
        what = columns.index("what")
        columns, shown = _without(columns, what), (_without(row, what) for row in shown)
    as_table(columns, shown, right=("amount",), most={"hospital": 21, "what": 10, "payer, plan": 20, "source": 11})


def _without(row: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return row[:n] + row[n + 1 :]


def _amount(row: Any) -> str:
    if row.amount is not None:
        return money(row.amount)
    return f"{row.percentage.normalize():f} %" if row.percentage is not None else (row.algorithm or "")[:24]


def skipped(reasons: Mapping[str, int], *, err: bool = False) -> None:
    """Print how many records of the sources cannot be used, and why."""
    for reason, count in reasons.items():
        typer.echo(f"  skipped {count:,}: {_short(clean(reason), _LONGEST_WHY)}", err=err)


def silent(failed: Collection[Mapping[str, Any]], most: int) -> None:
    """Print which sources could not say anything of which places, and why; at most that many."""
    for one in list(failed)[:most]:
        again = f" (asked again {one['next_try_at']:%Y-%m-%d %H:%M} UTC)" if one["next_try_at"] else ""
        why = _short(clean(one["message"]), _LONGEST_WHY)
        typer.echo(f"  {one['source']} said nothing of {clean(one['place'])}{again}\n    {why}")
    if len(failed) > most:
        typer.echo(f"  … and {len(failed) - most:,} more: `glimmr jobs --step scan`")


def not_all_yet(questions: int) -> None:
    """Say so where sources have not answered that many questions: who is missing may only be unknown yet."""
    if questions:
        open_ = several(questions, "question to a source has", "questions to sources have")
        typer.echo(f"{open_} no answer yet, so this is not all: `glimmr jobs --step scan`")


def troubled(files: Collection[Mapping[str, Any]], most: int | None = None) -> None:
    """Print the addresses that did not end well, and why; at most that many."""
    for file in list(files)[:most]:
        again = f" (asked again {file['next_try_at']:%Y-%m-%d %H:%M} UTC)" if file["next_try_at"] else ""
        said = without_address(file["message"], file["url"]) or MEANINGS[Outcome(file["outcome"])].text
        why = _short(clean(f"{file['url']}: {said}"), _LONGEST_WHY)
        typer.echo(f"  {file['outcome']}: {clean(file['hospital'])}, {file['place']}{again}\n    {why}")
    if most is not None and len(files) > most:
        typer.echo(f"  … and {len(files) - most:,} more: `glimmr status`")
