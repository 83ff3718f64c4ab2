"""What is worth telling: one catalogue; logs, progress, metrics, traces and crash points listen to it."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One kind of thing that happens. `name` is `<noun>.<past participle>`.

    There is one object of each, so they are compared as such: listeners look up every event that is told.
    """

    name: str
    text: str


DATABASE_MIGRATED = Event("database.migrated", "the database has this version's schema")
TABLE_MADE = Event("table.made", "one of the four tables of the price table was made, empty")
WORKER_STARTED = Event("worker.started", "a worker signed in, and hears of jobs from now on")
WORKER_LEFT = Event("worker.left", "a worker signed out in good order")
REQUEST_SENT = Event("request.sent", "a server is asked; each redirect is a request of its own")
REQUEST_ANSWERED = Event("request.answered", "a server's answer is here to its last byte, whatever it says")
SCAN_FOUND = Event("scan.found", "a source named the price files of one place")
FETCH_STARTED = Event("fetch.started", "an address is being asked for its bytes")
FETCH_BEGUN = Event("fetch.begun", "an address answered that its bytes follow")
FETCH_ADVANCED = Event("fetch.advanced", "another 8 MiB of an address's bytes are in scratch")
FETCH_ENDED = Event("fetch.ended", "an address answered: its bytes are on the shelf, or are those we have")
OBJECT_SYNCED = Event("object.synced", "the bytes of an object are on the disk; it has no name on the shelf yet")
OBJECT_NAMED = Event("object.named", "an object has its name on the shelf; the disk may not know the name yet")
OBJECT_PLACED = Event("object.placed", "an object is on its shelf, durable")
OBJECT_SWEPT = Event(
    "object.swept", "an object was deleted: of the price table, and named by nothing, or bytes that are not kept"
)
PARSE_STARTED = Event("parse.started", "a child process began to read a snapshot")
PARSE_READ = Event("parse.read", "a child process read a snapshot; what it wrote is still in scratch")
PARSE_ENDED = Event("parse.ended", "a snapshot was read, and its price list is on the shelf, unnamed")
PUBLISH_STARTED = Event("publish.started", "a price list is about to enter the price table")
CHANGE_DECIDED = Event("change.decided", "a change is about to enter one of the four tables, if nobody is faster")
CHANGE_LOGGED = Event("change.logged", "the log of one of the four tables names a change; the disk may not know it yet")
PUBLISH_COMMITTED = Event("publish.committed", "one of the four tables took its part of a price list")
PUBLISH_ENDED = Event("publish.ended", "a price list is in the price table, whole")
PUBLISH_RETRACTED = Event("publish.retracted", "a price list was taken out of the price table")
JOB_ENQUEUED = Event("job.enqueued", "a job was written to the ledger")
JOB_OFFERED = Event("job.offered", "a job that is due was brought to a worker")
JOB_CLAIMED = Event("job.claimed", "a worker took a job")
JOB_PROGRESSED = Event("job.progressed", "a running job told how far it is")
JOB_WRITTEN = Event(
    "job.written", "how a run ended is written, with all that follows from it, and about to be committed"
)
JOB_FINISHED = Event("job.finished", "a job ended with an outcome")
JOB_RETRIED = Event("job.retried", "a job failed and will run again")
JOB_HANDED_BACK = Event("job.handed_back", "a worker gave a job back unfinished; no attempt is charged")
JOB_RESCUED = Event("job.rescued", "a job's lease ran out; it will run again")
JOB_GAVE_UP = Event("job.gave_up", "a job failed and will not run again")
LEASE_LOST = Event("lease.lost", "a run found that its job belongs to another run now")
INVARIANT_REPAIRED = Event("invariant.repaired", "the rescuer made true again what was not (see `glimmr doctor`)")
ALERT_FIRED = Event(
    "alert.fired", "something wants a person (docs/operate/alerts.md); its notices are about to be sent"
)
ALERT_CLEARED = Event("alert.cleared", "what an alert fired for is over")

CATALOGUE: tuple[Event, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Event))

Listener = Callable[[Event, dict[str, Any]], None]
_listeners: dict[Event, tuple[Listener, ...]] = dict.fromkeys(CATALOGUE, ())
_changing = threading.Lock()


def listen(listener: Listener, to: Iterable[Event] = CATALOGUE) -> Callable[[], None]:
    """Call `listener(event, facts)` for each of these that is told, in the thread that tells. Returns how to stop."""
    heard = tuple(to)
    with _changing:
        for event in heard:
            _listeners[event] += (listener,)

    def stop() -> None:
        with _changing:
            for event in heard:
                _listeners[event] = tuple(one for one in _listeners[event] if one is not listener)

    return stop


def tell(event: Event, **facts: Any) -> None:
    """Say that `event` happened. A listener that stumbles is its own fault, never that of who tells."""
    for listener in _listeners[event]:
        try:
            listener(event, facts)
        except Exception:
            logging.getLogger(__name__).debug("a listener stumbled over %s", event.name, exc_info=True)
