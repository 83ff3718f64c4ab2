"""What a process says of its work: a line of the log for each thing that happens, those that begin or end in words."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from structlog.stdlib import BoundLogger

from glimmr import events
from glimmr.cli import log
from glimmr.cli.show import clean, size
from glimmr.events import Event

_TOLD = (
    events.JOB_CLAIMED,
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
_SHOWN = frozenset((*_TOLD, *_ALSO))


def narrate(*, shown: bool = True) -> Callable[[], None]:
    """Begin to log what this process does: `shown` on standard error, too. Returns how to stop."""
    log.show_events(shown)
    stop = events.listen(partial(_tell, structlog.get_logger(log.EVENTS).bind()))

    def ended() -> None:
        log.show_events(False)
        stop()

    return ended


def _tell(logger: BoundLogger, event: Event, facts: dict[str, Any]) -> None:
    """What begins or ends for a person to see, anything else for who looks for a fault."""
    if not logger.isEnabledFor(logging.INFO if event in _SHOWN else logging.DEBUG):
        return
    if event in _TOLD:
        logger.info(event.name, text=line_of(event, facts), **facts)
    elif event in _ALSO:
        logger.info(event.name, text=_ALSO[event].format_map(facts | _slots(facts)), **facts)
    else:
        logger.debug(event.name, **facts)


def _slots(facts: dict[str, Any]) -> dict[str, str]:
    """How many jobs of each step a worker takes, in words."""
    return {"slots": ", ".join(f"{step} {count}" for step, count in facts.get("slots", {}).items())}


def line_of(event: Event, facts: dict[str, Any]) -> str:
    """One event in words: `download 12 finished: ok, 3.2 MB (h.example)`."""
    what = event.name.rpartition(".")[2].replace("_", " ")
    ended = " ".join(filter(None, (facts.get("outcome"), facts.get("reason"))))
    sizes = (facts.get("bytes") and size(facts["bytes"]), facts.get("rows") and f"{facts['rows']:,} rows")
    later = f"again in {facts['delay_seconds']:,.0f} s" if facts.get("delay_seconds") else None
    told = ", ".join(str(part) for part in (ended, *sizes, later, facts.get("message")) if part)
    host = f" ({facts['host']})" if facts.get("host") else ""
    return clean(f"{facts['step']} {facts['job']} {what}{f': {told}' if told else ''}{host}")
