"""JSON text walked as a stream: small values are kept, CMS's table and every other list of objects come in blocks."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from glimmr.errors import NoPriceTable, Unparseable
from glimmr.parse.elements.cursor import Cursor, odd_commas
from glimmr.parse.elements.guess import Kind, has_lone_payers, kind_of, opens_item, text_of
from glimmr.parse.elements.headings import Heading, Headings
from glimmr.parse.elements.listing import Listing, Numbered, Rejected
from glimmr.parse.elements.repair import Flaw, mended
from glimmr.parse.elements.shapes import Shapes
from glimmr.parse.elements.split import after_comma, near_value_end
from glimmr.parse.findings import Spots
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
_NOTHING: Any = object()
_MOST_LEVELS = 100
_MOST_SECTIONS = 5000


@dataclass(slots=True)
class _Level:
    """An open bracket: where it stands (JSON pointer), what was seen inside of it so far."""

    is_list: bool
    path: str
    count: int = 0
    keys: set[str] = field(default_factory=set[str])
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    heading: Heading | None = None  # of an object that may be a document


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
        self._behind = False  # a value, rather than an opening bracket
        self._values = 0  # in the root so far: there should be one
        self._has_rest = False  # the last one was neither an object nor a list
        self._place = "its beginning"
        self._told_at = -1  # the last flaw's offset in the text
        self.shapes = Shapes()
        self.root: dict[str, Any] = {}
        self.has_table = False  # CMS's
        self.flaws = Spots()  # what was mended, in and around the lists: in an element the first place
        self.headings = Headings()
        self.cut: str | None = None  # where, when the text ends too early

    def read(self) -> Iterator[Numbered | Rejected | Section]:
        """CMS's items with their numbers, in source order, or a Rejected; or a Section of something else.

        `root` is whole when this ends. Raises Unparseable when malformed before any table.
        """
        yield from self._walk()
        while self._levels:  # a document that was cut has a header all the same
            self._leave()

    def _walk(self) -> Iterator[Numbered | Rejected | Section]:
        cursor = self._cursor
        cursor.more()
        while not self.cut:
            cursor.skip_blanks()
            mark = cursor.peek()
            if not mark:
                self._end()
                return
            self._check_commas(int(self._behind and mark not in b"}]"))
            self._behind = True
            if mark in b"}]":
                if self._levels:
                    self._leave()
                else:
                    self._tell(f"{mark.decode()} closes nothing")
                cursor.at += 1
                continue
            key = None
            if self._levels and not self._levels[-1].is_list:
                raw = cursor.key()
                if raw is None:
                    if not (yield from self._recover()):
                        return
                    continue
                key = self._key(raw)
            levels = len(self._levels)
            yield from self._value(key)
            self._behind = len(self._levels) <= levels

    def _end(self) -> None:
        """There is no more text."""
        if self._levels:
            self.cut = f"behind {self._place}"
        elif self._cursor.commas:
            self._tell(odd_commas(self._cursor.commas, 0))

    def _key(self, raw: bytes) -> str:
        """The key that the cursor has just passed."""
        level = self._levels[-1]
        key = text_of(raw)
        if key in level.keys:
            is_said = key in level.said and self._cursor.peek() != b"["  # what is in lists is read in both
            self._tell(f"the key {key!r} is there already{'; the first one counts' * is_said}")
        elif len(level.keys) < _MOST_ROOT_KEYS:
            level.keys.add(key)
        return key

    def _check_commas(self, due: int) -> None:
        """Between two values stands one comma, nowhere else any. In the root stands one value."""
        if self._levels:
            if self._cursor.commas != due:
                self._tell(odd_commas(self._cursor.commas, due))
            return
        mark = self._cursor.peek()
        if mark not in b"}]":
            if self._values and (mark in b"{[" or not self._has_rest):
                what = "another document" if mark in b"{[" else "something"
                self._tell(f"{what} begins behind {'a comma and ' * bool(self._cursor.commas)}the end of the document")
            self._values += 1
            self._has_rest = mark not in b"{["

    def _tell(self, what: str, at: int | None = None) -> None:
        """Something is malformed at the cursor (or elsewhere in its text)."""
        cursor = self._cursor
        at = cursor.at if at is None else at
        if cursor.passed_bytes + at != self._told_at:
            self._told_at = cursor.passed_bytes + at
            self.flaws.add(cursor.byte(at) if self.flaws.wanted else 0, what)

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
        for level in self._levels:
            if level.heading is not None:
                level.heading.has_table = True
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
        shown = "/sci" if path == TABLE else path
        limit_bytes = self._max_element_bytes
        listing = Listing(self._cursor, decoder, limit_bytes, self.flaws, path=shown, bare=bare, number=number)
        yield from listing.read()
        self._numbers[path] = listing.number
        self.cut = listing.cut
        self._place = listing.place(inside=False).partition(" ")[2]

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
        may_be_document = not is_list and (not self._levels or self._levels[-1].is_list)
        level = _Level(is_list=is_list, path=self._path(key))
        if may_be_document:
            level.heading = Heading(self._cursor.byte(), self._numbers.get(TABLE, 0), said=level.said)
        self._levels.append(level)
        self._cursor.at += 1

    def _leave(self) -> None:
        """Close the innermost level."""
        heading = self._levels.pop().heading
        if heading is not None and (heading.has_table or not self._levels):
            self.headings.close(heading, self.root)

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
            self.cut = f"inside {self._path(key)}"
            cursor.at = len(cursor.data)
            return
        begin = cursor.at
        raw = cursor.data[begin:end]
        cursor.at = max(end, begin + 1)
        if key is None or len(raw) > _KEPT_VALUE_BYTES or len(self._levels[-1].said) >= _MOST_ROOT_KEYS:
            return
        self._place = self._path(key)
        value = _NOTHING
        try:
            value, flaw = mended(raw)
        except (ValueError, RecursionError):
            flaw = Flaw(0, "no value")
        if flaw is not None and cursor.final and end == len(cursor.data):
            self.cut = f"inside {self._place}"
            return
        if flaw is not None:
            self._tell(f"inside {self._place}: {flaw.what}", begin + flaw.at)
        if value is not _NOTHING:
            self._say(key, value)

    def _say(self, key: str, value: Any) -> None:
        """A value of the innermost level; in the root's name too, when nobody has said it before."""
        level = self._levels[-1]
        level.said.setdefault(key, value)
        if key not in self.root and len(self.root) < _MOST_ROOT_KEYS:
            self.root[key] = value
            if level.heading is not None:
                level.heading.added.append(key)

    def _recover(self) -> Generator[Numbered | Rejected | Section, None, bool]:
        """Malformed here: go on inside the list just read, or at the next one in sight. Gives whether there is one."""
        cursor = self._cursor
        if cursor.final and cursor.left_bytes <= 1:
            self.cut = f"behind {self._place}"
            return False
        self._behind = False
        self._tell(f"no key: {cursor.data[cursor.at : cursor.at + 40]!r}")
        if self._last is not None:
            path, decoder = self._last
            end = cursor.whole_value(_KEPT_VALUE_BYTES)
            if end is not None and decoder.fits(cursor.data[cursor.at : end]):
                yield from self._cms() if path == TABLE else self._section(path, decoder, bare=False)
                self._behind = True
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
            flaw = self.flaws.first[0]
            raise Unparseable(f"the JSON is malformed: byte {flaw.byte}: {flaw.value}", reason="broken_structure")
        return False
