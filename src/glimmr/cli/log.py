"""The log: every logger's lines, ours and those of libraries, in one shape, on standard error and in a file."""

import fcntl
import json
import logging
import logging.handlers
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from glimmr.cli.log_lines import EVENTS, Lines
from glimmr.errors import UsageError
from glimmr.settings import Settings
from glimmr.watch.redaction import Redactor

_KEPT_FILES = 5


def configure(settings: Settings) -> None:
    """Log as the settings say. Raises UsageError when the file cannot be written."""
    redactor, level = Redactor(settings), logging.getLevelNamesMapping()[settings.log_level.upper()]
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shown = _ToStderr(level)
    shown.setFormatter(Lines(redactor, as_json=as_json))
    handlers: list[logging.Handler] = [shown]
    if settings.log_file is not None:
        kept = _file(settings.log_file, settings.log_file_bytes)
        level = min(level, logging.INFO)
        kept.setLevel(level)
        kept.setFormatter(Lines(redactor, as_json=True))
        handlers.append(kept)
    logging.basicConfig(level=level, handlers=handlers, force=True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line of ours says which


def show_events(shown: bool) -> None:
    """Whether standard error has the lines about events from now on, whatever its level."""
    root = logging.getLogger()
    logging.getLogger(EVENTS).setLevel(min(root.level, logging.INFO) if shown else logging.NOTSET)
    for handler in root.handlers:
        if isinstance(handler, _ToStderr):
            handler.shows_events = shown


class _ToStderr(logging.Handler):
    """Writes where standard error is at that moment: a live drawing puts itself in its place."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._least, self.shows_events = level, False

    def filter(self, record: logging.LogRecord) -> bool:
        """What is loud enough; and events, where they are what a person sees of the work."""
        loud = record.levelno >= self._least
        return loud or (self.shows_events and record.name == EVENTS and record.levelno >= logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Its lines, free of control characters. Where nobody hears them (a closed pipe, a full disk) no work stops."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()


class _Kept(logging.handlers.WatchedFileHandler):
    """A file that several processes append to, whole lines; whoever finds it full moves it away for all of them."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._path, self._most_bytes = path, most_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Append it; a file that was moved is opened anew."""
        try:
            if self._is_full():
                self._rotate()
        except OSError:
            self.handleError(record)
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """A log that cannot be written (its disk is full) stops no work, and standard error has the line."""

    def _is_full(self) -> bool:
        return self._path.exists() and self._path.stat().st_size >= self._most_bytes

    def _rotate(self) -> None:
        with self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_full():
                return  # somebody else has done it
            for number in range(_KEPT_FILES - 1, 0, -1):
                older = older_file(self._path, number)
                if older.exists():
                    older.replace(older_file(self._path, number + 1))
            self._path.replace(older_file(self._path, 1))


def older_file(path: Path, number: int) -> Path:
    """Where the log was moved, 1 the newest."""
    return path.with_name(f"{path.name}.{number}")


def files(path: Path) -> list[Path]:
    """The log's files that there are, oldest first."""
    return [one for one in (*(older_file(path, n) for n in range(_KEPT_FILES, 0, -1)), path) if one.exists()]


def _file(path: Path, most_bytes: int) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Kept(path, most_bytes)
    except OSError as error:
        raise UsageError(f"GLIMMR_LOG_FILE: {path} cannot be written ({error.strerror})") from error


def parsed(line: str) -> dict[str, Any]:
    """A line of the log's file; empty where it is none (it was cut by a full disk)."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
