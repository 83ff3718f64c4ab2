"""What a long-lived process says of its work: one line on standard error for each thing that begins or ends."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import typer

from glimmr import events
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


def narrate() -> Callable[[], None]:
    """Begin to tell what this process does. Returns how to stop."""
    return events.listen(_tell)


def _tell(event: Event, facts: dict[str, Any]) -> None:
    told = line_of(event, facts) if event in _TOLD else clean(_ALSO[event].format_map(facts)) if event in _ALSO else ""
    if told:
        typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {told}", err=True)


def line_of(event: Event, facts: dict[str, Any]) -> str:
    """One event in words: `download 12 finished: ok, 3.2 MB (h.example)`."""
    what = event.name.rpartition(".")[2].replace("_", " ")
    ended = " ".join(filter(None, (facts.get("outcome"), facts.get("reason"))))
    sizes = (facts.get("bytes") and size(facts["bytes"]), facts.get("rows") and f"{facts['rows']:,} rows")
    later = f"again in {facts['delay_seconds']:,.0f} s" if facts.get("delay_seconds") else None
    told = ", ".join(str(part) for part in (ended, *sizes, later, facts.get("message")) if part)
    host = f" ({facts['host']})" if facts.get("host") else ""
    return clean(f"{facts['step']} {facts['job']} {what}{f': {told}' if told else ''}{host}")
