"""What a process says of its work: a line of the log for each job that ends, for what else a person wants to see.

That a job began is told at debug level only: it would be half of the lines, and the ledger knows it (`glimmr logs ID`).
"""

import logging
from collections.abc import Callable
from typing import Any

from glimmr import events
from glimmr.cli import log
from glimmr.cli.log_lines import EVENTS
from glimmr.cli.show import clean, size
from glimmr.events import Event

_ENDS = (
    events.JOB_FINISHED,
    events.JOB_RETRIED,
    events.JOB_HANDED_BACK,
    events.JOB_RESCUED,
    events.JOB_GAVE_UP,
    events.LEASE_LOST,
)
_ALSO = {
    events.WORKER_STARTED: "at work: {slots}",
    events.WORKER_LEFT: "at work no longer",
    events.INVARIANT_REPAIRED: "repaired ({invariant}): {message}",
    events.ALERT_FIRED: "alert fired ({alert}): {message}",
    events.ALERT_CLEARED: "alert cleared ({alert}): {message}",
}
_SHOWN = frozenset((*_ENDS, *_ALSO))
_WORDS = {event: event.name.rpartition(".")[2].replace("_", " ") for event in events.CATALOGUE}
_LOG = logging.getLogger(EVENTS)


def narrate(*, shown: bool = True) -> Callable[[], None]:
    """Begin to log what this process does: `shown` on standard error, too. Returns how to stop."""
    log.show_events(shown)
    stop = events.listen(_hear, events.CATALOGUE if _LOG.isEnabledFor(logging.DEBUG) else _SHOWN)

    def ended() -> None:
        log.show_events(False)
        stop()

    return ended


def _hear(event: Event, facts: dict[str, Any]) -> None:
    """What ends, for a person to see; anything else for who looks for a fault."""
    level = logging.INFO if event in _SHOWN else logging.DEBUG
    if not _LOG.isEnabledFor(level):
        return
    if event in _ENDS or event is events.JOB_CLAIMED:
        facts = {"text": line_of(event, facts), **facts}
    elif event in _ALSO:
        facts = {"text": _ALSO[event].format_map(facts | _slots(facts)), **facts}
    record = _LOG.makeRecord(EVENTS, level, "", 0, event.name, (), None, extra={"told": facts})
    _LOG.handle(record)  # `log` would look for the caller, whom no line names


def _slots(facts: dict[str, Any]) -> dict[str, str]:
    """How many jobs of each step a worker takes, in words."""
    return {"slots": ", ".join(f"{step} {count}" for step, count in facts.get("slots", {}).items())}


def line_of(event: Event, facts: dict[str, Any]) -> str:
    """One event in words: `download 12 finished: ok, 3.2 MB, 1.4 s (h.example)`."""
    ended = " ".join(filter(None, (facts.get("outcome"), facts.get("reason"))))
    sizes = (facts.get("bytes") and size(facts["bytes"]), facts.get("rows") and f"{facts['rows']:,} rows")
    later = f"again in {facts['delay_seconds']:,.0f} s" if facts.get("delay_seconds") else None
    took = f"{facts['seconds']:,.1f} s" if facts.get("seconds") is not None else None
    told = ", ".join(str(part) for part in (ended, *sizes, took, later, facts.get("message")) if part)
    host = f" ({facts['host']})" if facts.get("host") else ""
    return clean(f"{facts['step']} {facts['job']} {_WORDS[event]}{f': {told}' if told else ''}{host}")
