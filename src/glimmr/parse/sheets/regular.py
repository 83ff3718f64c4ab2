"""Rows of a sheet's XML as Excel and its like write it, read by pattern: three times as fast as an XML parser.

Only while every character is accounted for: at the first that is not, what is left goes to the XML parser.
"""

import re
from collections.abc import Iterable, Iterator

from glimmr.errors import ContentError

_TEXT = r"[^<&\r]*+(?:&(?:amp|lt|gt|quot|apos|#[0-9]{1,6}|#x[0-9A-Fa-f]{1,5});[^<&\r]*+)*+"
_SPACE = r'(?: xml:space="preserve")?'
_CELL = (
    r'<c(?: r="(?P<letters>[A-Z]{1,3})[0-9]{1,7}")?(?: s="(?P<style>[0-9]{1,6})")?(?: t="(?P<kind>[A-Za-z]+)")?'
    r"(?:/>|>(?:<f(?: [^<>]*)?(?:/>|>[^<]*</f>))?"
    rf"(?:<v{_SPACE}>(?P<value>{_TEXT})</v>|<v/>|<is><t{_SPACE}>(?P<inline>{_TEXT})</t></is>)?</c>)"
)
CELL = re.compile(_CELL)
"""A cell: the letters of its column, style, type, value, inline text; "" for what it does not say."""

_ROW = re.compile(
    r'<row(?: r="([0-9]{1,7})")?(?: (?!r=)[\w:.]+="[^"<&]*")*+'
    rf"(?:/>|>((?:{re.sub(r'[?]P<[a-z]+>', '?:', _CELL)})*+)</row>)"
)
_BEGIN, _END = b"<row", b"</sheetData"
_STEP_BYTES = 1 << 18
_DATA = re.compile(rb"<sheetData *>")
_ENCODING = re.compile(rb"encoding=[\"']([^\"']*)")
_MOST_BYTES = 1 << 23  # of one row; a longer one is the XML parser's to refuse


class Regular:
    """The rows at the beginning of a sheet that are regular, and all the rest."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._head = b""
        self._left = b""
        self._failure: ContentError | None = None

    def rows(self) -> Iterator[tuple[int | None, str]]:
        """Of each row its number, if it says one, and the text of its cells, for `CELL`."""
        if not self._open():
            return
        while True:
            cut = self._left.rfind(_BEGIN)  # before it all rows are whole
            if cut > 0:
                segment, self._left = self._left[:cut], self._left[cut:]
                used = 0
                try:
                    text = segment.decode("utf-8")
                except UnicodeDecodeError:
                    self._left = segment + self._left
                    return
                while used < len(text) and (found := _ROW.match(text, used)):
                    used = found.end()
                    yield int(found[1]) if found[1] else None, found[2] or ""
                if used < len(text):
                    self._left = text[used:].encode("utf-8") + self._left
                    return
            if _END in self._left or len(self._left) > _MOST_BYTES or not self._more():
                return

    def rest(self) -> Iterator[bytes]:
        """The document without the rows that were given. Raises what damaged it, where it breaks."""
        left = self._head + self._left
        for at in range(0, len(left), _STEP_BYTES):
            yield left[at : at + _STEP_BYTES]
        if self._failure is not None:
            raise self._failure
        yield from self._parts

    def _more(self) -> bool:
        try:
            part = next(self._parts, b"")
        except ContentError as failure:
            self._failure = failure  # what is left before it may still hold a whole row
            return False
        self._left += part
        return bool(part)

    def _open(self) -> bool:
        """Read up to the first row; False when what stands before it is not regular."""
        while (found := _DATA.search(self._left)) is None:
            if len(self._left) > _MOST_BYTES or not self._more():
                return False
        head = self._left[: found.end()]
        declared = _ENCODING.search(head)
        if b"<!" in head or (declared is not None and declared[1].lower() != b"utf-8"):
            return False
        self._head, self._left = head, self._left[found.end() :]
        return True
