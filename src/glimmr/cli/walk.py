"""A walk of the line as a person sees it: live progress, then a summary."""

import asyncio
from typing import Any

import typer

from glimmr import app
from glimmr.cli import show
from glimmr.cli.interrupt import EXIT_INTERRUPTED, nothing_to_lose, until_idle
from glimmr.cli.narrate import narrate
from glimmr.cli.progress import line
from glimmr.pipeline.parts import utcnow
from glimmr.settings import Settings
from glimmr.watch.board import Board

_EXIT_OURS = 1
_MOST_SHOWN = 20


def run_line(
    settings: Settings, asked: list[tuple[str, str]], *, limit: int | None, refresh: bool, as_json: bool
) -> dict[str, Any]:
    """Run the line with live progress and show its summary."""
    board, began, stop_telling = Board(), utcnow(), narrate(shown=False)
    with app.working(settings, limit=limit) as parts:
        with line(board, lambda: app.counts(parts), shown=not as_json):
            interrupted = asyncio.run(until_idle(lambda stop: app.walk(parts, asked, refresh=refresh, stop=stop)))
            nothing_to_lose()
        summary = app.summary(parts, board, began) | {"interrupted": interrupted}
    board.close()
    stop_telling()
    if as_json:
        show.as_json(summary)
    else:
        show_summary(summary)
    return summary


def exit_code(summary: dict[str, Any]) -> int:
    """What the shell is told."""
    if summary["interrupted"]:
        return EXIT_INTERRUPTED
    return _EXIT_OURS if summary["ours"] or not summary["answered"] else 0


def show_summary(summary: dict[str, Any]) -> None:
    """What a person wants to know after a run."""
    found, down, known = summary["scan"], summary["download"], summary["counts"]
    typer.echo(
        f"found {found['found']:,} addresses · downloaded {down['files']:,} files ({show.size(down['bytes'])})"
        f" · parsed {summary['parsed']:,} · {summary['rows']:,} rows published"
    )
    show.skipped(found["skipped"])
    show.silent(summary["failed_scans"], _MOST_SHOWN)
    show.not_all_yet(summary["open_questions"])
    if not down["bytes"] and not down["failed"] and known["published"]:
        typer.echo(f"0 bytes of files downloaded: what {known['price_files']:,} addresses have to give is here already")
    show.as_table(
        ("files", "outcome", "reason", "whose fault"),
        [(f"{o['files']:,}", o["outcome"] or o["state"], o["reason"], o["fault"]) for o in summary["outcomes"]],
        right=("files",),
    )
    show.troubled(summary["troubled"], _MOST_SHOWN)
    typer.echo(
        f"the price table holds {known['published']:,} files, {known['charges']:,} charges and {known['rates']:,} rates"
        f" in {summary['lake']}"
    )
    if summary["interrupted"]:
        typer.echo("interrupted: the next run goes on from here")
    elif summary["ours"]:
        typer.echo("a fault of ours remains: `glimmr jobs --state dead` and `--state ready` show it")
    elif not summary["answered"]:
        typer.echo("no source answered: is the network there? `glimmr jobs --step scan` shows what was tried")


def dry_run(
    settings: Settings, asked: list[tuple[str, str]], *, limit: int | None, refresh: bool, as_json: bool
) -> None:
    """Show what a run would ask."""
    wanted, skipped = app.dry_run(settings, asked, limit)
    if as_json:
        show.as_json(wanted)
        show.skipped(skipped, err=True)
        return
    show.as_table(
        ("state", "ccn", "hospital", "address"), [(w["state"], w["ccn"], w["name"], w["url"]) for w in wanted]
    )
    addresses = show.several(len({w["url"] for w in wanted}), "address", "addresses")
    known = (
        "known ones are asked again, too"
        if refresh
        else "known ones that are not due are not asked again (see --refresh)"
    )
    typer.echo(f"the sources name {addresses}; {known}; nothing was written")
    show.skipped(skipped)
