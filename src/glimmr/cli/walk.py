"""A walk of the line as a person sees it: live progress, then a summary."""

import asyncio
from typing import Any

import typer

from glimmr import app
from glimmr.cli import show
from glimmr.cli.interrupt import until_idle
from glimmr.cli.progress import line
from glimmr.outcomes import MEANINGS, Outcome
from glimmr.settings import Settings
from glimmr.watch.board import Board

_EXIT_OURS, _EXIT_INTERRUPTED = 1, 130
_MOST_SHOWN = 20


def run_line(
    settings: Settings, asked: list[tuple[str, str]], *, limit: int | None, refresh: bool, as_json: bool
) -> dict[str, Any]:
    """Run the line with live progress and show its summary."""
    board = Board()
    with app.working(settings, limit=limit) as parts:
        with line(board, lambda: app.counts(parts), shown=not as_json):
            interrupted = asyncio.run(until_idle(lambda stop: app.walk(parts, asked, refresh=refresh, stop=stop)))
        summary = app.summary(parts, board) | {"interrupted": interrupted}
    board.close()
    if as_json:
        show.as_json(summary)
    else:
        show_summary(summary)
    return summary


def exit_code(summary: dict[str, Any]) -> int:
    """What the shell is told."""
    if summary["interrupted"]:
        return _EXIT_INTERRUPTED
    return _EXIT_OURS if summary["ours"] else 0


def show_summary(summary: dict[str, Any]) -> None:
    """What a person wants to know after a run."""
    found, down, known = summary["scan"], summary["download"], summary["counts"]
    typer.echo(
        f"found {found['found']:,} addresses · downloaded {down['files']:,} files ({show.size(down['bytes'])})"
        f" · parsed {summary['parsed']:,} · {summary['rows']:,} rows published"
    )
    for reason, count in found["skipped"].items():
        typer.echo(f"  skipped {count:,}: {show.clean(reason)}")
    for failed in summary["failed_scans"]:
        typer.echo(f"  scan of {failed['place']} failed: {failed['reason']}: {show.clean(failed['message'])}")
    if not down["bytes"] and known["published"]:
        typer.echo(f"0 bytes of files downloaded: what {known['price_files']:,} addresses have to give is here already")
    show.as_table(
        ("files", "outcome", "reason", "whose fault"),
        [(f"{o['files']:,}", o["outcome"] or o["state"], o["reason"], o["fault"]) for o in summary["outcomes"]],
        right=("files",),
    )
    for file in summary["troubled"][:_MOST_SHOWN]:
        again = f" (asked again {file['next_try_at']:%Y-%m-%d %H:%M} UTC)" if file["next_try_at"] else ""
        why = show.clean(file["message"]) or MEANINGS[Outcome(file["outcome"])].text
        typer.echo(f"  {file['outcome']}: {show.clean(file['hospital'])}, {file['place']}{again}\n    {why}")
    hidden = len(summary["troubled"]) - _MOST_SHOWN
    if hidden > 0:
        typer.echo(f"  … and {hidden:,} more: `glimmr status`")
    typer.echo(
        f"the price table holds {known['published']:,} files, {known['charges']:,} charges and {known['rates']:,} rates"
        f" in {summary['lake']}"
    )
    if summary["interrupted"]:
        typer.echo("interrupted: the next run goes on from here")
    if summary["ours"]:
        typer.echo("a fault of ours remains: `glimmr jobs --state dead` shows it")


def dry_run(settings: Settings, asked: list[tuple[str, str]], limit: int | None, *, as_json: bool) -> None:
    """Show what a run would ask."""
    wanted = app.dry_run(settings, asked, limit)
    if as_json:
        show.as_json(wanted)
        return
    show.as_table(
        ("state", "ccn", "hospital", "address"), [(w["state"], w["ccn"], w["name"], w["url"]) for w in wanted]
    )
    typer.echo(f"{len(wanted):,} addresses would be asked; nothing was written")
