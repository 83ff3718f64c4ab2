"""`glimmr scan`: ask the sources who there is and where their price files are, and stop there."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AllStates, AsJson, Data, FromList, States

_MOST_SHOWN = 20


def scan(
    state: States = None,
    all_states: AllStates = False,
    from_list: FromList = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(help="A hospital's own domain, whose site is to be asked (comma-separated or repeated)."),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask sites again that were asked lately, and put known addresses, too.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Ask the sources which hospitals there are and where their price files lie, until no question is left.

    Nothing is downloaded: `glimmr run`, `worker` or `serve` brings home what was found. Nothing that is known is
    forgotten because a source fails or says nothing. Exit 0: done. 1: a fault of ours remains, or no source answered.
    2: wrong usage. 130: interrupted; the next scan goes on where this one was. Where a process is at work in the data
    folder, the questions are put for it to ask (exit 0).
    """
    from glimmr import app
    from glimmr.cli.asked import sources_asked
    from glimmr.cli.options import load

    settings = load(data=data)
    asked = sources_asked(settings, state, all_states=all_states, from_list=from_list, domains=domain or ())
    if (pid := app.at_work(settings)) is not None:
        _put(settings, asked, pid, refresh=refresh, as_json=as_json)
        return
    summary = _ask(settings, asked, refresh=refresh, as_json=as_json)
    if as_json:
        show.as_json(summary)
    else:
        _show(summary)
    sys.exit(_exit_code(summary))


def _put(settings: Any, asked: list[tuple[str, str]], pid: int, *, refresh: bool, as_json: bool) -> None:
    from glimmr import app

    put = app.put_questions(settings, asked, refresh=refresh)
    if as_json:
        show.as_json({"put": put, "working_pid": pid})
        return
    waiting, who = len(asked) - put, f"process {pid}" if pid else "a process"
    typer.echo(
        f"{who} is at work in {settings.data}: {show.several(put, 'question')} put for it to ask"
        + (f", {waiting:,} waited already" if waiting else "")
        + "; `glimmr jobs --step scan` says how it goes"
    )


def _ask(settings: Any, asked: list[tuple[str, str]], *, refresh: bool, as_json: bool) -> dict[str, Any]:
    import asyncio

    from glimmr import app
    from glimmr.cli.interrupt import nothing_to_lose, until_idle
    from glimmr.cli.progress import line
    from glimmr.pipeline.parts import utcnow
    from glimmr.watch.board import Board

    board, began = Board(), utcnow()
    with app.working(settings) as parts:
        with line(board, lambda: {"scan": app.counts(parts)["scan"]}, shown=not as_json):
            interrupted = asyncio.run(
                until_idle(lambda stop: app.ask_sources(parts, asked, refresh=refresh, stop=stop))
            )
            nothing_to_lose()
        summary = app.scan_summary(parts, began)
    board.close()
    return summary | {"interrupted": interrupted}


def _exit_code(summary: dict[str, Any]) -> int:
    from glimmr.cli.interrupt import EXIT_INTERRUPTED

    if summary["interrupted"]:
        return EXIT_INTERRUPTED
    return 1 if summary["ours"] or not summary["answered"] else 0


def _show(told: dict[str, Any]) -> None:
    changes = told["changes"]
    typer.echo(
        f"asked {show.several(told['asked'], 'question')}, {told['answered']:,} answered"
        f" · found {show.several(told['found'], 'address', 'addresses')}"
        + (f" · CMS lists {show.several(told['listed'], 'hospital')}" if told["listed"] else "")
    )
    typer.echo(
        f"  new: {_both(told['new'])} · updated: {_both(told['updated'])}"
        + "".join(f" · {what}: {count:,}" for what, count in changes.items())
    )
    show.skipped(told["skipped"])
    show.silent(told["failed"], _MOST_SHOWN)
    show.not_all_yet(told["waiting"]["scan"])
    known, waiting = told["counts"], told["waiting"]
    typer.echo(
        f"{show.several(known['hospitals'], 'hospital')} and"
        f" {show.several(known['price_files'], 'address', 'addresses')} are known now"
    )
    if waiting["download"]:
        typer.echo(
            f"{show.several(waiting['download'], 'download waits', 'downloads wait')}:"
            " `glimmr worker --drain` brings them home (`run` and `serve` do so, too)"
        )
    if told["interrupted"]:
        typer.echo("interrupted: the next scan goes on from here")
    elif told["ours"]:
        typer.echo("a fault of ours remains: `glimmr jobs --step scan --state dead` shows it")
    elif not told["answered"]:
        typer.echo("no source answered: is the network there? `glimmr jobs --step scan` shows what was tried")
    else:
        typer.echo(
            "`glimmr coverage` says how much of each state that is; `glimmr hospitals --missing-file`, who has none"
        )


def _both(told: Mapping[str, int]) -> str:
    return f"{show.several(told['hospitals'], 'hospital')}, {show.several(told['addresses'], 'address', 'addresses')}"
