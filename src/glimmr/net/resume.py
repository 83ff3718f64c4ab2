"""Parts of a file: how its rest, one span or its beginning is asked for, and whether an answer is just that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import ClassVar

_RANGE = re.compile(r"bytes\s+(\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes\s+\*/(\d{1,19})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The beginning of a file that is here already: so many bytes of what `validator` names.

    `size_bytes` is the whole file's, where it is known.
    """

    at: int
    validator: str
    size_bytes: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Asks for the rest, or for the whole where it is another file by now (RFC 9110 §13.1.5)."""
        return {"Range": f"bytes={self.at}-", "If-Range": self.validator}

    def fits(self, part: "Part | None", validator: str | None) -> bool:
        """Whether a 206 carries just the rest that was asked for, and says that it is of the same version.

        Some servers heed Range and not If-Range: what does not say of which version it is may be of another.
        """
        if part is None or part.start != self.at or validator != self.validator:
            return False
        return None in (part.size_bytes, self.size_bytes) or part.size_bytes == self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Some bytes of a file of `size_bytes`, wanted alone: whoever answers with the whole is not listened to."""

    at: int
    length: int
    size_bytes: int

    @property
    def headers(self) -> dict[str, str]:
        """Asks for just these bytes (RFC 9110 §14.2)."""
        return {"Range": f"bytes={self.at}-{self.at + self.length - 1}"}

    def fits(self, part: "Part | None", validator: str | None) -> bool:
        """Whether a 206 carries just these, of a file that is as large."""
        del validator
        return part == Part(self.at, self.length, self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The first bytes of a file, at most `length`: whoever answers with the whole is listened to only so far.

    Fewer are good, too, also where the answer breaks off.
    """

    length: int
    at: ClassVar[int] = 0

    @property
    def headers(self) -> dict[str, str]:
        """Asks for just these bytes (RFC 9110 §14.2)."""
        return {"Range": f"bytes=0-{self.length - 1}"}

    def fits(self, part: "Part | None", validator: str | None) -> bool:
        """Whether a 206 carries a beginning."""
        del validator
        return part is not None and part.start == 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a Content-Range says: the first byte, how many, and of how many."""

    start: int
    length: int
    size_bytes: int | None


def part_of(headers: Mapping[str, str]) -> Part | None:
    """Which part of the file a 206 says it carries (RFC 9110 §14.4); None when it does not say."""
    found = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if found is None:
        return None
    start, end = int(found[1]), int(found[2])
    return Part(start, end - start + 1, None if found[3] == "*" else int(found[3]))


def size_told(headers: Mapping[str, str]) -> int | None:
    """The file's size in a 416, which has nothing else to give."""
    found = _UNSATISFIED.fullmatch(headers.get("content-range", "").strip())
    return int(found[1]) if found else None


def validator_of(headers: Mapping[str, str]) -> str | None:
    """What names exactly these bytes: a strong ETag, else a Last-Modified that had passed when they were sent.

    None: the server gives neither, or no ranges; then nothing can be gone on with (RFC 9110 §8.8.2.2, §8.8.3).
    """
    if headers.get("accept-ranges", "").lower() == "none":
        return None
    etag = headers.get("etag", "")
    if etag:
        return etag if etag.startswith('"') else None
    modified, sent = headers.get("last-modified", ""), headers.get("date", "")
    try:
        settled = not sent or parsedate_to_datetime(sent) - parsedate_to_datetime(modified) >= timedelta(seconds=1)
    except (TypeError, ValueError):
        return None
    return modified if modified and settled else None
