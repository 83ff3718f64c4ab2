"""The records of an XML document in blocks, in constant memory; none is lost behind a broken one."""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from glimmr.parse.elements.listing import Numbered, Rejected
from glimmr.parse.objects.signs import is_item
from glimmr.parse.objects.xml_choice import PARSER
from glimmr.parse.objects.xml_tree import Element, as_object, attributes, name_of
from glimmr.parse.tables.codes import CODE_TYPES

_STEP_BYTES = 1 << 18  # fed at a time, so that a broken place is near
_MOST_SAID = 1000
_RAW_BYTES = 4096


@dataclass(slots=True)
class _Level:
    """An element around records: its tag as written, what its attributes and leaves say."""

    tag: str
    said: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one tag in a row, or one that could not be read."""

    name: str
    part: Numbered | Rejected


class XmlRecords:
    """The elements with one of `tags` (outermost ones), as objects that also say what the elements around them say."""

    def __init__(self, pieces: Iterable[bytes], tags: frozenset[str]) -> None:
        self._pieces = pieces
        self._tags = set(tags)
        names = b"|".join(re.escape(tag.rpartition("}")[2]).encode() for tag in sorted(tags))
        self._start = re.compile(rb"<(?:[\w.\-]+:)?(?:" + names + rb")(?=[\s/>])")
        self._levels: list[_Level] = []
        self._declared: dict[str | None, str] = {}  # namespaces of the root
        self._inside = 0  # how deep inside a record
        self._depth = 0  # of the records
        self._numbers: dict[str, int] = {}
        self._parser = _new_parser()
        self._seeks = False  # the text is skipped up to the next record
        self.said: dict[str, Any] = {}  # by the elements around the records, the first word counts
        self.broken: list[str] = []  # where the XML is broken between records
        self.cut = False  # the text ends too early

    def read(self) -> Iterator[Run]:
        """Records in source order; `said`, `broken` and `cut` are whole when this ends."""
        for piece in self._pieces:
            done: list[tuple[str, dict[str, Any]]] = []
            for step in self._steps(piece):
                rest = step
                while rest:
                    was_inside = self._inside > 0
                    error = self._feed(rest)
                    before = len(done)
                    done += self._records()
                    if error is None:
                        break
                    yield from self._runs(done)
                    begun = len(done) - before - (was_inside and len(done) > before)
                    done = []
                    rest = yield from self._mend(rest, begun, error, was_inside=was_inside and begun == 0)
            yield from self._runs(done)
        yield from self._end()

    def _steps(self, piece: bytes) -> Iterator[bytes]:
        """A piece in steps that begin with a record."""
        at = 0
        if self._seeks:
            found = self._start.search(piece)
            if found is None:
                return
            self._seeks = False
            at = found.start()
        while at < len(piece):
            found = self._start.search(piece, at + _STEP_BYTES)
            end = len(piece) if found is None else found.start()
            yield piece[at:end]
            at = end

    def _feed(self, data: bytes) -> str | None:
        try:
            self._parser.feed(data)
        except etree.XMLSyntaxError as error:
            return str(error)
        return None

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for event, element in self._parser.read_events():
            if event == "start":
                self._open(element)
            elif self._inside > 1:
                self._inside -= 1
            else:
                yield from self._close(element)

    def _open(self, element: Element) -> None:
        if self._inside or (self._levels and element.tag in self._tags):
            self._depth = self._depth if self._inside else len(self._levels)
            self._inside += 1
            return
        if not self._levels:
            self._declared = dict(element.nsmap)
        name = name_of(element.tag)
        prefix = f"{element.prefix}:" if element.prefix else ""
        level = _Level(prefix + element.tag.rpartition("}")[2])
        self._levels.append(level)
        for key, value in attributes(element).items():
            self._say(level, f"{name}.{key}", value)

    def _close(self, element: Element) -> Iterator[tuple[str, dict[str, Any]]]:
        name = name_of(element.tag)
        depth = len(self._levels)
        if self._inside:
            self._inside = 0
            yield name, self._context() | as_object(element)
        else:
            self._levels.pop()
            depth -= 1
            if not self._levels:
                return
            if len(element):
                late = as_object(element) if depth == self._depth else {}
                if is_item(late):  # a table under another name that begins late
                    self._tags.add(element.tag)
                    yield name, self._context() | late
            elif element.text and element.text.strip():
                self._say(self._levels[-1], name, element.text.strip())
        if depth <= self._depth:
            _forget(element)

    def _say(self, level: _Level, name: str, value: str) -> None:
        if len(level.said) < _MOST_SAID:
            level.said[name] = value
            if len(self.said) < _MOST_SAID:
                self.said.setdefault(name, value)

    def _context(self) -> dict[str, Any]:
        """What the elements around a record say, but for the root, which speaks of the whole file."""
        said = {key: value for level in self._levels[1:] for key, value in level.said.items()}
        # `<Charge Type="DRG">` around items is the type of their codes.
        return {("code type" if value.upper() in CODE_TYPES else key): value for key, value in said.items()}

    def _runs(self, done: list[tuple[str, dict[str, Any]]]) -> Iterator[Run]:
        at = 0
        while at < len(done):
            name = done[at][0]
            end = at
            while end < len(done) and done[end][0] == name:
                end += 1
            first = self._numbers.get(name, 0)
            self._numbers[name] = first + end - at
            yield Run(name, (range(first, first + end - at), [one for _, one in done[at:end]]))
            at = end

    def _mend(self, data: bytes, begun: int, error: str, *, was_inside: bool) -> Generator[Run, None, bytes]:
        """Go on behind a broken place: gives what is to be fed next. `begun` records of `data` were whole."""
        starts = [found.start() for found in islice(self._start.finditer(data), begun + 2)]
        if was_inside:
            yield self._rejected("malformed", data[: starts[0] if starts else None])
            following = starts[:1]
        elif begun < len(starts):
            record = data[starts[begun] : (starts[begun + 1 : begun + 2] or [None])[0]]
            if _is_whole(record, self._declared):  # what is broken stands before it
                self.broken.append(error)
                following = starts[begun : begun + 1] if begun or starts[begun] else starts[begun + 1 : begun + 2]
            else:
                yield self._rejected("malformed", record)
                following = starts[begun + 1 : begun + 2]
        else:
            self.broken.append(error)
            following = []
        self._restart()
        self._seeks = not following
        return data[following[0] :] if following else b""

    def _restart(self) -> None:
        """A new parser that stands where the records do."""
        self._inside = 0
        self._levels = self._levels[: self._depth or 1] or [_Level("x")]
        self._parser = _new_parser()
        spaces = "".join(f' xmlns{":" + prefix if prefix else ""}="{uri}"' for prefix, uri in self._declared.items())
        tags = [level.tag for level in self._levels]
        self._parser.feed(f"<{tags[0]}{spaces}>{''.join(f'<{tag}>' for tag in tags[1:])}".encode())
        for _ in self._parser.read_events():
            pass

    def _rejected(self, reason: str, raw: bytes) -> Run:
        found = self._start.search(raw)
        name = name_of(found[0].rpartition(b":")[2].lstrip(b"<").decode()) if found else self._last_name()
        number = self._numbers.get(name, 0)
        self._numbers[name] = number + 1
        return Run(name, Rejected(number, reason, raw[:_RAW_BYTES]))

    def _last_name(self) -> str:
        return next(reversed(self._numbers), None) or name_of(min(self._tags))

    def _end(self) -> Iterator[Run]:
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            if self._inside:
                self.cut = True
                yield self._rejected("cut_short", str(error).encode())
            elif not self.broken and not self._seeks:
                self.cut = True


def _new_parser() -> Any:
    return etree.XMLPullParser(events=("start", "end"), **PARSER)


def _forget(element: Element) -> None:
    parent = element.getparent()
    element.clear()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _is_whole(data: bytes, declared: dict[str | None, str]) -> bool:
    """Whether a record is well-formed; what follows its end tag is not looked at."""
    found = re.match(rb"<([^\s/>]+)", data)
    if found is None:
        return False
    end = data.find(b"</" + found[1] + b">")
    data = data[: end + len(found[1]) + 3] if end != -1 else data[: data.find(b"/>") + 2]
    spaces = "".join(f' xmlns{":" + prefix if prefix else ""}="{uri}"' for prefix, uri in declared.items())
    try:
        etree.fromstring(b"<x" + spaces.encode() + b">" + data + b"</x>", etree.XMLParser(**PARSER))
    except etree.XMLSyntaxError:
        return False
    return True
