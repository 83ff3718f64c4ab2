"""The elements of one JSON list (or of many objects in a row), in blocks: none is lost behind a broken one."""

import re
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import msgspec

from glimmr.errors import Unparseable
from glimmr.parse.elements.cursor import Cursor, odd_commas
from glimmr.parse.elements.repair import Flaw
from glimmr.parse.elements.shapes import UnreadableError
from glimmr.parse.elements.split import Spans, ends_soon, near_value_end, spans
from glimmr.parse.findings import Spots

Numbered = tuple[Sequence[int], list[Any]]  # the numbers of some elements, and the elements
_BLANKS = b" \t\r\n,"
_JOINED = "objects that are in no list are joined by commas"
_RUN_ON = "objects that are in no list follow each other on one line"
_SCALARS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^\s,"]++', re.DOTALL)
_FALSE_END = re.compile(rb"\s*,\s*(?=\{)")
_TRIED_STARTS = 8
_WINDOW_BYTES = 16 * 1024
# An element whose end is not in sight is only suspected to be broken beyond this: most are just not all there yet.
_PATIENCE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rejected:
    """An element that gives no charge: its number, why, and its text."""

    number: int
    reason: str
    raw: bytes


class Decoder(Protocol):
    """What the elements are. `start` matches where one most likely begins."""

    start: re.Pattern[bytes]

    def many(self, data: bytes) -> list[Any]:
        """Elements separated by commas. Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError for odd ones."""
        ...

    def one(self, data: bytes) -> tuple[Any, Flaw | None]:
        """One element, leniently, and what was malformed. Raises UnreadableError with the reject's reason."""
        ...

    def seam(self, data: bytes, at: int) -> int | None:
        """The end of the last element that another one follows, told cheaply; None when there is no cheap way."""
        ...

    def fits(self, data: bytes) -> bool:
        """Whether this is surely an element."""
        ...


class Listing:
    """Elements from the cursor's place up to the `]` of their list; when `bare`, up to the end of the text."""

    def __init__(
        self, cursor: Cursor, decoder: Decoder, limit_bytes: int, flaws: Spots, *, path: str, bare: bool, number: int
    ) -> None:
        self._cursor = cursor
        self._decoder = decoder
        self._limit_bytes = limit_bytes
        self._flaws = flaws
        self._path = path
        self._bare = bare
        self._bare_told = False
        self._due: int | None = 0  # commas before the next element; None when they were seen or nobody can tell
        self._last_commas = 0  # passed on the way to the list's end
        self._usual: bytes | None = None  # what stands between elements
        self.number = number  # of the next element
        self._window_bytes = sys.maxsize  # looked at in one go; few behind a broken element, for more may follow
        self._tried_starts = _TRIED_STARTS
        self.cut: str | None = None  # where, when the text ended first

    def read(self) -> Iterator[Numbered | Rejected]:
        """Elements with their numbers, in source order, or a Rejected. Raises Unparseable for one without end."""
        cursor = self._cursor
        is_short = ends_soon(cursor.data, cursor.at)  # then what a seam is found in may be another list
        while True:
            cursor.skip_blanks()
            self._check_commas()
            end = None if cursor.final or is_short else self._decoder.seam(cursor.data, cursor.at)
            if end is not None:
                items = self._decoded(cursor.data[cursor.at : end])
                if items is not None:
                    if len(items) > 1:
                        self._check_joint(cursor.at, b",")
                    cursor.at = end
                    self._due = 1
                    yield self._numbered(items)
                    cursor.more()  # the last element may be whole, but alone it would be a batch of its own
                    continue
            closed = yield from self._counted()
            if closed:
                return
            if closed is None:
                continue
            if cursor.final:
                yield from self._rest()
                return
            cursor.more()

    def _counted(self) -> Generator[Numbered | Rejected, None, bool | None]:
        """Every element that is whole in the buffer.

        Returns whether the list has ended, or None when it is to be looked at again from the cursor's new place.
        """
        cursor = self._cursor
        until = min(len(cursor.data), cursor.at + self._window_bytes)
        found = spans(cursor.data, cursor.at, until)
        pairs = list(zip(found.begins, found.ends, strict=True))
        if pairs:
            going_on = yield from self._all_of(pairs)
            if going_on is not None:
                cursor.at = going_on
                self._due = None
                self._window_bytes = _WINDOW_BYTES
                return None
            cursor.at = pairs[-1][1]
            self._due = 1
        if found.closed_at is None and until < len(cursor.data):
            self._window_bytes *= 8
            return None
        if found.closed_at is not None:
            return (yield from self._closed(found.closed_at))
        return (yield from self._opened(found))

    def _all_of(self, pairs: list[tuple[int, int]]) -> Generator[Numbered | Rejected, None, int | None]:
        data = self._cursor.data
        odd = self._odd_gaps(pairs)
        if odd is not None:
            items = self._decoded(b",".join([data[begin:end] for begin, end in pairs]))
            if items is not None and len(items) == len(pairs):
                for at, gap in odd:
                    self._check_joint(at, gap)
                yield self._numbered(items)
                return None
        return (yield from self._singly(pairs))

    def _odd_gaps(self, pairs: list[tuple[int, int]]) -> list[tuple[int, bytes]] | None:
        """What stands between elements and should not; None when it is more than commas."""
        data = self._cursor.data
        at, following = pairs[0]
        if data[self._cursor.at : at].strip(_BLANKS):
            return None
        odd: list[tuple[int, bytes]] = []
        for begin, end in pairs[1:]:
            gap = data[following:begin]
            if gap != self._usual:
                if gap.strip(_BLANKS):
                    return None
                if self._separates(gap):
                    self._usual = gap
                else:
                    odd.append((following, gap))
            following = end
        return odd

    def _separates(self, gap: bytes) -> bool:
        """Whether this belongs between two elements. JSON lines are none of ours to blame."""
        return b"\n" in gap and b"," not in gap if self._bare else gap.count(b",") == 1

    def _check_joint(self, at: int, gap: bytes) -> None:
        """What stands between two elements."""
        if not self._separates(gap):
            second = gap.find(b",", gap.find(b",") + 1)
            self._tell_commas(at + (len(gap) if second == -1 else second), gap.count(b","), 1)

    def _check_commas(self) -> None:
        """The commas that the cursor has just passed."""
        cursor = self._cursor
        mark = cursor.peek()
        if mark in {b"]", b"}"}:
            self._last_commas += cursor.commas
        elif mark and self._due is not None:
            fits = cursor.commas == 0 and cursor.lines >= self._due if self._bare else cursor.commas == self._due
            if not fits:
                self._tell_commas(cursor.at, cursor.commas, self._due)
            self._due = None

    def _tell_commas(self, at: int, commas: int, due: int) -> None:
        if self._bare:
            self._tell_bare(at, _JOINED if commas else _RUN_ON)
        else:
            self._tell(at, odd_commas(commas, due))

    def _tell_bare(self, at: int, what: str) -> None:
        """Once: brackets are missing around all of them."""
        if not self._bare_told:
            self._bare_told = True
            self._tell(at, what)

    def _tell(self, at: int, what: str) -> None:
        self._flaws.add(self._cursor.byte(at) if self._flaws.wanted else 0, what)

    def _singly(self, pairs: list[tuple[int, int]]) -> Generator[Numbered | Rejected, None, int | None]:
        """Element by element: those without a charge, then the others together (a batch for each would take long).

        Returns where to go on, when an element is so broken that the ends behind it cannot be trusted.
        """
        data, at = self._cursor.data, self._cursor.at
        numbers: list[int] = []
        items: list[Any] = []
        going_on = None
        for index, (begin, end) in enumerate(pairs):
            yield from self._between(data[at:begin])
            if index and not data[at:begin].strip(_BLANKS):
                self._check_joint(at, data[at:begin])
            at = end
            try:
                items.append(self._single(begin, end))
            except UnreadableError as error:
                following = pairs[index + 1][0] if index + 1 < len(pairs) else None
                if str(error) == "malformed" and not self._ends_well(begin, end, following):
                    going_on = self._next_start(begin + 1)
                    going_on = None if going_on == following else going_on
                yield self._rejected(str(error), data[begin : end if going_on is None else going_on])
                if going_on is not None:
                    break
                continue
            numbers.append(self.number)
            self.number += 1
        if items:
            yield numbers, items
        return going_on

    def _ends_well(self, begin: int, end: int, following: int | None) -> bool:
        """Whether a malformed element ends where its brackets say: none begins inside, and one right behind it."""
        data, start = self._cursor.data, self._decoder.start
        return following is not None and not start.search(data, begin + 1, end) and bool(start.match(data, following))

    def _between(self, gap: bytes) -> Iterator[Rejected]:
        """What stands between elements and is none."""
        for scalar in _SCALARS.findall(gap.strip(_BLANKS)):
            yield self._rejected("no_object", scalar)

    def _closed(self, at: int) -> Generator[Rejected, None, bool | None]:
        """A bracket that closes more than was opened: the list's end, or an accident inside of it."""
        cursor = self._cursor
        gap = cursor.data[cursor.at : at]
        yield from self._between(gap)
        cursor.at = at
        behind = at + 1
        follows = _FALSE_END.match(cursor.data, behind)
        if self._bare or cursor.data[at] != ord("]") or follows:
            start = self._next_start(behind)
            near = start is not None and (not follows or start == follows.end())
            if near and start is not None:
                self._tell(at, f"{chr(cursor.data[at])} closes nothing")
                yield from self._between(cursor.data[behind:start].strip(b"]}" + _BLANKS))
                cursor.at = start
                self._due = None
                self._last_commas = 0
                return None
        if self._last_commas or (b"," in gap and not gap.strip(_BLANKS)):
            self._tell_commas(at, 1, 0)
        cursor.at = behind
        if self._bare:  # nothing closes a list that was never opened
            self._tell(at, f"{chr(cursor.data[at])} closes nothing")
            return None
        return True

    def _opened(self, found: Spans) -> Generator[Rejected, None, bool | None]:
        """An element without an end in sight: broken when another one begins inside of it."""
        cursor = self._cursor
        begin = cursor.at if found.open_at is None else found.open_at
        if not cursor.final and cursor.left_bytes <= _PATIENCE_BYTES:
            return False
        start = self._next_start(begin + 1)
        if start is not None:
            yield from self._between(cursor.data[cursor.at : begin])
            yield self._rejected("malformed", cursor.data[begin:start])
            cursor.at = start
            self._due = None
            self._window_bytes = _WINDOW_BYTES
            return None
        if cursor.left_bytes > self._limit_bytes:
            raise Unparseable("an element of the table is larger than any item can be", reason="broken_structure")
        return False

    def _rest(self) -> Iterator[Rejected]:
        """What is left at the end of the text."""
        rest = self._cursor.data[self._cursor.at :].strip(_BLANKS)
        if not self._bare or rest.startswith((b"{", b"[")):
            self.cut = self.place(inside=bool(rest))
        if rest:
            yield self._rejected("cut_short" if self.cut else "no_object", rest)
        self._cursor.at = len(self._cursor.data)

    def _next_start(self, at: int) -> int | None:
        """Where the next element surely begins."""
        data = self._cursor.data
        for found in islice(self._decoder.start.finditer(data, at), self._tried_starts):
            end = near_value_end(data, found.start())
            if end is not None and self._decoder.fits(data[found.start() : end]):
                self._tried_starts = _TRIED_STARTS
                return found.start()
        self._tried_starts = 1  # where everything is broken, looking far ahead every time would take long
        return None

    def _decoded(self, raw: bytes) -> list[Any] | None:
        try:
            return self._decoder.many(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _single(self, begin: int, end: int) -> Any:
        raw = self._cursor.data[begin:end]
        items = self._decoded(raw)
        if items is not None and len(items) == 1:
            return items[0]
        item, flaw = self._decoder.one(raw)
        if flaw is not None:
            self._tell(begin + flaw.at, f"{self.place(inside=True)}: {flaw.what}")
        return item

    def place(self, *, inside: bool) -> str:
        """Where in the list the next element stands: inside of it, or behind the one before it."""
        if inside:
            return f"inside {self._path}/{self.number}"
        return f"behind {self._path}/{self.number - 1}" if self.number else f"at the beginning of {self._path or '/'}"

    def _numbered(self, items: list[Any]) -> Numbered:
        first = self.number
        self.number += len(items)
        return range(first, self.number), items

    def _rejected(self, reason: str, raw: bytes) -> Rejected:
        self.number += 1
        return Rejected(self.number - 1, reason, raw)
