"""One address brought home by itself: no database, but asked as on the line, and gone on with where it broke off."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glimmr.download import NotModified, bring_file
from glimmr.errors import FetchError
from glimmr.jobs.job import Tell
from glimmr.model import Fetched
from glimmr.net import Client, redact
from glimmr.outcomes import Outcome
from glimmr.pipeline.delivery import Target
from glimmr.pipeline.in_thread import in_thread
from glimmr.retry import History, decide
from glimmr.settings import Settings
from glimmr.sniff import HEAD_BYTES, Kind, sniff, whole
from glimmr.stores.blobs import fault

_NO_MORE_TRIES = History(failures=99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What one address gave: bytes at `to`, or an outcome that says why there are none.

    `ok` says nothing of prices: `glimmr parse` reads them. `incomplete`: the file is there, and its end is missing.
    """

    url: str
    outcome: Outcome
    reason: str = ""
    message: str = ""
    to: str | None = None
    file_id: str | None = None
    bytes: int = 0
    kind: str | None = None
    final_url: str | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    disposition_name: str | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


async def bring_one(settings: Settings, client: Client, url: str, target: Target, tell: Tell) -> Brought:
    """Bring what is at `url` to `target`. What broke off is kept beside it, and the next call goes on from there.

    An address that gives nothing ends in its outcome. Cancelling stops it. Raises UsageError, a LocalFault.
    """
    began = time.monotonic()
    with target.growing():
        try:
            brought = await in_thread(lambda told: _bring(settings, client, url, target, told), tell)
        except FetchError as error:
            verdict = decide(error, _NO_MORE_TRIES)
            brought = Brought(
                url=redact(url), outcome=verdict.outcome, reason=verdict.reason, message=_told(error, target.scratch)
            )
    return replace(brought, seconds=time.monotonic() - began)


def _bring(settings: Settings, client: Client, url: str, target: Target, tell: Tell) -> Brought:
    fetched = bring_file(url, client=client, scratch=target.scratch, tell=tell, min_free_bytes=settings.min_free_bytes)
    assert not isinstance(fetched, NotModified), "nothing was asked about conditionally"
    path = Path(fetched.path)
    try:
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES), fetched.size_bytes)
        cut = whole(path)
        to = target.deliver(path, fetched.file_id, kind)
    except OSError as error:
        raise fault(error, f"could not read {path}") from error
    finally:
        path.unlink(missing_ok=True)
    return _brought(url, fetched, kind, cut, to)


def _brought(url: str, fetched: Fetched, kind: Kind, cut: str | None, to: Path) -> Brought:
    return Brought(
        url=redact(url),
        outcome=Outcome.INCOMPLETE if cut else Outcome.OK,
        reason=cut or "",
        message="its end is missing" if cut else "",
        to=str(to),
        file_id=fetched.file_id,
        bytes=fetched.size_bytes,
        kind=kind,
        final_url=fetched.final_url,
        http_status=fetched.http_status,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
        content_type=fetched.content_type,
        disposition_name=fetched.disposition_name,
    )


def _told(error: FetchError, scratch: Path) -> str:
    """The error, and whether the next call has something to go on from."""
    kept = sum(path.stat().st_size for path in scratch.glob("*.part")) if scratch.is_dir() else 0
    return f"{error}; what came is kept in {scratch}: the same command goes on from there" if kept else str(error)
