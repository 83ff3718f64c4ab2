"""A JSON document read as a stream: the root's small values, and the table's elements in blocks."""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import msgspec

from glimmr.errors import NoPriceTable, Unparseable
from glimmr.parse.elements.shapes import Shapes, UnreadableError
from glimmr.parse.elements.split import after_comma, seam, spans, value_end, with_exact_numbers
from glimmr.parse.text import TextBlock

TABLE = b"standard_charge_information"
# Possessive, so that a string of many megabytes leaves nothing to go back to.
_KEY = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*:\s*', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]+(?=[,\]}\s])")
_TABLE_KEY = re.compile(rb'"standard_charge_information"\s*:\s*\[')
_KEPT_VALUE_BYTES = 1 << 20
_LONGEST_VALUE_BYTES = 64 << 20
_MOST_ROOT_KEYS = 1000


Numbered = tuple[Sequence[int], list[Any]]  # the numbers of some elements, and the elements


class Rejected:
    """An element that gives no charge: its number, why, and its text."""

    def __init__(self, number: int, reason: str, raw: bytes) -> None:
        self.number = number
        self.reason = reason
        self.raw = raw


class Document:
    """Root keys in any order, the table first or last. Several documents in a row or in a list count as one."""

    def __init__(self, blocks: Iterator[TextBlock], max_element_bytes: int) -> None:
        self._blocks = blocks
        self._max_element_bytes = max_element_bytes
        self._buffer = b""
        self._at = 0
        self._final = False
        self._number = 0  # of the next element
        self.shapes = Shapes()
        self.root: dict[str, Any] = {}
        self.has_table = False
        self.broken: str | None = None  # malformed around the table, where and how
        self.cut = False  # the document ends too early

    def read(self) -> Iterator[Numbered | Rejected]:
        """Items with their numbers, in source order, or a Rejected. `root` is whole when this ends."""
        self._more()
        self._skip_blanks()
        if self._peek() == b"[" and not _TABLE_KEY.search(self._buffer):
            raise NoPriceTable("a JSON list instead of CMS's object", reason="foreign_json")
        depth_known = False
        while True:
            self._skip_blanks()
            mark = self._peek()
            if not mark:
                self.cut = depth_known
                return
            if len(self.root) > _MOST_ROOT_KEYS and not self.has_table:
                raise NoPriceTable("JSON of many objects, none of them CMS's", reason="foreign_json")
            if mark in b"{}[]":
                depth_known = mark in b"{["
                self._at += 1
                continue
            key = self._key()
            if key is None:
                if not self._recover():
                    return
            elif key == TABLE and self._peek() == b"[":
                self._at += 1
            else:
                self._value(key)
                continue
            self.has_table = True
            yield from self._table()
            if self.cut:
                return

    def _more(self) -> bool:
        """Read on. False at the end."""
        block = next(self._blocks, None)
        if block is None:
            self._final = True
            return False
        self._buffer = self._buffer[self._at :] + block.data
        self._at = 0
        return True

    def _skip_blanks(self) -> None:
        while True:
            self._at = after_comma(self._buffer, self._at)
            if self._at < len(self._buffer) or not self._more():
                return

    def _peek(self) -> bytes:
        return self._buffer[self._at : self._at + 1]

    def _key(self) -> bytes | None:
        while True:
            found = _KEY.match(self._buffer, self._at)
            if found and found.end() < len(self._buffer):
                self._at = found.end()
                return found[1]
            if len(self._buffer) - self._at > _KEPT_VALUE_BYTES or not self._more():
                return None

    def _recover(self) -> bool:
        """Malformed here: go on at the table, if it is in sight."""
        if self._final and self._at + 1 >= len(self._buffer):
            self.cut = True
            return False
        where = f"root, byte {self._buffer[self._at : self._at + 40]!r}"
        found = None if self.has_table else _TABLE_KEY.search(self._buffer, self._at)
        while found is None and not self.has_table and len(self._buffer) < _LONGEST_VALUE_BYTES and self._more():
            found = _TABLE_KEY.search(self._buffer, self._at)
        self.broken = self.broken or where
        if found is None:
            if not self.has_table:
                raise Unparseable(f"the JSON is malformed: {where}", reason="broken_structure")
            return False
        self._at = found.end()
        return True

    def _value(self, key: bytes) -> None:
        """Read or skip one root value."""
        while True:
            end = self._end_of_value()
            if end is not None:
                break
            if len(self._buffer) - self._at > _LONGEST_VALUE_BYTES:
                raise NoPriceTable(f"the key {key[:60]!r} is no part of CMS's format", reason="foreign_json")
            if not self._more():
                self.cut = True
                self._at = len(self._buffer)
                return
        raw = self._buffer[self._at : end]
        self._at = end
        if len(raw) <= _KEPT_VALUE_BYTES:
            name = key.decode("utf-8", "replace")
            try:
                self.root.setdefault(name, json.loads(raw, strict=False))
            except (ValueError, RecursionError):
                self.broken = self.broken or f"root, value of {name!r}"

    def _end_of_value(self) -> int | None:
        mark = self._peek()
        if mark in (b"{", b"["):
            return value_end(self._buffer, self._at)
        if mark == b"":
            return None
        found = (_STRING if mark == b'"' else _SCALAR).match(self._buffer, self._at)
        if found is None and self._final:
            return len(self._buffer)
        return found.end() if found else None

    def _table(self) -> Iterator[Numbered | Rejected]:
        """The elements, block by block: first by a likely seam, by counting brackets when that does not decode."""
        while True:
            self._skip_blanks()
            end = None if self._final else seam(self._buffer, self._at)
            if end is not None:
                raw = self._buffer[self._at : end]
                items = self._decoded(raw)
                if items is not None:
                    self._at = end
                    yield self._numbered(items)
                    continue
            closed = yield from self._counted()
            if closed:
                return
            if self._final:
                yield from self._cut_element()
                return
            self._more()

    def _counted(self) -> Generator[Numbered | Rejected, None, bool]:
        """Every element that is complete in the buffer. Returns whether the table has ended."""
        found = spans(self._buffer, self._at)
        if found.begins:
            first, last = found.begins[0], found.ends[-1]
            items = self._decoded(self._buffer[first:last]) if len(found.begins) > 1 else None
            if items is not None and len(items) == len(found.begins):
                yield self._numbered(items)
            else:
                yield from self._singly([self._buffer[a:b] for a, b in zip(found.begins, found.ends, strict=True)])
            self._at = last
        elif found.closed_at is None and len(self._buffer) - self._at > self._max_element_bytes:
            raise Unparseable("an element of the table is larger than any item can be", reason="broken_structure")
        if found.closed_at is None:
            return False
        rest = self._buffer[self._at : found.closed_at].strip(b" \t\r\n,")
        if rest:
            yield self._rejected("no_object", rest)
        self._at = found.closed_at + 1
        return True

    def _decoded(self, raw: bytes) -> list[Any] | None:
        try:
            return self.shapes.many(with_exact_numbers(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _numbered(self, items: list[Any]) -> Numbered:
        first = self._number
        self._number += len(items)
        return range(first, self._number), items

    def _singly(self, elements: list[bytes]) -> Iterator[Numbered | Rejected]:
        """Element by element: those without a charge, then the others together (a batch for each would take long)."""
        numbers: list[int] = []
        items: list[Any] = []
        for raw in elements:
            try:
                items.append(self._single(raw))
            except UnreadableError as error:
                yield self._rejected(str(error), raw)
                continue
            numbers.append(self._number)
            self._number += 1
        if items:
            yield numbers, items

    def _single(self, raw: bytes) -> Any:
        items = self._decoded(raw)
        return items[0] if items is not None and len(items) == 1 else self.shapes.one(raw)

    def _rejected(self, reason: str, raw: bytes) -> Rejected:
        self._number += 1
        return Rejected(self._number - 1, reason, raw)

    def _cut_element(self) -> Iterator[Rejected]:
        self.cut = True
        rest = self._buffer[self._at :].strip(b" \t\r\n,")
        if rest:
            yield self._rejected("cut_short", rest)
