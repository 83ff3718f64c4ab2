"""How a record of the log becomes a line: JSON or text, with the run it is about and without what nobody may read.

Every job makes a line, so nothing is done that need not be: a line is made as it is, and gone through for secrets only
when it has something that could be one.
"""

import logging
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from structlog.contextvars import get_contextvars
from structlog.tracebacks import ExceptionDictTransformer

from glimmr.cli.show import clean, clean_lines, one_line_json
from glimmr.watch.redaction import Redactor

EVENTS = "glimmr.events"
"""The logger of what `events` tells: its lines are shown as they are."""
_OWN = frozenset(("at", "level", "logger", "event", "text", "exception", "args", "epoch"))
_structured = ExceptionDictTransformer(show_locals=False)
_Raised = tuple[type[BaseException], BaseException, TracebackType | None]


class Lines(logging.Formatter):
    """A line for each record; what `record.told` holds (an event's facts) is part of it."""

    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor, self._as_json = redactor, as_json
        self._line = _json if as_json else _text

    def format(self, record: logging.LogRecord) -> str:
        """The line, free of secrets and of control characters."""
        told = self._told(record)
        line = self._line(told)
        return self._line(self._redactor.value(told)) if self._redactor.may_hold(line) else line

    def _told(self, record: logging.LogRecord) -> dict[str, Any]:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        level, event = record.levelname.lower(), _said(record)
        told: dict[str, Any] = {"at": at, "level": level, "logger": record.name, "event": event}
        facts: dict[str, Any] = getattr(record, "told", {})
        told |= facts if "job" in facts else get_contextvars() | facts  # an event about a job says all there is
        if file := _file_of(told.get("args")):
            told["file"] = file
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = (_structured if self._as_json else _traceback)(record.exc_info)
        return told


def _said(record: logging.LogRecord) -> str:
    """Its words; where a library's do not fit what it put into them, both: that is no reason to stop who logs."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - it may be any, of any library's `__str__`
        return f"{record.msg!r} {tuple(map(type, record.args or ()))}"


def _file_of(args: Any) -> str | None:
    """The file a job is about, which is in its arguments."""
    return args.get("file_id") or args.get("price_file_id") if isinstance(args, Mapping) else None


def _traceback(raised: _Raised) -> str:
    return "".join(traceback.format_exception(*raised)).rstrip("\n")


def _json(told: Mapping[str, Any]) -> str:
    return one_line_json({name: value for name, value in told.items() if value is not None and value != ""})


def _text(told: Mapping[str, Any]) -> str:
    if told["logger"] == EVENTS:
        return f"{told['at'][:19].replace('T', ' ')} {clean(told.get('text') or told['event'])}"
    about = " ".join(f"{name}={value}" for name, value in told.items() if name not in _OWN and value is not None)
    line = f"{told['level'].upper()} {told['logger']}: {told['event']}{f' ({about})' if about else ''}"
    return clean_lines(f"{line}\n{told['exception']}" if told.get("exception") else line)
