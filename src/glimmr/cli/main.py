"""The command line: which commands there are, and how an error reaches a person."""

import sys

import typer

from glimmr import __version__
from glimmr.cli import ask, demo, look, read, work
from glimmr.errors import GlimmrError, LocalFault, UsageError

app = typer.Typer(
    name="glimmr",
    help="Every US hospital's published prices, brought home into one table that anyone can query.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (work.run, read.parse, ask.prices, ask.sql, look.status, look.jobs, demo.demo):
    app.command()(command)

_EXIT_USAGE, _EXIT_FAULT, _EXIT_INTERRUPTED = 2, 1, 130


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
    try:
        app()
    except UsageError as error:
        _say(error)
        sys.exit(_EXIT_USAGE)
    except GlimmrError as error:
        hint = " (a fault of this machine, not of a hospital)" if isinstance(error, LocalFault) else ""
        _say(f"{error}{hint}")
        sys.exit(_EXIT_FAULT)
    except KeyboardInterrupt:
        sys.exit(_EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(0)


def _say(text: object) -> None:
    typer.echo(f"glimmr: {text}", err=True)
