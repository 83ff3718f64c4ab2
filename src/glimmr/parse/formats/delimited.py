"""Delimited text (CSV): finds the delimiter and the header, then reads the table under it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glimmr.errors import CutShort
from glimmr.parse.batch import Places
from glimmr.parse.intake import Intake
from glimmr.parse.lean import keep_freed_blocks
from glimmr.parse.tables import header as headers
from glimmr.parse.tables import layouts
from glimmr.parse.tables.records import Records, cells_of, record_spans
from glimmr.parse.text import Readable, Text, TextBlock

_DELIMITERS = ",\t|;"
_SAMPLE_BYTES = 2 << 20
_LONGEST_HEADER = 1 << 20  # characters: a table of CMS with 3,733 columns has a third of that


@dataclass(frozen=True, slots=True)
class _Head:
    """What the first text says: the delimiter, the records up to the header, its columns, the bytes used by them."""

    delimiter: str
    records: Sequence[Sequence[str]]
    columns: headers.Columns
    used: int


def read(stream: Readable, intake: Intake) -> None:
    """Read a table of delimited text.

    Raises NoPriceTable without a header that names prices, CutShort when the last record is cut.
    """
    keep_freed_blocks()
    text = Text(stream, intake.limits.block_bytes)
    blocks = iter(text)
    first = _first(blocks, intake.limits.max_record_bytes)
    intake.facts.encoding = text.encoding
    intake.facts.format = "csv"
    head = _head(first.data)
    number = len(head.records)
    intake.facts.delimiter = head.delimiter
    reader = Records(head.delimiter, len(head.columns.names), number + 1, limit_bytes=intake.limits.max_record_bytes)
    rest = first.after(head.used)
    for at in first.before(head.used).without_nul:
        line = first.data.count(b"\n", 0, at) + 1
        intake.findings.add("GL-NUL-REMOVED", f"R{line}")
    rows = reader.read(itertools.chain([rest] if rest.data else [], blocks))
    layouts.read_under(head.columns, head.records[:-1], rows, intake, Places(), number=number)
    if text.recoded_lines:
        intake.facts.encoding = "cp1252"
        intake.findings.add("GL-ENCODING", count=text.recoded_lines)
    if reader.last_cut is not None:
        at, raw = reader.last_cut
        intake.reject(f"R{at}", "cut_short", raw)
        raise CutShort(f"the last record (R{at}) is cut short", reason="suspect_truncated", position=f"R{at}")


def _first(blocks: Iterator[TextBlock], enough_bytes: int) -> TextBlock:
    """The first text: one block, or more when the records are very long."""
    head = next(blocks, TextBlock(b""))
    while head.data.count(b"\n") < 3 and len(head.data) < enough_bytes:
        block = next(blocks, None)
        if block is None:
            break
        head = head.then(block)
    return head


def _head(data: bytes) -> _Head:
    """The header of CMS's template among the first records, else the best that any delimiter gives."""
    spans = itertools.islice(record_spans(data, 0, final=True, limit_bytes=len(data)), layouts.SAMPLE_RECORDS)
    texts: list[tuple[str, int]] = []
    for start, end, _ in spans:
        texts.append((data[start:end].decode("utf-8", "replace"), end))
        if "standard" in texts[-1][0].casefold() and len(texts) <= layouts.SEARCHED_RECORDS:
            found = _template(texts)
            if found is not None:
                return found
        if end > _SAMPLE_BYTES and len(texts) > layouts.SEARCHED_RECORDS:
            break
    return _free_form(texts)


def _template(texts: list[tuple[str, int]]) -> _Head | None:
    """The last of these records as the header of CMS's template."""
    text, end = texts[-1]
    by_delimiter = {delimiter: cells_of(text, delimiter) for delimiter in _DELIMITERS}
    fit = {d: headers.read_header(cells) for d, cells in by_delimiter.items() if headers.is_header(cells)}
    if not fit:
        return None
    delimiter = max(fit, key=lambda d: len(fit[d].names) - len(fit[d].unknown))
    records = [cells_of(before, delimiter) for before, _ in texts]
    first = layouts.table_above(records[:-1])
    if first is not None:
        return _Head(delimiter, records[: first.at + 1], first.columns, texts[first.at][1] + 1)
    return _Head(delimiter, records, headers.read_header(headers.within_limit(records[-1])), end + 1)


def _free_form(texts: list[tuple[str, int]]) -> _Head:
    """The header of a table that is not CMS's. Raises NoPriceTable when no delimiter gives one."""
    best: tuple[float, _Head] | None = None
    for delimiter in _DELIMITERS:
        records = [cells_of(text[:_LONGEST_HEADER], delimiter)[: headers.MOST_CELLS] for text, _ in texts]
        found = layouts.find(records)
        if found is not None and (best is None or found.score > best[0]):
            best = found.score, _Head(delimiter, records[: found.at + 1], found.columns, texts[found.at][1] + 1)
    if best is None:
        raise layouts.no_table([cells_of(text[:_LONGEST_HEADER], ",") for text, _ in texts])
    return best[1]
