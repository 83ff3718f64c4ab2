"""`glimmr run`: the whole line, until idle. `glimmr serve` and `worker`: at work until told to stop."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from glimmr.cli.look import AllStates, FromList, States

_EXIT_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: what keeps us running starts us again


def run(
    state: States = None,
    all_states: AllStates = False,
    from_list: FromList = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data folder (GLIMMR_DATA).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take up at most that many addresses.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask known addresses again, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be brought home, and stop.")] = False,
    downloads: Annotated[int | None, typer.Option(min=1, help="Downloads at a time (GLIMMR_DOWNLOADS).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Scan, download, parse and publish until idle; what is here already is not brought home again.

    Exit 0: every file reached an outcome (publisher faults included). 1: a fault of ours remains, or no source
    answered. 2: wrong usage. 130: interrupted; the next run goes on where this one was.
    """
    from glimmr.cli import walk
    from glimmr.cli.asked import sources_asked
    from glimmr.cli.options import load

    settings = load(data=data, downloads=downloads)
    asked = sources_asked(settings, state, all_states=all_states, from_list=from_list)
    if dry_run:
        walk.dry_run(settings, asked, limit=limit, refresh=refresh, as_json=as_json)
        return
    summary = walk.run_line(settings, asked, limit=limit, refresh=refresh, as_json=as_json)
    sys.exit(walk.exit_code(summary))


def worker(
    drain: Annotated[bool, typer.Option("--drain", help="End when no job is left.")] = False,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data folder (GLIMMR_DATA): scratch.")] = None,
) -> None:
    """Work off the jobs of a fleet (GLIMMR_DATABASE_URL, GLIMMR_STORE_URL, GLIMMR_REDIS_URL), on any number of hosts.

    Without --drain it keeps the schedules, too. SIGTERM or Ctrl-C: takes nothing new, hands unfinished jobs back and
    ends within 30 s. What it does is told on standard error, a line each; health and metrics are told at
    GLIMMR_OPS_ADDRESS. Exit 0: told to stop, or no job is left. 1: this machine cannot work (no disk, a broken
    database). 2: wrong usage. 75: it grew over GLIMMR_WORKER_MEMORY_BYTES, start it again. 130: interrupted while
    draining, or ended before all was handed back. On one machine it works off what `glimmr run` left.
    """
    _work(data, drain=drain)


def serve(
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data folder (GLIMMR_DATA).")] = None,
) -> None:
    """Work off the jobs there are and those that come, and keep the schedules, until SIGTERM or Ctrl-C.

    On one machine nobody else can work in the data folder meanwhile; in a fleet it is one of the workers. What it does
    is told on standard error, a line each; health and metrics at GLIMMR_OPS_ADDRESS. To stop, it hands unfinished jobs
    back, and ends within 30 s. Exit 0: told to stop. 1: this machine cannot work (no disk, a broken database). 2: wrong
    usage. 75: it grew over GLIMMR_WORKER_MEMORY_BYTES, start it again. 130: ended before all was handed back.
    """
    _work(data, drain=False)


def _work(data: Path | None, *, drain: bool) -> None:
    import asyncio
    from contextlib import nullcontext

    from glimmr import app, watching
    from glimmr.cli.interrupt import EXIT_INTERRUPTED, until_idle
    from glimmr.cli.narrate import narrate
    from glimmr.cli.options import load
    from glimmr.pipeline.upkeep_step import check_schedules

    grown = False

    async def work(stop: asyncio.Event) -> None:
        nonlocal grown
        async with watch.over() if watch else nullcontext():
            grown = await app.serve(parts, drain=drain, stop=stop, watch=watch)

    settings = load(data=data)
    check_schedules(settings)  # before anything is said of a process that then does not begin
    stop_telling = narrate()
    try:
        with app.working(settings) as parts, watching.ops(settings) as watch:
            if watch:
                typer.echo(f"health and metrics: {watch.url}/healthz", err=True)
            interrupted = asyncio.run(until_idle(work))
    finally:
        stop_telling()
    if grown and not interrupted:
        sys.exit(_EXIT_AGAIN)
    sys.exit(EXIT_INTERRUPTED if drain and interrupted else 0)
