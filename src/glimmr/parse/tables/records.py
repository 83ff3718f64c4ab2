"""Delimited text → columns of text: the fast way for regular blocks, record by record for everything else."""

import bisect
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from glimmr.errors import Unparseable
from glimmr.parse.tables.amounts import Ints, blanks_to_null, valid_mask
from glimmr.parse.tables.blanks import is_trimmed
from glimmr.parse.tables.flags import BIT
from glimmr.parse.text import TextBlock

csv.field_size_limit(sys.maxsize)
_CUT_LINES = 20  # a cell that the end of the file cut has at most so many lines
# Cells made at a time: a block of nothing but line ends would otherwise become millions of records of all columns.
_MOST_CELLS = 4_000_000
_FEWEST_RECORDS = 100
_JOINED_LINES = 1000  # a quoted cell may span so many lines; beyond, its quote counts as never closed


@dataclass(frozen=True, slots=True)
class Rows:
    """Non-blank records as columns: cells trimmed, null where empty; `more` are the cells beyond the header.

    `parts` is given where one item of the source is several records (nested payers of JSON and XML): the number of each
    record within its item, -1 for an item that has none. Records of one item follow each other, with one number.
    """

    columns: list[pa.Array]
    numbers: Ints
    bits: Ints
    more: pa.Array | None = None
    parts: Ints | None = None

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Record:
    """One record read by itself: its cells, the bytes it took, flag bits."""

    cells: list[str]
    bits: int


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of one record."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


def record_spans(
    data: bytes, at: int, *, final: bool, limit_bytes: int, accept: Callable[[bytes], bool] | None = None
) -> Iterator[tuple[int, int, bool]]:
    """Records by counting quotes: (start, end without line end, whether a quote is never closed).

    Lines are joined until their quotes close; when `accept` refuses the joined record, its first line stands alone. A
    record whose quote is still open at the end of `data` is left for the next block, unless this is the last.
    """
    size = len(data)
    while at < size:
        end = data.find(b"\n", at)
        if end == -1:
            if not final:
                return
            end = size
        closed = end
        if data.count(b'"', at, end) % 2:
            closed = _closing_end(data, at, end, limit_bytes)
            if closed == size and not final and not data.endswith(b"\n") and size - at < limit_bytes:
                return
            if closed == -1 and not final and size - at < limit_bytes and data.count(b"\n", at) < _JOINED_LINES:
                return
            if closed != -1 and accept is not None and not accept(data[at:closed]):
                closed = -1
        yield at, end if closed == -1 else closed, closed == -1
        at = (end if closed == -1 else closed) + 1


def _closing_end(data: bytes, start: int, end: int, limit_bytes: int) -> int:
    """The line end at which the quotes since `start` are closed; -1 when there is none in reach."""
    size = len(data)
    odd = True
    for _ in range(_JOINED_LINES):
        if end >= size or end - start > limit_bytes:
            return -1
        following = data.find(b"\n", end + 1)
        following = size if following == -1 else following
        odd ^= data.count(b'"', end, following) % 2 == 1
        end = following
        if not odd:
            return end
    return -1


class Records:
    """Turns text blocks into Rows. `number` is the record number (from 1) of the first record it will see."""

    def __init__(self, delimiter: str, width: int, number: int, *, limit_bytes: int) -> None:
        self._delimiter = delimiter
        self._width = width
        self._number = number
        self._limit_bytes = limit_bytes
        self._names = [str(index) for index in range(width)]
        self._most_records = max(_FEWEST_RECORDS, _MOST_CELLS // max(1, width))
        self._paused = False  # more of the block waits
        self._short_seen = 0
        self.last_cut: tuple[int, str] | None = None  # number and text of a last record that looks cut

    def read(self, blocks: Iterable[TextBlock]) -> Iterator[Rows]:
        """All rows, block by block. Raises Unparseable for a record without end."""
        carry = TextBlock(b"")
        for block in blocks:
            carry = carry.then(block)
            if carry.data.strip(b"\n"):
                carry = yield from self._all_of(carry, final=False)
            else:  # blank records only: numbered, not read
                self._number += len(carry.data)
                carry = TextBlock(b"")
            if len(carry.data) > 2 * self._limit_bytes and b"\n" not in carry.data:
                raise Unparseable(f"record {self._number} is longer than any can be", reason="broken_structure")
        if carry.data:
            yield from self._all_of(self._without_cut_record(carry), final=True)

    def _all_of(self, block: TextBlock, *, final: bool) -> Generator[Rows, None, TextBlock]:
        """The rows of all whole records in `block`; returns what is left of it."""
        self._paused = True
        while self._paused and block.data:
            self._paused = False
            rows, used = self._take(block, final=final)
            block = block.after(used)
            if rows is not None and len(rows):
                yield rows
        return block

    def _take(self, block: TextBlock, *, final: bool) -> tuple[Rows | None, int]:
        data = block.data
        array = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(array == 34) if b'"' in data else np.empty(0, np.int64)
        used = len(data) if final else _last_end(data, quotes)
        if used and len(data) - used < self._limit_bytes // 4:
            quotes = quotes[: np.searchsorted(quotes, used)]
            if not len(quotes) or _regular(array[:used], quotes, ord(self._delimiter)):
                used = self._some(data, quotes, used)
                return self._fast(block, used, quotes[: np.searchsorted(quotes, used)]), used
        elif not final and len(data) < self._limit_bytes // 4:
            return None, 0  # one long record: wait for its end
        return self._slow(block, final=final)

    def _some(self, data: bytes, quotes: Ints, used: int) -> int:
        """`used`, or the end of the first records when there are far too many for one batch."""
        if data.count(b"\n", 0, used) <= 2 * self._most_records:
            return used
        ends = _record_ends(data[:used], quotes)
        if len(ends) <= self._most_records:
            return used
        self._paused = True
        return int(ends[self._most_records - 1]) + 1

    def _fast(self, block: TextBlock, used: int, quotes: Ints) -> Rows:
        """Arrow reads the block; records of another width are told by it and read by themselves."""
        odd: list[tuple[int, str, int]] = []

        def note(row: pacsv.InvalidRow) -> str:
            odd.append((row.number - 1, row.text, row.expected_columns - row.actual_columns))
            return "skip"

        regular = _read_csv(memoryview(block.data)[:used], self._names, self._delimiter, note)
        count = len(regular[0]) + len(odd)
        bits = np.zeros(count, np.int64)
        for places, flag in _marked(block):
            ends = _record_ends(block.data[:used], quotes)
            bits[np.searchsorted(ends, [at for at in places if at < used])] |= BIT[flag]
        numbers = np.arange(self._number, self._number + count)
        self._number += count
        if not odd:
            trimmed = is_trimmed(memoryview(block.data)[:used], quotes, count, ord(self._delimiter))
            return _rows(regular, numbers, bits, None, trimmed=trimmed)
        return self._merged(regular, odd, numbers, bits)

    def _merged(self, regular: list[pa.Array], odd: list[tuple[int, str, int]], numbers: Ints, bits: Ints) -> Rows:
        """Put the records of another width back between those of the right one, short ones filled up."""
        short = [(index, text, missing) for index, text, missing in odd if missing > 0]
        long = [
            (index, self._fitted(cells_of(text, self._delimiter), 0)) for index, text, missing in odd if missing <= 0
        ]
        told = [index for index, text, _ in short if text.strip(f' \t\n"{self._delimiter}')]
        bits[told] |= BIT["short_row"]
        self._short_seen += len(told)
        filled = "".join(text + self._delimiter * missing + "\n" for _, text, missing in short).encode()
        parts = [regular, _read_csv(memoryview(filled), self._names, self._delimiter)] if short else [regular]
        more: list[str | None] = [None] * len(numbers)
        for index, (record, rest) in long:
            bits[index] |= record.bits
            more[index] = rest
        if long:
            parts.append(_columns([record.cells for _, (record, _) in long], self._width))
        placed = np.zeros(len(numbers), np.bool_)
        rows = [index for index, _, _ in short] + [index for index, _ in long]
        placed[rows] = True
        order = np.argsort(np.concatenate([np.flatnonzero(~placed), np.array(rows, np.int64)]))
        index = pa.array(order)
        return _rows([pa.concat_arrays(same).take(index) for same in zip(*parts, strict=True)], numbers, bits, more)

    def _slow(self, block: TextBlock, *, final: bool) -> tuple[Rows | None, int]:
        """Record by record: for quotes that follow no rule."""
        used = 0
        records: list[tuple[Record, str | None]] = []
        for start, end, unclosed in self._spans(block.data, final=final):
            text = block.data[start:end].decode("utf-8", "replace")
            bits = 0
            for places, flag in _marked(block):
                at = bisect.bisect_left(places, start)
                bits |= BIT[flag] if at < len(places) and places[at] <= end else 0
            cells, odd = (self._unclosed(text), True) if unclosed else _strictly(text, self._delimiter)
            records.append(self._fitted(cells, bits | (BIT["unbalanced_quote"] if odd else 0)))
            used = min(end + 1, len(block.data))
            if len(records) >= self._most_records:
                self._paused = True
                break
        if not records:
            return None, used
        numbers = np.arange(self._number, self._number + len(records))
        self._number += len(records)
        columns = _columns([record.cells for record, _ in records], self._width)
        bits_array = np.array([r.bits for r, _ in records], np.int64)
        return _rows(columns, numbers, bits_array, [rest for _, rest in records]), used

    def _spans(self, data: bytes, *, final: bool) -> Iterator[tuple[int, int, bool]]:
        return record_spans(data, 0, final=final, limit_bytes=self._limit_bytes, accept=self._is_record)

    def _is_record(self, raw: bytes) -> bool:
        """Whether lines joined by a quote are one record: well formed, and as wide as the header."""
        text = io.StringIO(raw.decode("utf-8", "replace"), newline="")
        try:
            # A quote inside a cell joins nothing: csv then sees several records here, not one.
            return [len(cells) for cells in csv.reader(text, delimiter=self._delimiter, strict=True)] == [self._width]
        except csv.Error:
            return False

    def _unclosed(self, line: str) -> list[str]:
        """The cells of a line with a stray quote: split literally when that fits the header."""
        cells = cells_of(line, self._delimiter)
        literal = line.split(self._delimiter)
        if len(cells) == self._width or len(literal) != self._width:
            return cells
        return [cell.removeprefix('"').removesuffix('"').replace('""', '"') for cell in literal]

    def _fitted(self, cells: list[str], bits: int) -> tuple[Record, str | None]:
        """A record as wide as the header; what is beyond as a JSON list."""
        if len(cells) == self._width:
            return Record(cells, bits), None
        if len(cells) < self._width:
            blank = not any(cell.strip() for cell in cells)
            self._short_seen += not blank
            padded = cells + [""] * (self._width - len(cells))
            return Record(padded, bits if blank else bits | BIT["short_row"]), None
        rest = cells[self._width :]
        while rest and not rest[-1].strip():
            rest.pop()
        if not rest:
            return Record(cells[: self._width], bits), None
        return Record(cells[: self._width], bits | BIT["long_row"]), json.dumps(rest, ensure_ascii=False)

    def _without_cut_record(self, block: TextBlock) -> TextBlock:
        """A last record without line end and with fewer cells than the header, in a file of full records, was cut."""
        data = block.data
        if data.endswith(b"\n") or self._short_seen:
            return block
        spans = list(self._spans(data, final=True))
        at = len(spans) - 1
        open_quotes = [i for i, (start, end, unclosed) in enumerate(spans) if unclosed and self._opens(data[start:end])]
        if open_quotes and len(spans) - open_quotes[-1] <= _CUT_LINES:
            at = open_quotes[-1]
        start, end, _ = spans[at]
        if (
            not open_quotes
            and len(cells_of(data[start:end].decode("utf-8", "replace"), self._delimiter)) >= self._width
        ):
            return block
        self.last_cut = (self._number + at, data[start:].decode("utf-8", "replace"))
        return block.before(start)

    def _opens(self, line: bytes) -> bool:
        """Whether the last quote of a line opens a cell."""
        at = line.rfind(b'"')
        return at == 0 or line[at - 1 : at] == self._delimiter.encode()


def _marked(block: TextBlock) -> Iterator[tuple[tuple[int, ...], str]]:
    """Where what was done to the text flags its records."""
    if block.recoded:
        yield block.recoded, "recoded"
    if block.without_nul:
        yield block.without_nul, "nul_removed"


def _strictly(text: str, delimiter: str) -> tuple[list[str], bool]:
    """The cells of one record, and whether other text than blanks follows a closing quote, which is lost then."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), []), False
    except csv.Error:
        ended = re.sub(rf'"[ \t]+(?={re.escape(delimiter)}|$)', '"', text)
        return cells_of(text, delimiter), ended == text or _strictly(ended, delimiter)[1]


def _columns(records: Sequence[Sequence[str]], width: int) -> list[pa.Array]:
    """Records of cells as columns; an empty cell is null."""
    return [pa.array([cells[at] or None for cells in records], pa.string()) for at in range(width)]


def _read_csv(
    data: memoryview,
    names: Sequence[str],
    delimiter: str,
    note: Callable[[pacsv.InvalidRow], str] | None = None,
) -> list[pa.Array]:
    table = pacsv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""], check_utf8=False
        ),
    )
    return [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns]


def _rows(
    columns: list[pa.Array], numbers: Ints, bits: Ints, more: list[str | None] | None, *, trimmed: bool = False
) -> Rows:
    """Trim the cells and drop the blank records."""
    columns = columns if trimmed else blanks_to_null(columns)
    beyond = None if more is None or not any(more) else pa.array(more, pa.string())
    filled = np.zeros(len(numbers), np.bool_)
    for column in columns if beyond is None else [*columns, beyond]:
        filled |= valid_mask(column)
        if filled.all():
            return Rows(columns, numbers, bits, beyond)
    keep = pa.array(np.flatnonzero(filled))
    columns = [column.take(keep) for column in columns]
    return Rows(columns, numbers[filled], bits[filled], None if beyond is None else beyond.take(keep))


def _last_end(data: bytes, quotes: Ints) -> int:
    """How many bytes of `data` are whole records: up to the last line end outside quotes."""
    end = len(data)
    while True:
        end = data.rfind(b"\n", 0, end)
        if end == -1:
            return 0
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            return end + 1
        end = int(quotes[before - 1])  # inside a cell: go on before its opening quote


def _regular(array: npt.NDArray[np.uint8], quotes: Ints, delimiter: int) -> bool:
    """Every opening quote follows a delimiter, line end or quote; every closing one precedes one."""
    allowed = np.zeros(256, np.bool_)
    allowed[[delimiter, 10, 34]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = array[np.maximum(opening - 1, 0)]
    after = array[np.minimum(closing + 1, len(array) - 1)]
    opens = allowed[before] | (opening == 0)
    closes = allowed[after] | (closing == len(array) - 1)
    return len(quotes) % 2 == 0 and bool(opens.all()) and bool(closes.all())


def _record_ends(data: bytes, quotes: Ints) -> Ints:
    """Where records end: line ends outside quotes."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    return ends[np.searchsorted(quotes, ends) % 2 == 0] if len(quotes) else ends
