"""OpenTelemetry traces: one for each visit of an address, through all rooms, whichever processes did the work.

Nothing is handed from job to job for that. A trace is named by the visit (`stores.visits`), which each process finds in
the catalog when a run has ended; the run of the download that got the answer is the trace's root. A thread of its own
does so, so that no job waits for it. What is not about one file has a trace of its own.
"""

import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from glimmr import __version__, events
from glimmr.errors import LocalFault
from glimmr.events import Event
from glimmr.jobs import selection
from glimmr.stores import visits
from glimmr.stores.database import Connection, Database
from glimmr.stores.visits import Visit
from glimmr.watch.spans import Span, Spans

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_MOST_WAITING = 10_000  # runs whose spans are not made yet: while the database is away, more are left out
_MOST_STAGES = 1_000  # of one run: a file may be asked for in many requests
_MOST_LINKS = 100  # addresses that give the same bytes
_LAST_SECONDS = 4.0  # for what is left at the end: to be named, and to be sent
_ENDED = (events.JOB_FINISHED, events.JOB_GAVE_UP, events.JOB_RETRIED, events.JOB_HANDED_BACK, events.LEASE_LOST)
_UNANSWERED = (events.JOB_RETRIED, events.JOB_HANDED_BACK, events.LEASE_LOST)
# A stage is a span of its own: the event that begins it, the one that ends it, what it is called.
_STAGES = {
    events.REQUEST_ANSWERED: (events.REQUEST_SENT, "request"),
    events.FETCH_ENDED: (events.FETCH_STARTED, "fetch"),
    events.PARSE_READ: (events.PARSE_STARTED, "read in a child process"),
    events.PARSE_ENDED: (events.PARSE_READ, "put on the shelf"),
    events.PUBLISH_ENDED: (events.PUBLISH_STARTED, "into the four tables"),
}
_BEGINNINGS = {begin for begin, _ in _STAGES.values()}
_NO_EVENTS = {events.JOB_PROGRESSED, events.JOB_CLAIMED, events.JOB_OFFERED, events.FETCH_ADVANCED}
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """One run of a job, while it lasts."""

    facts: dict[str, Any]
    started: int  # nanoseconds since 1970, as all moments here
    begun: dict[Event, tuple[int, dict[str, Any]]] = field(default_factory=dict[Event, tuple[int, dict[str, Any]]])
    stages: list[Span] = field(default_factory=list[Span])
    told: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list[tuple[str, int, dict[str, Any]]])


_Ended = tuple[_Run, Event, dict[str, Any], int]
_RUN: ContextVar[_Run | None] = ContextVar("glimmr_traced_run", default=None)  # threads of the run inherit it


@contextmanager
def traced(database: Database, spans: Spans | None = None) -> Generator[None]:
    """Trace what this process does inside the block, where the environment names a collector (or to these `spans`).

    A collector that is away costs spans, never work.
    """
    spans = spans or _to_collector()
    if spans is None:
        yield
        return
    traces = _Traces(database, spans)
    stop = events.listen(traces.hear)
    try:
        yield
    finally:
        stop()
        traces.close()


def _to_collector() -> Spans | None:
    named = [name for name in ENDPOINTS if os.environ.get(name)]
    if not named or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        return Spans.to_collector(__version__)
    except ModuleNotFoundError as error:
        _LOG.warning("%s is set, but no traces are sent: %s is not installed (glimmr[otel])", named[0], error.name)
        return None


class _Traces:
    def __init__(self, database: Database, spans: Spans) -> None:
        self._database, self._spans = database, spans
        self._ended: queue.Queue[_Ended | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._make_spans, name="traces", daemon=True)
        self._thread.start()

    def hear(self, event: Event, facts: dict[str, Any]) -> None:
        """Called in the thread, and in the context, of the run that tells."""
        now = time.time_ns()
        if event is events.JOB_CLAIMED:
            _RUN.set(_Run(facts, now))
            return
        run = _RUN.get()
        if run is None:
            return
        if event in _ENDED and facts["job"] == run.facts["job"]:
            _RUN.set(None)
            try:
                self._ended.put_nowait((run, event, facts, now))
            except queue.Full:
                _LOG.debug("no trace of job %d: too many wait", facts["job"])
        elif len(run.stages) + len(run.told) < _MOST_STAGES:
            _note(run, event, facts, now)

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        try:
            self._ended.put(None, timeout=_LAST_SECONDS)
        except queue.Full:
            return  # the database is away
        self._thread.join(_LAST_SECONDS)
        self._spans.close(_LAST_SECONDS)

    def _make_spans(self) -> None:
        while (ended := self._ended.get()) is not None:
            try:
                visit, others = self._database.read(lambda connection, ended=ended: _visits(connection, ended))
                links = [_name(other) for other in others]
                self._spans.put(_span(ended), visit and _name(visit), root=_is_root(ended, visit), links=links)
            except LocalFault as fault:
                _LOG.debug("no trace of job %d: %s", ended[0].facts["job"], fault)
            except Exception:  # noqa: BLE001 - a bug here must not end the traces of all that follows
                _LOG.exception("no trace of job %d", ended[0].facts["job"])


def _note(run: _Run, event: Event, facts: dict[str, Any], now: int) -> None:
    """What is told between begin and end: a stage that is over is a span, anything else is told beside the run."""
    if event in _STAGES:
        begin, name = _STAGES[event]
        since, told = run.begun.pop(begin, (now, {}))
        if event is events.PARSE_READ:  # the child says how long it took; before that the bytes were fetched
            since = max(since, now - int(facts["seconds"] * 1e9))
        run.stages.append(Span(name, since, now, told | facts))
    if event in _BEGINNINGS:
        run.begun[event] = (now, facts)
    elif event not in _STAGES and event not in _NO_EVENTS:
        run.told.append((event.name, now, facts))


def _span(ended: _Ended) -> Span:
    run, event, facts, now = ended
    # What began and did not end, ended with the run: a connection that broke, a child that was killed.
    cut = [Span(_STAGE_OF[begin], since, now, told, "") for begin, (since, told) in run.begun.items()]
    failed = event in (events.JOB_GAVE_UP, events.JOB_RETRIED, events.LEASE_LOST)
    why = ": ".join(filter(None, (facts.get("reason"), facts.get("message"))))
    return Span(run.facts["step"], run.started, now, facts, why if failed else None, run.told, [*run.stages, *cut])


_STAGE_OF = dict(_STAGES.values())


def _visits(connection: Connection, ended: _Ended) -> tuple[Visit | None, list[Visit]]:
    """The visit that a run belongs to, and those of other addresses that gave the bytes it was at, too."""
    visit, file_id = _visit(connection, ended), ended[0].facts["args"].get("file_id")
    return visit, visits.also_gave(connection, file_id, visit, _MOST_LINKS) if visit and file_id else []


def _visit(connection: Connection, ended: _Ended) -> Visit | None:
    """The visit that a run belongs to; None: it is not about one file, or that was removed."""
    run, event, _, _ = ended
    args, step = run.facts["args"], run.facts["step"]
    key, file_id = args.get("price_file_id"), args.get("file_id")
    if step == "download":
        return visits.of_download(connection, key, answered=event not in _UNANSWERED)
    if step == "publish" and key:
        return visits.of_publishing(connection, key, file_id)
    job = selection.one(connection, run.facts["job"]) if step == "parse" else None
    return visits.of_parsing(connection, file_id, job["created_at"]) if job else None


def _is_root(ended: _Ended, visit: Visit | None) -> bool:
    run, event, _, _ = ended
    return visit is None or (run.facts["step"] == "download" and event not in _UNANSWERED)


def _name(visit: Visit) -> bytes:
    """What the ids of a trace are made of, the same in every process."""
    return hashlib.sha256(f"{visit[0]}:{visit[1]}".encode()).digest()
