"""What an archive gives, whatever its kind: entries, one after another; and names that are safe to show."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from glimmr.errors import ContentError
from glimmr.parse.text import Readable

_MAX_NAME_CHARACTERS = 400
# Control characters, what turns the writing direction, line separators, halves of characters, marks of byte order.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_LEFT_BEHIND = {".DS_Store", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: its name, and how to read it; or why that cannot be done. It is read before the next."""

    name: str
    open: Callable[[], Readable]
    failure: ContentError | None = None


def shown(name: str) -> str:
    """A name out of an archive as a report may show it: never a path of ours, and nothing a terminal obeys."""
    name = _UNSHOWABLE.sub("\ufffd", name)
    if len(name) > _MAX_NAME_CHARACTERS:
        name = f"{name[: _MAX_NAME_CHARACTERS - 1]}…"
    return name or "unnamed"


def is_noise(name: str) -> bool:
    """What macOS and Windows leave behind in archives."""
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in _LEFT_BEHIND
