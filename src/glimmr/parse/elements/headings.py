"""Several documents in one text: what the later ones say of themselves that the first one does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glimmr.parse.objects.flatten import as_json

_MOST_SHOWN = 5  # as many as a finding shows


@dataclass(slots=True)
class Heading:
    """An object that may be a document: the byte of the file where it begins, the item its table begins with."""

    byte: int
    item: int
    has_table: bool = False
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    added: list[str] = field(default_factory=list[str])  # the keys that nobody had said before


@dataclass(frozen=True, slots=True)
class OtherHeading:
    """A later document with another header: where it begins, the first key that differs, what it says."""

    byte: int
    key: str
    text: str


class Headings:
    """Counts the documents whose header is not that of the first; keeps the first few."""

    def __init__(self) -> None:
        self._documents = 0
        self.count = 0
        self.first: list[OtherHeading] = []

    def close(self, heading: Heading, root: dict[str, Any]) -> None:
        """A document has ended. `root` is what all have said; what a later one has added to it is taken back."""
        self._documents += 1
        if self._documents == 1:
            return
        other = {key: value for key, value in heading.said.items() if key in heading.added or root.get(key) != value}
        for key in heading.added:
            del root[key]
        if not root:  # those before said nothing: this is the header
            root.update(other)
            return
        if not other:
            return
        self.count += 1
        if len(self.first) < _MOST_SHOWN:
            self.first.append(OtherHeading(heading.byte, next(iter(other)), _text(heading, other)))


def _text(heading: Heading, other: Mapping[str, Any]) -> str:
    items = f"from /sci/{heading.item} on; " if heading.has_table else ""
    return items + "; ".join(f"{key}: {one if isinstance(one, str) else as_json(one)}" for key, one in other.items())
