"""`glimmr health`: whether every part is well, and what to do where it is not. It only looks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from glimmr.cli import show

_EXIT = {"pass": 0, "warn": 1, "fail": 2}


def health(
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (GLIMMR_DATA).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print application/health+json.")] = False,
) -> None:
    """Say how database, Redis, store, price table, workers, queues, jobs, files, disk and clock are, asked now.

    A part that does not answer within 5 s is down, and hides no other. `glimmr serve` and `worker` tell the same at
    GLIMMR_OPS_ADDRESS. Exit 0: all pass. 1: something is worth a look (warn). 2: something is broken (fail), or wrong
    usage.
    """
    from glimmr import watching
    from glimmr.cli.options import load
    from glimmr.watch import health_json
    from glimmr.watch.health import worst

    found = watching.health(load(data=data, log_level="error"))
    if as_json:
        show.as_json(health_json.told(found))
    else:
        rows = [(one.component, one.status, f"{1000 * one.seconds:,.0f} ms", one.why) for one in found]
        show.as_table(("component", "status", "took", "why"), rows, right=("took",))
        for one in found:
            if one.cure:
                typer.echo(f"{one.component}: {show.clean(one.cure)}")
    sys.exit(_EXIT[worst(found)])
