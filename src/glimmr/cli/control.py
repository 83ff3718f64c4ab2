"""`glimmr pause`, `resume`, `prioritize`, `cancel`, `retry`: orders about jobs, which whoever works heeds."""

from collections import Counter
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import REASONS, STATES, AsJson, Data
from glimmr.errors import UsageError
from glimmr.outcomes import Outcome
from glimmr.steps import STEPS

_Step = Annotated[str, typer.Argument(metavar="STEP", help="scan, download, parse, publish or upkeep.")]
_Ids = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="Jobs by their ids (`glimmr jobs`).")]
_OfStep = Annotated[str | None, typer.Option("--step", help="Jobs that scan, download, parse, publish or upkeep.")]
_OfState = Annotated[str | None, typer.Option("--state", help="Jobs in that state.")]
_OfOutcome = Annotated[
    str | None, typer.Option("--outcome", help="Jobs that ended so, or that failed so and wait for another try.")
]
_OfReason = Annotated[str | None, typer.Option("--reason", help="Jobs that did so for this reason.")]
_OfHost = Annotated[str | None, typer.Option("--host", help="Jobs that ask this host.")]
_All = Annotated[bool, typer.Option("--all", help="All jobs, instead of a condition.")]


def pause(step: _Step, data: Data = None) -> None:
    """Let no job of a step start until `glimmr resume`. Running ones go on to their end."""
    _pause(step, data, paused=True)
    typer.echo(f"{step} is paused: `glimmr resume {step}` lets it go on")


def resume(step: _Step, data: Data = None) -> None:
    """Let jobs of a paused step start again."""
    _pause(step, data, paused=False)
    typer.echo(f"{step} goes on")


def prioritize(
    ids: _Ids = None,
    step: _OfStep = None,
    state: _OfState = None,
    outcome: _OfOutcome = None,
    reason: _OfReason = None,
    host: _OfHost = None,
    everything: _All = False,
    to: Annotated[
        int, typer.Option("--to", min=-1000, max=1000, help="The priority: higher runs first, everybody's is 0.")
    ] = 10,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let waiting jobs start before all others, or (`--to -10`) after them, by id or by conditions (all of them met).

    The jobs that follow them, and those that run, have the same priority: a file is parsed and published first, too.
    """
    from glimmr import looking

    settings, meant = _order(data, ids, everything, step=step, state=state, outcome=outcome, reason=reason, host=host)
    told = looking.prioritize(settings, to, **meant)
    if as_json:
        show.as_json({"prioritized": told})
        return
    typer.echo(f"of priority {to} now: {_count(told)}")


def cancel(
    ids: _Ids = None,
    step: _OfStep = None,
    state: _OfState = None,
    outcome: _OfOutcome = None,
    reason: _OfReason = None,
    host: _OfHost = None,
    everything: _All = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Stop jobs that wait or run, by id or by conditions (all of them met).

    Waiting ones end at once, running ones within two seconds. Their files end `cancelled` until `glimmr retry`.
    """
    from glimmr import app

    settings, meant = _order(data, ids, everything, step=step, state=state, outcome=outcome, reason=reason, host=host)
    told = app.cancel(settings, **meant)
    if as_json:
        show.as_json({"cancelled": told.ended, "stopping": told.stopping})
        return
    typer.echo(f"cancelled: {_count(told.ended)}")
    if told.stopping:
        typer.echo(f"being stopped by their workers: {_count(told.stopping)}")


def retry(
    ids: _Ids = None,
    step: _OfStep = None,
    state: _OfState = None,
    outcome: _OfOutcome = None,
    reason: _OfReason = None,
    host: _OfHost = None,
    everything: _All = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Try again now what failed, was cancelled or waits for a later try, by id or by conditions (all of them met).

    What a job failed to do is put as a new job: once, however often it failed. `glimmr run`, `worker` or `serve` does
    it.
    """
    from glimmr import app

    settings, meant = _order(data, ids, everything, step=step, state=state, outcome=outcome, reason=reason, host=host)
    told = app.again(settings, **meant)
    if as_json:
        show.as_json({"put": told.put, "hastened": told.hastened, "moot": told.moot})
        return
    typer.echo(f"put again: {_count(told.put)}; waiting no longer: {_count(told.hastened)}")
    if told.moot:
        typer.echo(f"left alone, since they are being done already or no longer wanted: {_count(told.moot)}")


def _pause(step: str, data: Data, *, paused: bool) -> None:
    from glimmr import looking
    from glimmr.cli.options import load, one_of

    one_of("STEP", step, STEPS)
    looking.pause(load(data=data), step, paused=paused)


def _order(data: Data, ids: list[int] | None, everything: bool, **equal: str | None) -> tuple[Any, dict[str, Any]]:
    """The settings, and which jobs are meant. Raises UsageError also when one of the ids is no job's."""
    from glimmr import looking
    from glimmr.cli.options import load

    meant = _meant(ids, everything, **equal)
    settings = load(data=data)
    if unknown := looking.unknown_jobs(settings, meant["ids"]):
        raise UsageError(f"there is no job {', '.join(map(str, unknown))}: `glimmr jobs` lists them")
    return settings, meant


def _meant(ids: list[int] | None, everything: bool, **equal: str | None) -> dict[str, Any]:
    """What was said of the jobs. Raises UsageError when it cannot be what somebody meant."""
    from glimmr.cli.options import one_of

    one_of("--step", equal["step"], STEPS)
    one_of("--state", equal["state"], STATES)
    one_of("--outcome", equal["outcome"], [known.value for known in Outcome])
    one_of("--reason", equal["reason"], REASONS)
    ways = [bool(ids), any(equal.values()), everything]
    if ways.count(True) != 1:
        raise UsageError(
            "name jobs by their ids, or by conditions like --step and --outcome, or all of them by --all: one of these"
        )
    return {"ids": tuple(ids or ()), **equal}


def _count(jobs: Counter[str]) -> str:
    each = ", ".join(f"{count:,} {step}" for step, count in jobs.items())
    return f"{jobs.total():,}" + (f" ({each})" if each else "")
