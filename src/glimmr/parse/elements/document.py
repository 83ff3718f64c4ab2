"""JSON text walked as a stream: small values are kept, CMS's table and every other list of objects come in blocks."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from glimmr.errors import NoPriceTable, Unparseable
from glimmr.parse.elements.cursor import Cursor
from glimmr.parse.elements.guess import Kind, has_lone_payers, kind_of, opens_item, text_of
from glimmr.parse.elements.listing import Listing, Numbered, Rejected
from glimmr.parse.elements.repair import decoded
from glimmr.parse.elements.shapes import Shapes
from glimmr.parse.elements.split import after_comma, near_value_end
from glimmr.parse.objects.loose import Loose
from glimmr.parse.objects.signs import is_scalar
from glimmr.parse.text import TextBlock

TABLE = "standard_charge_information"
# Root keys of CMS's JSON that hold lists of objects and no prices (data dictionary 2.0-3.0).
_HEADER_KEYS = frozenset(
    ("modifier_information", "license_information", "general_contract_provisions", "affirmation", "attestation")
)  # fmt: skip
_TABLE_KEY = re.compile(rb'"standard_charge_information"\s*:\s*(?=\[)')
_LIST_KEY = re.compile(rb'"[^"\\]*+"\s*:\s*\[\s*[\[{]')
_LIST_OF_OBJECTS = re.compile(rb"\[\s*[\[{]")
_KEPT_VALUE_BYTES = 1 << 20
_LONGEST_VALUE_BYTES = 64 << 20
_LONGEST_LOOK_BYTES = 2 << 20  # at the first object of a list, to see what the list is
_MOST_ROOT_KEYS = 1000
_MOST_LEVELS = 100
_MOST_SECTIONS = 5000


@dataclass(slots=True)
class _Level:
    """An open bracket: where it stands (JSON pointer), what was seen inside of it so far."""

    is_list: bool
    path: str
    count: int = 0
    said: dict[str, Any] = field(default_factory=dict[str, Any])


class Section:
    """A list of objects that are not CMS's items: to be iterated before the document goes on (what is left is lost).

    `path` is its JSON pointer; `context` is what the objects around it say, when there are several of them.
    """

    def __init__(self, path: str, context: dict[str, Any], parts: Iterator[Numbered | Rejected]) -> None:
        self.path = path
        self.context = context
        self._parts = parts

    def __iter__(self) -> Iterator[Numbered | Rejected]:
        return self._parts


class Document:
    """Keys in any order, tables first or last. Several documents in a row or in a list count as one."""

    def __init__(self, blocks: Iterator[TextBlock], max_element_bytes: int) -> None:
        self._cursor = Cursor(blocks)
        self._max_element_bytes = max_element_bytes
        self._levels: list[_Level] = []
        self._numbers: dict[str, int] = {}  # of the next element, by path; CMS's items have the path TABLE
        self._sections = 0
        self._last: tuple[str, Any] | None = None  # the last list read: its path and its decoder
        self.shapes = Shapes()
        self.root: dict[str, Any] = {}
        self.has_table = False  # CMS's
        self.broken: str | None = None  # malformed around the tables, where and how
        self.cut = False  # the text ends too early

    def read(self) -> Iterator[Numbered | Rejected | Section]:
        """CMS's items with their numbers, in source order, or a Rejected; or a Section of something else.

        `root` is whole when this ends. Raises Unparseable when malformed before any table.
        """
        cursor = self._cursor
        cursor.more()
        behind = False  # a value, rather than an opening bracket
        while not self.cut:
            cursor.skip_blanks()
            mark = cursor.peek()
            if not mark:
                self.cut = bool(self._levels)
                return
            self._check_commas(int(behind and mark not in b"}]"))
            behind = True
            if mark in b"}]":
                if self._levels:
                    self._levels.pop()
                else:
                    self.broken = self.broken or f"byte {cursor.offset}: {mark!r} closes nothing"
                cursor.at += 1
                continue
            key = None
            if self._levels and not self._levels[-1].is_list:
                raw = cursor.key()
                if raw is None:
                    if not (yield from self._recover()):
                        return
                    continue
                key = text_of(raw)
            levels = len(self._levels)
            yield from self._value(key)
            behind = len(self._levels) <= levels

    def _check_commas(self, due: int) -> None:
        """Between two values stands one comma, nowhere else any (documents in a row need none)."""
        if self._levels and self._cursor.commas != due:
            what = "missing" if self._cursor.commas < due else "too many"
            self.broken = self.broken or f"byte {self._cursor.offset}: a comma is {what}"

    def _value(self, key: str | None) -> Iterator[Numbered | Rejected | Section]:
        mark = self._cursor.peek()
        if mark == b"[" and key not in _HEADER_KEYS:
            yield from self._list(key)
        elif mark == b"{" and key is None:
            yield from self._object()
        elif mark == b"{" and not self._is_small():
            self._enter(key, is_list=False)
        else:
            self._keep(key)

    def _object(self) -> Iterator[Numbered | Rejected | Section]:
        """An object of a list that is walked through, or one of those in the root."""
        if self._levels or self._kind(bare=True) is Kind.DOCUMENTS:
            self._enter(None, is_list=False)
        else:
            yield from self._elements("", bare=True)

    def _list(self, key: str | None) -> Iterator[Numbered | Rejected | Section]:
        inside = self._cursor.inside()
        path = self._path(key)
        if key == TABLE and not (inside == b"{" and self._has_lone_payers()):
            self._cursor.at += 1
            yield from self._cms()
        elif inside == b"{":
            self._cursor.at += 1
            self._cursor.skip_blanks()
            yield from self._elements(path, bare=False)
        elif inside == b"[" and len(self._levels) < _MOST_LEVELS:
            self._enter(key, is_list=True)
        else:
            self._keep(key)

    def _elements(self, path: str, *, bare: bool) -> Iterator[Numbered | Rejected | Section]:
        """The objects that begin at the cursor."""
        kind = self._kind(bare=bare)
        if kind is Kind.DOCUMENTS:
            self._levels.append(_Level(is_list=True, path=path))
        elif kind is Kind.CMS:
            yield from self._cms(bare=bare)
        else:
            yield from self._section(path, Loose(self._cursor.data[self._cursor.at :]), bare=bare)

    def _cms(self, *, bare: bool = False) -> Iterator[Numbered | Rejected]:
        self.has_table = True
        yield from self._listing(TABLE, self.shapes, bare=bare)

    def _section(self, path: str, decoder: Loose, *, bare: bool) -> Iterator[Section]:
        self._sections += 1
        if self._sections > _MOST_SECTIONS:
            raise Unparseable(f"JSON of more than {_MOST_SECTIONS} lists", reason="broken_structure")
        around = [level.said for at, level in enumerate(self._levels) if any(o.is_list for o in self._levels[:at])]
        context = {key: value for said in around for key, value in said.items() if is_scalar(value)}
        parts = self._listing(path, decoder, bare=bare)
        yield Section(path, context, parts)
        for _ in parts:  # whatever nobody wanted
            pass

    def _listing(self, path: str, decoder: Any, *, bare: bool) -> Iterator[Numbered | Rejected]:
        self._last = path, decoder
        number = self._numbers.get(path, 0)
        listing = Listing(self._cursor, decoder, self._max_element_bytes, bare=bare, number=number)
        yield from listing.read()
        self._numbers[path] = listing.number
        self.cut = listing.cut
        if listing.mended:
            self.broken = self.broken or f"{path}: {listing.mended} brackets too many"

    def _kind(self, *, bare: bool) -> Kind:
        """What the objects are, told by the first of them, at the cursor."""
        cursor = self._cursor
        while True:
            end = cursor.end_of_value()
            if _TABLE_KEY.search(cursor.data, cursor.at, len(cursor.data) if end is None else end):
                return Kind.DOCUMENTS
            if end is not None and end - cursor.at <= _LONGEST_LOOK_BYTES:
                kind = kind_of(cursor.data[cursor.at : end])
                alone = bare and kind is Kind.RECORDS and not self._is_followed(end)
                return Kind.DOCUMENTS if alone else kind
            if cursor.left_bytes > _LONGEST_LOOK_BYTES:
                return Kind.RECORDS if opens_item(cursor.data, cursor.at) and not bare else Kind.DOCUMENTS
            if not cursor.more():
                return Kind.DOCUMENTS if bare else Kind.RECORDS

    def _has_lone_payers(self) -> bool:
        """Whether the first item in the list at the cursor has payers where its charges should be."""
        cursor = self._cursor
        found = _LIST_OF_OBJECTS.match(cursor.data, cursor.at)
        end = near_value_end(cursor.data, found.end() - 1) if found else None
        if found is None or end is None or end - found.end() > _LONGEST_LOOK_BYTES:
            return False
        return has_lone_payers(cursor.data[found.end() - 1 : end])

    def _is_followed(self, end: int) -> bool:
        """Whether another object follows the one that ends at `end`."""
        cursor = self._cursor
        size = end - cursor.at
        while True:
            at = after_comma(cursor.data, cursor.at + size)
            if at < len(cursor.data) or not cursor.more():
                return cursor.data[at : at + 1] == b"{"

    def _is_small(self) -> bool:
        """Whether the object at the cursor is a value to be kept: short, and without a list of objects."""
        end = self._cursor.whole_value(_KEPT_VALUE_BYTES)
        if len(self._levels) >= _MOST_LEVELS:
            return True
        return end is not None and not _LIST_OF_OBJECTS.search(self._cursor.data, self._cursor.at, end)

    def _enter(self, key: str | None, *, is_list: bool) -> None:
        self._levels.append(_Level(is_list=is_list, path=self._path(key)))
        self._cursor.at += 1

    def _path(self, key: str | None) -> str:
        """The JSON pointer (RFC 6901) of a value in the innermost level; that of everything in the root is ""."""
        if not self._levels:
            return ""
        level = self._levels[-1]
        if key is None:
            level.count += 1
            return f"{level.path}/{level.count - 1}"
        return f"{level.path}/{key.replace('~', '~0').replace('/', '~1')}"

    def _keep(self, key: str | None) -> None:
        """Read or skip one value."""
        cursor = self._cursor
        end = cursor.whole_value(_LONGEST_VALUE_BYTES)
        if end is None:
            if cursor.peek() in {b"[", b"{"} and not cursor.final:  # too long to be kept: walked through
                self._enter(key, is_list=cursor.peek() == b"[")
                return
            if not cursor.final:
                raise NoPriceTable(f"the value of {key!r} is no part of a price list", reason="foreign_json")
            self.cut = True
            cursor.at = len(cursor.data)
            return
        raw = cursor.data[cursor.at : end]
        cursor.at = max(end, cursor.at + 1)
        if key is None or len(raw) > _KEPT_VALUE_BYTES or len(self._levels[-1].said) >= _MOST_ROOT_KEYS:
            return
        try:
            value = decoded(raw)
        except (ValueError, RecursionError):
            self.broken = self.broken or f"byte {cursor.offset}: the value of {key!r}"
            return
        if len(self.root) < _MOST_ROOT_KEYS:
            self.root.setdefault(key, value)
        self._levels[-1].said[key] = value

    def _recover(self) -> Generator[Numbered | Rejected | Section, None, bool]:
        """Malformed here: go on inside the list just read, or at the next one in sight. Gives whether there is one."""
        cursor = self._cursor
        if cursor.final and cursor.left_bytes <= 1:
            self.cut = True
            return False
        self.broken = self.broken or f"byte {cursor.offset}: {cursor.data[cursor.at : cursor.at + 40]!r}"
        if self._last is not None:
            path, decoder = self._last
            end = cursor.whole_value(_KEPT_VALUE_BYTES)
            if end is not None and decoder.fits(cursor.data[cursor.at : end]):
                yield from self._cms() if path == TABLE else self._section(path, decoder, bare=False)
                return True
        return self._go_to_list()

    def _go_to_list(self) -> bool:
        cursor = self._cursor
        while True:
            wanted = _LIST_KEY if self._last else _TABLE_KEY
            found = wanted.search(cursor.data, cursor.at) or _LIST_KEY.search(cursor.data, cursor.at)
            if found:
                cursor.at = found.start()
                return True
            if cursor.left_bytes > _LONGEST_VALUE_BYTES or not cursor.more():
                break
        if self._last is None:
            raise Unparseable(f"the JSON is malformed: {self.broken}", reason="broken_structure")
        return False
