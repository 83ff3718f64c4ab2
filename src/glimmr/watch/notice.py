"""What a person is told of an alert: plain values, the same for every channel."""

import socket
from typing import Any

from glimmr.stores.alerts import Seen
from glimmr.watch.alerts import Alert

_DOCS = "docs/operate/alerts.md"


def notice_of(alert: Alert, seen: Seen) -> dict[str, Any]:
    """That the alert fired, or that it cleared."""
    state = "fired" if seen.cleared_at is None else "cleared"
    since = seen.seen_at.isoformat(timespec="seconds")
    return notice(alert, state, subject=seen.subject, seen=seen.text, since=since)


def notice(alert: Alert, state: str, *, subject: str, seen: str, since: str) -> dict[str, Any]:
    """`text` is the whole in one line: all that chat systems show."""
    text = f"{seen}. What to do: {alert.act}" if state == "fired" else f"over: {seen}"
    return {
        "text": f"[glimmr] {alert.severity} {alert.name} {state}: {text}",
        "state": state,
        "alert": alert.name,
        "subject": subject,
        "severity": alert.severity,
        "seen": seen,
        "since": since,
        "means": alert.means if state == "fired" else "",
        "act": alert.act if state == "fired" else "",
        "docs": f"{_DOCS}#{alert.name}" if state == "fired" else "",
        "from": socket.gethostname(),
    }


def trial() -> dict[str, Any]:
    """One that says that nothing is wrong."""
    text = f"[glimmr] a test from {socket.gethostname()}: alerts arrive here, and nothing is wrong"
    empty = dict.fromkeys(("subject", "severity", "seen", "since", "means", "act", "docs"), "")
    return {"text": text, "state": "test", "alert": "test", "from": socket.gethostname()} | empty
