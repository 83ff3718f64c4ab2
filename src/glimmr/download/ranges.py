"""Five ranges of a file stand for the whole: whether an address still serves the bytes we have, for 5 MiB of them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glimmr.download.bring import NotModified
from glimmr.errors import (
    BadRequest,
    BodyCut,
    ChallengePage,
    ConnectionReset,
    EmptyReply,
    Forbidden,
    HeaderTimeout,
    Http2Error,
    NoContent,
    NotAcceptable,
    ProtocolError,
    RangeMismatch,
    ServerError,
    Stalled,
    TooSlow,
)
from glimmr.model import Ranges
from glimmr.net import Answer, Client, direct, normalise, redact
from glimmr.net.resume import Span
from glimmr.net.transfer import Progress
from glimmr.stores.blobs import fault

_RANGE_BYTES = 2**20
_RANGES = 5
_LAST = _RANGES - 1
# How servers and what stands before them fail at parts of files although they give the whole: the whole is asked for
# then, and what becomes of that counts.
_ODD = (
    RangeMismatch, BadRequest, Forbidden, NotAcceptable, NoContent, ServerError, ChallengePage, ProtocolError, BodyCut,
    ConnectionReset, EmptyReply, HeaderTimeout, Http2Error, Stalled, TooSlow,
)  # fmt: skip


def ranges_of(path: Path) -> Ranges | None:
    """What `unchanged` compares later on; None for a file that is no larger than its ranges. Raises StorageFault."""
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes <= _RANGES * _RANGE_BYTES:
                return None
            pieces = (os.pread(file.fileno(), span.length, span.at) for span in _spans(size_bytes))
            return Ranges(size_bytes=size_bytes, sha256=tuple(hashlib.sha256(piece).hexdigest() for piece in pieces))
    except OSError as error:
        raise fault(error, f"could not read {path}") from error


def unchanged(
    url: str, known: Ranges, *, client: Client, tell: Progress, etag: str | None, last_modified: str | None
) -> NotModified | None:
    """Whether the address serves a file of the same size with the same ranges; None: ask it for the whole.

    The first question is conditional, too, so that a server whose validators are worth something is asked no more.
    Raises the FetchErrors that asking for the whole would raise as well, and what `tell` raises.
    """
    here_bytes, address = 0, direct(normalise(url))
    validators: dict[str, Any] = {"etag": etag, "last_modified": last_modified}
    answer: Answer | None = None
    for span, sha256 in _the_ends_first(known):
        hashed = _Hash(tell, here_bytes)
        try:
            answer = client.fetch(address, hashed, resume=span, tell=hashed.tell, **validators)
        except _ODD:
            return None
        if answer.not_modified:
            return NotModified(http_status=answer.status, final_url=redact(answer.final_url))
        if hashed.sha256 != sha256:
            return None
        here_bytes += span.length
        validators = {}
    assert answer is not None, "there are ranges"
    return NotModified(
        http_status=answer.status, final_url=redact(answer.final_url), reason="same_ranges", size_bytes=here_bytes
    )


def _spans(size_bytes: int) -> list[Span]:
    """The first, the last, and three between at equal distances."""
    last = size_bytes - _RANGE_BYTES
    return [Span(at=last * n // _LAST, length=_RANGE_BYTES, size_bytes=size_bytes) for n in range(_RANGES)]


def _the_ends_first(known: Ranges) -> Iterator[tuple[Span, str]]:
    """A newer file differs at the beginning (its date) or the end more often than in the middle."""
    pairs = list(zip(_spans(known.size_bytes), known.sha256, strict=True))
    yield from (pairs[0], pairs[-1], *pairs[1:-1])


class _Hash:
    """A sink that only hashes, and tells of how much was hashed before it and in it."""

    def __init__(self, tell: Progress, before_bytes: int) -> None:
        self._tell, self._before_bytes = tell, before_bytes
        self._hash, self._here_bytes = hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def tell(self, **_: Any) -> None:
        """In place of what the transfer tells, which is where in the file it is."""
        self._tell(bytes=self._before_bytes + self._here_bytes, total=_RANGES * _RANGE_BYTES)

    def begin(self, size_bytes: int | None, *, at: int = 0, validator: str | None = None) -> None:
        """Forget an answer before."""
        del size_bytes, at, validator
        self._hash, self._here_bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Hash it."""
        self._hash.update(data)
        self._here_bytes += len(data)
