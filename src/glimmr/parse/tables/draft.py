"""One table of a batch while it is made: its columns, its flags, and what goes to `extra`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from glimmr.parse.tables import flags
from glimmr.parse.tables.amounts import Amounts, Bools, Ints, valid_mask
from glimmr.price_table import EXTRA, Column

TextsOf = Callable[[Ints], pa.Array]  # row indices → the texts published there
Label = str | TextsOf  # a published column name: one for all rows, or one for each


def texts_of(texts: pa.Array) -> TextsOf:
    """How the texts of an array are looked up again."""
    return lambda rows: texts.take(pa.array(rows))


@dataclass(frozen=True, slots=True)
class Kept:
    """Texts that go to `extra`: their rows (ascending), under which names, and why (a flag, or None)."""

    rows: Ints
    labels: str | pa.Array
    texts: pa.Array
    flag: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What the columns no longer show: at these rows (ascending) column `name` was published so that `code` fits.

    `texts` are what stands there, at least for the first few rows.
    """

    code: str
    name: str
    rows: Ints
    texts: pa.Array


class Draft:
    """Columns of `charges` or `rates` for some rows. A column never put is null."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.columns: dict[str, pa.Array] = {}
        self.bits: Ints | None = None
        self.kept: list[Kept] = []
        self.marks: list[Mark] = []
        self.unread: dict[str, Ints] = {}  # money column → rows where something stands that gave no amount
        self.code_pairs: tuple[Ints, Ints] | None = None  # the row of each code (ascending), its type's column or -1

    def put(self, name: str, values: pa.Array) -> None:
        """Set a whole column."""
        self.columns[name] = values

    def flag(self, where: Bools | Ints, name: str) -> None:
        """Set a flag on rows given as a mask or as indices."""
        if not len(where) or (where.dtype == np.bool_ and not where.any()):
            return
        self.all_bits()[where] |= flags.BIT[name]

    def all_bits(self) -> Ints:
        """The flag bits of every row, to be changed in place."""
        if self.bits is None:
            self.bits = np.zeros(self.rows, np.int64)
        return self.bits

    def add_bits(self, bits: Ints | None) -> None:
        """OR in flag bits of every row."""
        if bits is not None:
            self.all_bits()[:] |= bits

    def keep(self, rows: Ints, labels: Label, texts: pa.Array, flag: str | None = None) -> None:
        """Texts (one for each of `rows`, ascending) that go to `extra` under `labels`."""
        if len(rows):
            self.kept.append(Kept(rows, labels if isinstance(labels, str) else labels(rows), texts, flag))

    def mark(self, code: str, name: str, rows: Ints, texts: pa.Array) -> None:
        """Remember a finding of the rules that only the published texts (those of the first `rows`) show."""
        if len(rows):
            self.marks.append(Mark(code, name, rows, texts))

    def code_column(self, row: int, at: int) -> int | None:
        """In which column (from 0) the type of a row's code number `at` (from 0) was published, where that is known."""
        if self.code_pairs is None:
            return None
        owners, columns = self.code_pairs
        found = int(columns[int(np.searchsorted(owners, row)) + at])
        return None if found < 0 else found

    def money(self, name: str, amounts: Amounts, labels: Label, published: TextsOf) -> None:
        """A money column with its flags; texts that must be kept go to `extra`."""
        self.put(name, amounts.values)
        self.add_bits(amounts.bits)
        if amounts.bits is not None or amounts.kept is not None:
            self.unread[name] = _unread(amounts)
        if amounts.kept is not None:
            self.keep(amounts.kept, labels, published(amounts.kept), "bad_number")

    def table(self, columns: tuple[Column, ...]) -> dict[str, pa.Array]:
        """The finished columns of the price table, except those the writer gives (ids, member, file)."""
        done = {c.name: self.columns.get(c.name, None) for c in columns}
        done["flags"] = flags.as_lists(self.bits, self.rows)
        done["extra"] = extra(self.rows, self.kept)
        types = {c.name: c.type for c in columns}
        return {name: pa.nulls(self.rows, types[name]) if array is None else array for name, array in done.items()}


def _unread(amounts: Amounts) -> Ints:
    """Rows of texts that are no number, too large a one, or nine nines."""
    rows = np.zeros(len(amounts.values), np.bool_)
    if amounts.bits is not None:
        rows |= amounts.bits & flags.BIT["sentinel_nine_nines"] != 0
    if amounts.kept is not None:
        rows[amounts.kept] = True
    return np.flatnonzero(rows & ~valid_mask(amounts.values))


def extra(rows: int, kept: list[Kept]) -> pa.Array:
    """The `extra` column: a map per row, null where nothing was kept."""
    if not kept:
        return pa.nulls(rows, EXTRA)
    owners = np.concatenate([k.rows for k in kept])
    names = pa.concat_arrays(
        [pa.repeat(pa.scalar(k.labels), len(k.rows)) if isinstance(k.labels, str) else k.labels for k in kept]
    )
    texts = pa.concat_arrays([k.texts for k in kept])
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    index = pa.array(order)
    return pa.MapArray.from_arrays(
        pa.array(offsets), names.take(index), texts.take(index), type=EXTRA, mask=pa.array(counts == 0)
    )
