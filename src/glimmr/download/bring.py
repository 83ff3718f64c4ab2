"""From an address to a file in scratch with its sha256: streamed, bounded, gone on with where it broke off."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimmr.download.partial import Partial, partial
from glimmr.errors import (
    BodyCut,
    ConnectionReset,
    EmptyReply,
    FetchError,
    HeaderTimeout,
    Http2Error,
    LeaseLost,
    RangeMismatch,
    Stalled,
    TooSlow,
)
from glimmr.model import Fetched
from glimmr.net import Answer, Client, direct, normalise, redact
from glimmr.net.transfer import Progress, silent
from glimmr.retry import Class, rule_for

# What breaks a transfer in the middle: worth going on at once, as long as each try brings bytes (RELIABILITY.md §4).
_BROKEN_OFF = (ConnectionReset, BodyCut, Stalled, TooSlow, Http2Error, EmptyReply, HeaderTimeout)
_MOST_RESUMES, _MOST_RESTARTS = 10, 2
_MUCH_BYTES = 16 * 2**20  # brought by one try, they let the count begin anew
_LONGEST_PAUSE_SECONDS = 5.0
_WAKE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The address still serves the bytes we have: its server says so (`not_modified`), or `same_ranges` do."""

    http_status: int
    final_url: str
    reason: str = "not_modified"
    size_bytes: int = 0  # brought to see that


def bring(
    url: str,
    *,
    client: Client,
    scratch: Path,
    name: str = "",
    tell: Progress | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    max_bytes: int | None = None,
    min_free_bytes: int = 0,
) -> Fetched | NotModified:
    """Stream what is at `url` into a file in the folder `scratch`; the caller removes it.

    A transfer that breaks off is gone on with by Range and If-Range, here and at the next call of the same `name` (the
    `url`, where none is given) and folder; never with bytes of another version. `tell(bytes=, total=)` is called about
    twice a second and may raise to stop. Raises a FetchError, DiskFull before the space is short (`min_free_bytes` stay
    free), StorageFault, or what `tell` raises; then what is left, if anything, is what the next call goes on from.
    """
    told = tell or silent
    asked: dict[str, Any] = {"etag": etag, "last_modified": last_modified, "max_bytes": max_bytes}
    with partial(scratch, name or url, tell=told, min_free_bytes=min_free_bytes, worth=_is_worth_keeping) as growing:
        answer = _until_whole(client, url, growing, told, asked)
        if answer.not_modified:
            growing.throw_away()
            return NotModified(http_status=answer.status, final_url=redact(answer.final_url))
        return Fetched(
            path=str(growing.keep()),
            file_id=growing.sha256,
            size_bytes=growing.size_bytes,
            http_status=answer.status,
            final_url=redact(answer.final_url),
            etag=answer.etag,
            last_modified=answer.last_modified,
            content_type=answer.content_type,
            disposition_name=answer.disposition_name,
            weaknesses=answer.weaknesses,
        )


def _until_whole(client: Client, url: str, growing: Partial, tell: Progress, asked: dict[str, Any]) -> Answer:
    """Ask, and go on asking for the rest while every try brings some."""
    since, resumes, restarts = time.monotonic(), 0, 0
    cut: FetchError | None = None
    address = direct(normalise(url))
    while True:
        before = growing.size_bytes
        try:
            return client.fetch(address, growing, resume=growing.resume, since=since, tell=tell, **asked)
        except RangeMismatch as error:
            restarts += 1
            if cut is not None and error.size_bytes == growing.size_bytes:
                growing.restart()  # there is no more to be had: what was announced, or what is here, is wrong
                raise cut from error
            if restarts > _MOST_RESTARTS:
                raise
            growing.restart()
        except _BROKEN_OFF as error:
            cut, gained = error, growing.size_bytes - before
            resumes = 1 if gained >= _MUCH_BYTES else resumes + 1
            if gained <= 0 or resumes > _MOST_RESUMES or growing.resume is None:
                raise
            growing.sync()
            _pause(resumes, lambda: tell(bytes=growing.size_bytes, total=None))


def _pause(resumes: int, tell: Progress) -> None:
    """A moment for a server that is being restarted; longer each time."""
    seconds = min(0.25 * 2 ** (resumes - 1), _LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tell()
        time.sleep(min(left, _WAKE_SECONDS))


def _is_worth_keeping(error: BaseException) -> bool:
    """Whether somebody will go on with what is here: the fault passes, or is ours, or another run has the job."""
    return isinstance(error, LeaseLost) or rule_for(error).klass in (Class.TRANSIENT, Class.WAIT, Class.LOCAL)
