"""What is worth telling: one catalogue; logs, progress (and later metrics and crash points) listen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of thing that happens. `name` is `<noun>.<past participle>`."""

    name: str
    text: str


SCAN_FOUND = Event("scan.found", "a source named the price files of one place")
FETCH_STARTED = Event("fetch.started", "an address is being asked for its bytes")
FETCH_ENDED = Event("fetch.ended", "an address answered: its bytes are on the shelf, or are those we have")
PARSE_STARTED = Event("parse.started", "a child process began to read a snapshot")
PARSE_ENDED = Event("parse.ended", "a snapshot was read to its end")
PUBLISH_STARTED = Event("publish.started", "a price list is about to enter the price table")
PUBLISH_COMMITTED = Event("publish.committed", "one of the four tables took its part of a price list")
PUBLISH_ENDED = Event("publish.ended", "a price list is in the price table, whole")
JOB_ENQUEUED = Event("job.enqueued", "a job was written to the ledger")
JOB_CLAIMED = Event("job.claimed", "a worker took a job")
JOB_PROGRESSED = Event("job.progressed", "a running job told how far it is")
JOB_FINISHED = Event("job.finished", "a job ended with an outcome")
JOB_RETRIED = Event("job.retried", "a job failed and will run again")
JOB_HANDED_BACK = Event("job.handed_back", "a worker gave a job back unfinished; no attempt is charged")
JOB_RESCUED = Event("job.rescued", "a job's lease ran out; it will run again")
JOB_GAVE_UP = Event("job.gave_up", "a job failed and will not run again")
LEASE_LOST = Event("lease.lost", "a run found that its job belongs to another run now")

CATALOGUE: tuple[Event, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Event))

Listener = Callable[[Event, dict[str, Any]], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener(event, facts)` for everything that is told, in the thread that tells it. Returns how to stop."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell(event: Event, **facts: Any) -> None:
    """Say that `event` happened."""
    for listener in tuple(_listeners):
        listener(event, facts)
