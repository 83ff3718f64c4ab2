"""Rows of text fitted into any width: what matters least is left out first, what is too long is cut."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from glimmr.cli.show import clean

_GAP = 2
_LEAST_WIDTH = 24  # of the column that takes what the others leave


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, which ones go first where there is no room (the highest `rank`), and how it is set."""

    name: str
    rank: int = 0  # 0 stays whatever happens
    right: bool = False
    takes_rest: bool = False  # it is cut, or made wider, as the others let it


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int) -> list[str]:
    """The names, then the rows, a line each, none wider than `width` cells. A column without values is left out."""
    cells = [[clean(value) for value in row] for row in rows]
    wide = [max((cell_len(row[n]) for row in cells), default=0) for n in range(len(columns))]
    widths = {n: max(cell_len(columns[n].name), most) for n, most in enumerate(wide) if most}
    while _least(columns, widths) > width and (gone := _least_wanted(columns, widths)) is not None:
        del widths[gone]
    _share_out(columns, widths, width)
    heading = [column.name for column in columns]
    return [_set_out(columns, row, widths, width) for row in (heading, *cells)]


def _least(columns: Sequence[Column], widths: dict[int, int]) -> int:
    """The width below which something must go."""
    least = (min(_LEAST_WIDTH, wide) if columns[n].takes_rest else wide for n, wide in widths.items())
    return sum(least) + _GAP * (len(widths) - 1)


def _least_wanted(columns: Sequence[Column], widths: dict[int, int]) -> int | None:
    spare = [n for n in widths if columns[n].rank]
    return max(spare, key=lambda n: (columns[n].rank, n), default=None)


def _share_out(columns: Sequence[Column], widths: dict[int, int], width: int) -> None:
    over = sum(widths.values()) + _GAP * (len(widths) - 1) - width
    for n, wide in widths.items():
        if columns[n].takes_rest and over > 0:
            widths[n] = max(1, wide - over)


def _set_out(columns: Sequence[Column], row: Sequence[str], widths: dict[int, int], width: int) -> str:
    cells = (_cell(row[n], wide, right=columns[n].right) for n, wide in widths.items())
    return _cut((" " * _GAP).join(cells).rstrip(), width)


def _cell(text: str, width: int, *, right: bool) -> str:
    text = _cut(text, width)
    return " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"
