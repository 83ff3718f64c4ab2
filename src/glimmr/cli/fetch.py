"""`glimmr download` and `glimmr get`: the bytes of one address, the bytes of one snapshot."""

import sys
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import Data
from glimmr.errors import UsageError
from glimmr.outcomes import MEANINGS, Outcome

_INTO = "a folder (end it with /), in which its sha256 is its name. Default: the working folder."
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file that stands there.")]


def download(
    url: Annotated[str, typer.Argument(metavar="URL", help="An http(s) address.")],
    to: Annotated[str | None, typer.Option(metavar="PATH|FOLDER/", help=f"A file, or {_INTO}")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring one address home, without a database: asked as politely, safely and patiently as on the line.

    What broke off, or was interrupted, is kept beside the target (in .glimmr-partial): the same command goes on from
    there. A page with one link to a price file stands for that file. Exit 0: the bytes are here (`glimmr parse` says
    what is in them). Else, as of `parse`, that of the outcome (docs/reference/outcomes.md): 1, the server did not give
    them or their end is missing; 3, they are too large or asking is not safe. 2: wrong usage. 130: interrupted.
    """
    from glimmr import app
    from glimmr.cli.interrupt import run_to_end
    from glimmr.cli.options import load
    from glimmr.cli.progress import one_file
    from glimmr.net import redact
    from glimmr.pipeline.delivery import Target

    settings, target = load(), Target.of(to, force=force)
    with one_file(redact(url), shown=not as_json) as tell:
        promise = "what came is kept, and the same command goes on from there"
        brought = run_to_end(app.bring_one(settings, url, target, tell), promise)
    if as_json:
        show.as_json(brought.as_dict())
    else:
        _show_brought(brought)
    sys.exit(MEANINGS[brought.outcome].exit_code)


def get(
    file_id: Annotated[str, typer.Argument(metavar="FILE_ID", help="The sha256 of the bytes, or its first digits.")],
    to: Annotated[str | None, typer.Option(metavar="PATH|FOLDER/|-", help=f"A file, - for stdout, or {_INTO}")] = None,
    force: Force = False,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (on standard error when --to is -).")] = False,
) -> None:
    """Hand out the bytes of a snapshot as they came, from the shelf; they are compared with their sha256 on the way.

    Exit 0: they are whole. 1: a fault of this machine, or what lies on the shelf is damaged (then no file is left; what
    went to standard output is worth nothing). 2: no such file id, or its bytes are not kept any more.
    """
    from glimmr import app
    from glimmr.cli.interrupt import run_to_end
    from glimmr.cli.options import load
    from glimmr.cli.progress import one_file
    from glimmr.pipeline.delivery import Target

    settings = load(data=data)
    out = sys.stdout.buffer if to == "-" else None
    if out is not None and sys.stdout.isatty():
        raise UsageError("--to -: a terminal is no place for the bytes of a file; send them into a file or a pipe")
    place = out or Target.of(to, force=force)
    with one_file(file_id, shown=not as_json) as tell:
        told = run_to_end(app.hand_out(settings, file_id, place, tell), "nothing is kept")
    if as_json:
        typer.echo(show.json_text(told), err=out is not None)
    else:
        typer.echo(_line(told), err=out is not None)


def _line(told: dict[str, Any]) -> str:
    where = "" if told["to"] == "-" else f"\nwritten to {show.clean(told['to'])}"
    return f"{told['file_id']}  {show.size(told['bytes'])}  {told['kind']}{where}"


def _show_brought(brought: Any) -> None:
    facts = brought.as_dict()
    if brought.to is not None:
        typer.echo(_line(facts))
    if brought.outcome is not Outcome.OK:
        why = show.why(brought.message) or MEANINGS[brought.outcome].text
        typer.echo(f"{brought.outcome} {brought.reason}: {why}", err=brought.to is None)
        return
    typer.echo(f"{show.size(brought.bytes / max(brought.seconds, 0.001))}/s, {brought.seconds:.1f} s")
