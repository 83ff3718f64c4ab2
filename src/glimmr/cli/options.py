"""Settings with what the command line says on top, and the log they ask for."""

import difflib
from collections.abc import Collection
from typing import Any

from glimmr import settings
from glimmr.cli.log import configure
from glimmr.errors import UsageError
from glimmr.settings import Settings

_MOST_NAMED = 20


def load(**given: Any) -> Settings:
    """The settings in force; an option that was not given (None) changes nothing."""
    loaded = settings.load(**{name: value for name, value in given.items() if value is not None})
    configure(loaded)
    return loaded


def one_of(option: str, given: str | None, known: Collection[str]) -> None:
    """Raises UsageError, naming the near miss, when an option's value is none of the known ones."""
    if given is None or given in known:
        return
    near = difflib.get_close_matches(given.lower(), known, n=1)
    several = f"it is one of {', '.join(known)}" if len(known) <= _MOST_NAMED else "docs/reference/outcomes.md has them"
    hint = f"did you mean {near[0]}?" if near else several
    raise UsageError(f"{option} {given}: there is no such value; {hint}")
