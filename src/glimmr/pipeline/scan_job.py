"""A question to a source, as a job: scans put it, and downloads that find nothing where something was."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from glimmr.jobs.job import NewJob
from glimmr.pipeline.parts import utcnow

_FIRST = "cms_roster"  # with the roster known, what the others say finds its hospital


def scan_job(source: str, place: str, *, refresh: bool, since: datetime | None = None) -> NewJob:
    """Ask `source` about `place` (a state's code, a domain, a list's path).

    In all questions that began at one moment (`since`) a site is asked once, and with `refresh` each known address that
    is named is put, once.
    """
    return NewJob(
        step="scan",
        args={"source": source, "place": place, "refresh": refresh},
        more_args={"since": (since or utcnow()).isoformat()},
        priority=1 if source == _FIRST else 0,
    )


def scan_jobs(asked: Iterable[tuple[str, str]], *, refresh: bool) -> list[NewJob]:
    """Ask these (source, place) pairs, from now on."""
    since = utcnow()
    return [scan_job(source, place, refresh=refresh, since=since) for source, place in asked]


def since_of(args: Mapping[str, Any]) -> datetime:
    """When the questions began that a scan job is one of."""
    return datetime.fromisoformat(args["since"]) if "since" in args else utcnow()  # an older version put it
