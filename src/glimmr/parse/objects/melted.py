"""Records that hold one price each and say in another column which: `{"code": …, "type": "cash", "price": 10}`."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.vocabulary import PRICES, named

_KINDS = {
    "gross": "gross", "gross charge": "gross", "standard": "gross", "list": "gross", "cash": "cash",
    "discounted cash": "cash", "self pay": "cash", "self-pay": "cash", "min": "minimum", "minimum": "minimum",
    "max": "maximum", "maximum": "maximum", "negotiated": "negotiated",
}  # fmt: skip


def unmelted(names: list[str], rows: Iterator[Rows], first: Rows) -> tuple[list[str], Iterator[Rows]]:
    """(names, all rows) with a column for each kind of price, where records hold one each; else as they are.

    The column of kinds stays as published; a price of no known kind stays under the published name.
    """
    kind, price = _found(names, first)
    if kind is None or price is None:
        return names, _after(first, rows)
    kinds = list(dict.fromkeys(_KINDS.values()))
    wider = [*names, *(f"{one} {names[price]}" for one in kinds)]
    return wider, map(_spread(kind, price, kinds), _after(first, rows))


def _after(first: Rows, rows: Iterator[Rows]) -> Iterator[Rows]:
    yield first
    yield from rows


def _found(names: Sequence[str], rows: Rows) -> tuple[int | None, int | None]:
    """The column of kinds and that of prices, when there is one of each."""
    prices = [at for at, name in enumerate(names) if named(name).role in PRICES]
    kinds = [at for at, column in enumerate(rows.columns) if at not in prices and _says_kinds(column)]
    return (kinds[0], prices[0]) if len(prices) == len(kinds) == 1 else (None, None)


def _says_kinds(column: pa.Array) -> bool:
    said = {None if text is None else text.casefold() for text in column.unique().to_pylist()}
    return len(said) > 1 and said <= _KINDS.keys()


def _spread(kind: int, price: int, kinds: Sequence[str]) -> Callable[[Rows], Rows]:
    def spread(rows: Rows) -> Rows:
        said = pc.utf8_lower(rows.columns[kind])
        prices = rows.columns[price]
        taken = pa.array([False] * len(rows))
        made: list[pa.Array] = []
        for one in kinds:
            spelled = pa.array([text for text, meant in _KINDS.items() if meant == one])
            here = pc.is_in(said, value_set=spelled)
            taken = pc.or_(taken, here)
            made.append(pc.if_else(here, prices, pa.scalar(None, pa.string())))
        left = pc.if_else(taken, pa.scalar(None, pa.string()), prices)
        columns = [left if at == price else column for at, column in enumerate(rows.columns)]
        return Rows([*columns, *made], rows.numbers, rows.bits, rows.more, rows.parts)

    return spread
