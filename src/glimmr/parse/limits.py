"""How much one file may ask of us."""

import time
from dataclasses import dataclass, replace
from typing import Self


class Enough(Exception):
    """The head is all that was asked for (`Limits.head_items`, `head_seconds`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one `parse`. Sizes in bytes; the first three are settings."""

    max_unpacked_bytes: int = 20 * 2**30  # of all members together
    max_members: int = 1000
    max_rejected_percent: float = 50.0
    max_depth: int = 3  # containers inside containers
    bomb_ratio: float = 500.0  # unpacked : packed; both this and the next must be exceeded
    bomb_bytes: int = 256 * 2**20
    max_dictionary_bytes: int = 128 * 2**20  # memory one layer of xz or 7z may ask for (zstd: the same, built in)
    max_record_bytes: int = 8 * 2**20  # one CSV record
    max_element_bytes: int = 64 * 2**20  # one element of the JSON array
    block_bytes: int = 4 * 2**20  # how much text is turned into columns at a time
    head_items: int | None = None  # a look at the head: read no further than these items of each member, and no longer
    head_seconds: float | None = None
    until: float | None = None  # the end of the look, by the monotonic clock; known once it has begun

    def begun(self) -> Self:
        """The same from now on: the time for a look is running."""
        return self if self.head_seconds is None else replace(self, until=time.monotonic() + self.head_seconds)

    def look_at_clock(self) -> None:
        """To be called whenever bytes were read, at whatever layer. Raises Enough when a look has taken its time."""
        if self.until is not None and time.monotonic() > self.until:
            raise Enough
