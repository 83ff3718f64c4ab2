"""`glimmr doctor`: what must be true and is not, with its cure."""

import sys
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data

_MOST_SHOWN = 20


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Repair what is found.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Look whether everything that must be true is: jobs, files, bytes, the price table (docs/operate/doctor.md).

    Processes at work do the same by themselves, twice a minute (what lists a large shelf, more seldom). Without
    --fix nothing is changed. Exit 0: nothing is wrong, or all was repaired. 1: something remains. 2: wrong usage.
    """
    from glimmr import app
    from glimmr.cli.options import load

    examined, remaining = app.doctor(load(data=data), fix=fix)
    if as_json:
        show.as_json(examined)
    else:
        for told in examined:
            _say(told)
        _sum_up(examined, remaining)
    sys.exit(1 if remaining else 0)


def _say(told: dict[str, Any]) -> None:
    """One invariant that does not hold, or could not be looked at."""
    found = told["violations"]
    if not found and not told["fault"]:
        return
    typer.echo(f"{told['invariant']}: {told['text']}")
    for one in found[:_MOST_SHOWN]:
        state = (
            "repaired" if one["repaired"] else f"cannot be repaired: {one['problem']}" if "problem" in one else "wrong"
        )
        typer.echo(f"  {show.clean(state)}: {show.clean(one['text'])}")
    if len(found) > _MOST_SHOWN:
        typer.echo(f"  … and {len(found) - _MOST_SHOWN:,} more: --json lists them")
    if told["fault"]:
        typer.echo(f"  could not be looked at: {show.clean_lines(told['fault'])}")
    typer.echo(f"  cure: {told['cure']}")


def _sum_up(examined: list[dict[str, Any]], remaining: int) -> None:
    repaired = sum(one["repaired"] for told in examined for one in told["violations"])
    if repaired:
        typer.echo(f"{repaired:,} repaired; the next run or worker does the jobs that were put")
    tried = any(told["fault"] or "problem" in one for told in examined for one in told["violations"] or [{}])
    if remaining and tried:
        typer.echo(f"{remaining:,} wrong: what cannot be repaired or looked at wants the cure named above it")
    elif remaining:
        typer.echo(f"{remaining:,} wrong: who works here repairs it by itself; when nobody does, `glimmr doctor --fix`")
    else:
        typer.echo(f"nothing is wrong{' any more' if repaired else ''}: {len(examined)} invariants hold")
