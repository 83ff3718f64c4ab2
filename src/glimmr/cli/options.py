"""Settings with what the command line says on top, and the log they ask for."""

import logging
from typing import Any

import typer

from glimmr import settings
from glimmr.cli.show import clean
from glimmr.settings import Settings


class _ToStderr(logging.Handler):
    """Writes where standard error is at that moment: a live drawing puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, free of control characters."""
        typer.echo(clean(self.format(record)), err=True)


def load(**given: Any) -> Settings:
    """The settings in force; an option that was not given (None) changes nothing."""
    loaded = settings.load(**{name: value for name, value in given.items() if value is not None})
    logging.basicConfig(
        level=loaded.log_level.upper(), handlers=[_ToStderr()], format="%(levelname)s %(name)s: %(message)s", force=True
    )
    return loaded
