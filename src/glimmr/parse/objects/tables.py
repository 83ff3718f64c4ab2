"""Items in blocks → tables: the names of their columns, and rows of texts under them."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from glimmr.parse.objects.flatten import Flat, Flattener, as_json
from glimmr.parse.objects.signs import is_scalar
from glimmr.parse.tables.amounts import Ints, blank_to_null, valid_mask
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.vocabulary import Role, named, words

Items = tuple[Sequence[int], list[Any]]  # the numbers of some items, and the items (objects of any shape)
Table = tuple[list[str], Iterator[Rows]]
_MOST_SETS = 50  # column sets of one list; keys that appear later still are kept in `more`
_MANY_COLUMNS = 500  # beyond, a key of one record in a hundred is no column
_MOST_COLUMNS = 5000
_MOST_ROWS = 50_000  # in one batch: items with very many parts multiply
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class _Records:
    """Flat records, the number of the item each is of, and its number within that (-1: it has no parts)."""

    records: list[Flat]
    numbers: list[int]
    parts: list[int]


def tables(blocks: Iterable[Items], rename: Callable[[list[str]], list[str]] = list) -> Iterator[Table]:
    """The tables of a list of items: (names, rows). A new one begins where a block brings keys not seen before.

    Numbers keep every digit, objects inside are flattened (`Flattener`). Each table's rows must be used up (or
    drained) before the next is asked for. `rename` has the last word on the names.
    """
    flattener = Flattener()
    waiting = (records for block in blocks for records in _in_pieces(_flat(block, flattener)))
    names: dict[str, None] = {}
    for made in itertools.count(1):
        first = next(waiting, None)
        if first is None:
            return
        names.update(dict.fromkeys(_fresh(names, first)))
        source = _Source(first, waiting, list(names), last=made >= _MOST_SETS)
        yield rename(_shown(list(names), flattener.part_names)), source.rows()
        if source.left is not None:
            waiting = itertools.chain([source.left], waiting)


class _Source:
    """The rows under one set of names; ends where other names come (`left`)."""

    def __init__(self, first: _Records, following: Iterator[_Records], names: list[str], *, last: bool) -> None:
        self._first = first
        self._following = following
        self._names = names
        self._last = last
        self.left: _Records | None = None

    def rows(self) -> Iterator[Rows]:
        yield _rows(self._first, self._names)
        known = dict.fromkeys(self._names)
        for records in self._following:
            if not self._last and _fresh(known, records):
                self.left = records
                return
            yield _rows(records, self._names)


def _flat(block: Items, flattener: Flattener) -> _Records:
    numbers, items = block
    if all(map(is_scalar, itertools.chain.from_iterable(item.values() for item in items))):
        return _Records(items, list(numbers), [-1] * len(items))
    made = _Records([], [], [])
    for number, item in zip(numbers, items, strict=True):
        records, are_parts = flattener.flat(item)
        made.records.extend(records)
        made.numbers.extend([number] * len(records))
        made.parts.extend(range(len(records)) if are_parts else [-1])
    return made


def _in_pieces(records: _Records) -> Iterator[_Records]:
    """At most so many rows at a time, an item never cut."""
    start, size = 0, len(records.records)
    widest = max(map(len, records.records), default=1)
    most = min(_MOST_ROWS, max(1, _MOST_CELLS // max(1, widest)))
    while start < size:
        end = min(start + most, size)
        while end < size and records.parts[end] > 0:
            end += 1
        yield _Records(records.records[start:end], records.numbers[start:end], records.parts[start:end])
        start = end


def _fresh(names: dict[str, None], records: _Records) -> list[str]:
    """New names that are worth a column: of very many, only those that are not rare."""
    known = names.keys()
    odd = [record for record in records.records if not known >= record.keys()]
    uses = Counter(name for record in odd for name in record if name not in names)
    few = len(names) + len(uses) <= _MANY_COLUMNS
    least = 1 if few else max(1, len(records.records) // 100)
    return [name for name, count in uses.items() if count >= least][: max(0, _MOST_COLUMNS - len(names))]


def _rows(records: _Records, names: list[str]) -> Rows:
    columns = [_texts([record.get(name) for record in records.records]) for name in names]
    more = _beyond(records.records, frozenset(names))
    parts = np.array(records.parts, np.int64)
    numbers = np.array(records.numbers, np.int64)
    filled = np.zeros(len(numbers), np.bool_)
    for column in columns if more is None else [*columns, more]:
        filled |= valid_mask(column)
    if not filled.all():  # an object without any value is a blank record
        keep = pa.array(np.flatnonzero(filled))
        columns = [column.take(keep) for column in columns]
        more = None if more is None else more.take(keep)
        parts, numbers = parts[filled], numbers[filled]
    bits: Ints = np.zeros(len(numbers), np.int64)
    return Rows(columns, numbers, bits, more, parts if (parts >= 0).any() else None)


def _beyond(records: list[Flat], known: frozenset[str]) -> pa.Array | None:
    """What stands under keys that have no column, as JSON."""
    if all(known.issuperset(record) for record in records):
        return None
    rests = [{key: value for key, value in record.items() if key not in known} for record in records]
    return pa.array([as_text(as_json(rest)) if rest else None for rest in rests], pa.string())


def _texts(values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, UnicodeEncodeError):
        array = pa.array([as_text(value) for value in values], pa.string())
    return blank_to_null(array)


def as_text(value: Any) -> str | None:
    """A scalar as text; None for nothing. Half a surrogate pair, which no text may hold, becomes `?`."""
    if value is None:
        return None
    text = str(value) if isinstance(value, str) else as_json(value)
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _shown(names: list[str], part_names: dict[str, None]) -> list[str]:
    """Names of parts without the names of what they stand in, where that leaves them clear and unique.

    A bare `rate` or `price` beside a payer is what that payer has negotiated: the name says so.
    """
    short = {name: name.rsplit(".", 1)[-1] for name in names if name in part_names}
    uses = Counter([*short.values(), *(name for name in names if name not in short)])
    payers = {name.rpartition(".")[0] for name, bare in short.items() if named(bare).role in {Role.PAYER, Role.PLAN}}
    shown: dict[str, None] = {}
    for name in names:
        bare = short.get(name, name)
        if name in short and (len(words(bare)) == 1 or uses[bare] > 1):  # `Charge` alone says little
            longer = ".".join(name.split(".")[-2:])
            if name.rpartition(".")[0] in payers and named(bare).role is Role.GROSS:
                bare = longer if named(longer).role is Role.NEGOTIATED else f"negotiated {longer}"
            elif uses[bare] > 1 or named(longer).role is named(bare).role:
                bare = longer
        chosen = name if bare in shown else bare
        while chosen in shown:
            chosen += " (2)"
        shown[chosen] = None
    return [as_text(name) or "" for name in shown]
