"""Objects of any shape out of a JSON list, every digit of their numbers kept."""

import re
from typing import Any

import msgspec

from glimmr.parse.elements.repair import Flaw, Number, mended
from glimmr.parse.elements.shapes import UnreadableError

_FIRST_KEY = re.compile(rb'\{\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:', re.DOTALL)
_ANY = re.compile(rb'\{\s*"')


class Loose:
    """Decodes the objects of one list. `first` is the text it begins with: other objects begin with the same key."""

    def __init__(self, first: bytes) -> None:
        self._decoder = msgspec.json.Decoder(float_hook=Number)
        found = _FIRST_KEY.match(first)
        self.start = re.compile(rb"\{\s*" + re.escape(found[1]) + rb"\s*:") if found else _ANY
        self._keys: frozenset[str] = frozenset()

    def many(self, data: bytes) -> list[Any]:
        """Objects separated by commas. Raises msgspec.DecodeError when any is odd."""
        items = self._decoder.decode(b"[" + data + b"]")
        if not all(isinstance(item, dict) for item in items):
            raise msgspec.ValidationError("not an object")
        if items and not self._keys:
            self._keys = frozenset(items[0])
        return items

    def one(self, data: bytes) -> tuple[Any, Flaw | None]:
        """One object, leniently, and what was malformed. Raises UnreadableError with the reject's reason."""
        try:
            item, flaw = mended(data)
        except (ValueError, RecursionError) as error:
            raise UnreadableError("malformed") from error
        if not isinstance(item, dict):
            raise UnreadableError("no_object")
        self._keys = self._keys or frozenset(item)
        return item, flaw

    def seam(self, data: bytes, at: int) -> int | None:
        """Objects of any shape have no seam that could be told cheaply."""
        del data, at

    def fits(self, data: bytes) -> bool:
        """Whether this is an object with half of the keys the first one had."""
        try:
            item, _ = self.one(data)
        except UnreadableError:
            return False
        return 2 * len(self._keys & frozenset(item)) >= len(self._keys)
