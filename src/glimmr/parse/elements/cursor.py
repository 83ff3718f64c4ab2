"""Text blocks as one buffer with a place in it: how JSON is walked without having all of it."""

import re
from collections.abc import Iterator

from glimmr.parse.elements.places import Places
from glimmr.parse.elements.split import after_comma, near_value_end
from glimmr.parse.text import TextBlock

# Possessive, so that a string of many megabytes leaves nothing to go back to.
_KEY = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*:\s*', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]+(?=[,\]}\s])")
_INSIDE = re.compile(rb"[\[{]\s*(\S)")
_LONGEST_KEY_BYTES = 1 << 20


def odd_commas(commas: int, due: int) -> str:
    """What is wrong where other than the `due` commas stand."""
    return "a comma is missing" if commas < due else "a comma is too many"


class Cursor:
    """A place (`at`) in the text read so far (`data`). `final` when there is no more to read."""

    def __init__(self, blocks: Iterator[TextBlock]) -> None:
        self._blocks = blocks
        self._places = Places()
        self.data = b""
        self.at = 0
        self.final = False
        self.passed_bytes = 0  # of text that is no longer in `data`
        self.commas = self.lines = 0  # passed by the last `skip_blanks`

    @property
    def left_bytes(self) -> int:
        """How much is read behind the place."""
        return len(self.data) - self.at

    @property
    def offset(self) -> int:
        """The place as an offset in the whole text (UTF-8)."""
        return self.passed_bytes + self.at

    def byte(self, at: int | None = None) -> int:
        """The byte of the file at the place, or at another one in `data`."""
        return self._places.byte(self.passed_bytes + (self.at if at is None else at))

    def more(self) -> bool:
        """Read on; what lies before the place is forgotten. False at the end."""
        block = next(self._blocks, None)
        if block is None:
            self.final = True
            return False
        behind = self.passed_bytes + len(self.data)
        self.passed_bytes += self.at
        self._places.add(behind, block, self.passed_bytes)
        self.data = self.data[self.at :] + block.data
        self.at = 0
        return True

    def skip_blanks(self) -> None:
        """Go to the next byte that is neither blank nor comma."""
        self.commas = self.lines = 0
        while True:
            begun = self.at
            self.at = after_comma(self.data, begun)
            self.commas += self.data.count(b",", begun, self.at)
            self.lines += self.data.count(b"\n", begun, self.at)
            if self.at < len(self.data) or not self.more():
                return

    def peek(self) -> bytes:
        """The byte at the place; b"" at the end."""
        return self.data[self.at : self.at + 1]

    def inside(self) -> bytes:
        """The first byte inside the bracket at the place, which stays."""
        while True:
            found = _INSIDE.match(self.data, self.at)
            if found:
                return found[1]
            if not self.more():
                return b""

    def key(self) -> bytes | None:
        """Go behind the key at the place and its colon. None when there is none."""
        while True:
            found = _KEY.match(self.data, self.at)
            if found and found.end() < len(self.data):
                self.at = found.end()
                return found[1]
            if self.left_bytes > _LONGEST_KEY_BYTES or not self.more():
                return None

    def end_of_value(self) -> int | None:
        """The end (exclusive) of the value at the place; None when it is not whole yet."""
        mark = self.peek()
        if mark in {b"{", b"["}:
            return near_value_end(self.data, self.at)
        if mark == b"":
            return None
        found = (_STRING if mark == b'"' else _SCALAR).match(self.data, self.at)
        if found is None and self.final:
            return len(self.data)
        return found.end() if found else None

    def whole_value(self, limit_bytes: int) -> int | None:
        """`end_of_value`, reading on for up to `limit_bytes`."""
        while True:
            end = self.end_of_value()
            if end is not None or self.left_bytes > limit_bytes or self.final:
                return end
            self.more()
