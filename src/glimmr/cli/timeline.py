"""`glimmr job ID`: everything the ledger knows about one job, and every run it had."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data

_COLUMNS = ("run", "started (UTC)", "took", "ended as", "reason", "bytes", "rows", "worker", "message")


def job(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="A job's id (`glimmr jobs`).")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show one job: what it does, where it stands and why, and its attempts with worker, time, end and traceback."""
    from glimmr import looking
    from glimmr.cli.options import load

    facts = looking.job(load(data=data), job_id)
    if as_json:
        show.as_json(facts)
        return
    for name, value in _told(facts):
        typer.echo(f"{name:10} {show.clean(value)}")
    attempts = facts["attempts"]
    if attempts:
        columns, rows = show.without_empty(_COLUMNS, [_attempt(one, facts["url"]) for one in attempts])
        show.as_table(columns, rows, right=("run", "took", "bytes", "rows"), most={"worker": 20})
    for one in attempts:
        if one["traceback"]:
            typer.echo(f"traceback of run {one['number']}:\n  {show.clean_lines(one['traceback'])}")


def _attempt(one: dict[str, Any], url: str | None) -> tuple[Any, ...]:
    return (
        one["number"],
        _moment(one["started_at"]).removesuffix(" UTC"),
        _took(one["started_at"], one["ended_at"]),
        one["ended_as"],
        one["reason"],
        show.size(one["bytes"]) if one["bytes"] else "",
        f"{one['rows']:,}" if one["rows"] else "",
        one["worker"],
        show.without_address(one["message"], url),
    )


def _told(facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    args = " ".join(f"{name}={value}" for name, value in facts["args"].items())
    yield "job", f"{facts['id']}: {facts['step']} {args}"
    ended = " ".join(filter(None, (facts["outcome"], facts["reason"])))
    yield "state", facts["state"] + (f" ({ended})" if ended else "")
    for name in ("url", "message", "host"):
        if facts[name]:
            yield name, facts[name]
    yield "attempt", f"{facts['attempt']} ({facts['epoch']} runs, {facts['stalls']} of dead workers)"
    if facts["state"] == "ready":
        yield "next run", _moment(facts["run_at"]) + (f"; {facts['step']} is paused" if facts["paused"] else "")
    if facts["state"] == "running":
        yield "worker", f"{facts['owner']}, since {_moment(facts['started_at'])}"
        yield "lease", f"runs out in {facts['lease_left_seconds']:.0f} s unless its worker says something"
    if facts["progress"]:
        yield "progress", " ".join(f"{name}={value}" for name, value in facts["progress"].items())
    if facts["cancel_requested"]:
        yield "cancelling", "was asked for"
    yield "created", _moment(facts["created_at"])
    if facts["finished_at"]:
        yield "finished", _moment(facts["finished_at"])


def _moment(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else ""


def _took(started: datetime | None, ended: datetime) -> str:
    return f"{(ended - started).total_seconds():,.1f} s" if started else ""
