"""The command line: which commands there are, and how an error reaches a person."""

import errno
import io
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from glimmr import __version__
from glimmr.cli import (
    alerts,
    ask,
    check,
    control,
    coverage,
    demo,
    doctor,
    fetch,
    find,
    health,
    hospitals,
    logs,
    look,
    read,
    scan,
    timeline,
    top,
    work,
)  # fmt: skip
from glimmr.cli.show import why
from glimmr.errors import DiskFull, GlimmrError, LocalFault, UsageError


class _Commands(TyperGroup):
    """Ends quietly when the reader of its output has seen enough (`glimmr sql … | head`)."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Typer itself would end with 1 when standard output is closed."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                typer.echo(nl=False)  # flushes, where there is a standard output at all
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit from None
        except OSError as error:
            if error.errno not in _UNWRITABLE or error.filename is not None:
                raise
            _drop_output()
            raise DiskFull(f"standard output could not be written: {error.strerror}") from error


app = typer.Typer(
    name="glimmr",
    cls=_Commands,
    help="Every US hospital's published prices, brought home into one table that anyone can query.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    work.run, scan.scan, work.serve, work.worker, read.parse, check.validate, check.inspect, fetch.download,
    fetch.get, ask.prices, ask.sql, hospitals.hospitals, hospitals.hospital, find.find, coverage.coverage, look.status,
    look.jobs, timeline.job, logs.logs, top.top, control.pause, control.resume, control.prioritize, control.cancel,
    control.retry, doctor.doctor, health.health, alerts.alerts, demo.demo,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)

_EXIT_USAGE, _EXIT_FAULT = 2, 1
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"glimmr {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Hold the options of `glimmr` itself."""


def main() -> None:
    """Run the command line; ends the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file or a pipe gets UTF-8; a terminal may know fewer letters
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        app(prog_name="glimmr")
    except UsageError as error:
        _say(error)
        sys.exit(_EXIT_USAGE)
    except GlimmrError as error:
        hint = " (a fault of this machine, not of a hospital)" if isinstance(error, LocalFault) else ""
        _say(f"{error}{hint}")
        sys.exit(_EXIT_FAULT)


def _drop_output() -> None:
    """What is still buffered goes nowhere: the interpreter would fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: object) -> None:
    lines = "\n  ".join(map(why, str(text).split("\n")))
    typer.echo(f"glimmr: {lines}", err=True)
