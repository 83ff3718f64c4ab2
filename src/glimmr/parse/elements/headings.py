"""Several documents in one text: what they say of themselves that is not in the header."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glimmr.parse.findings import Spots
from glimmr.parse.objects.flatten import as_json


@dataclass(slots=True)
class Heading:
    """An object that may be a document: the byte of the file where it begins, the item its table begins with."""

    byte: int
    item: int
    has_table: bool = False
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    added: list[str] = field(default_factory=list[str])  # the keys that nobody had said before


class Headings:
    """Which documents have another header: where each begins, the first key that differs, what it says."""

    def __init__(self) -> None:
        self._first: Heading | None = None
        self.others = Spots()

    def close(self, heading: Heading, root: dict[str, Any]) -> None:
        """A document has ended. `root` is what all have said; what a later one has added to it is taken back.

        An object around the first document ends behind it, but is no later one: what it says is the header's, too.
        """
        if self._first is None:
            self._first = heading
        added = heading.added if heading.byte > self._first.byte else ()
        other = {key: value for key, value in heading.said.items() if key in added or root.get(key) != value}
        for key in added:
            del root[key]
        if not root:  # those before said nothing: this is the header
            root.update(other)
        elif other:
            self.others.add(heading.byte, _text(heading, other), next(iter(other)))


def _text(heading: Heading, other: Mapping[str, Any]) -> str:
    items = f"from /sci/{heading.item} on; " if heading.has_table else ""
    return items + "; ".join(f"{key}: {one if isinstance(one, str) else as_json(one)}" for key, one in other.items())
