"""`glimmr logs ID`: what is kept of a job, in the order in which it happened."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data


def logs(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="A job's id (`glimmr jobs`).")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what is kept of a job, oldest first: how each run began and ended, why, and what was logged.

    The lines are those of this host's GLIMMR_LOG_FILE; without one (and of other hosts) only the runs are shown.
    """
    from glimmr import looking
    from glimmr.cli.options import load

    settings = load(data=data)
    facts = looking.job(settings, job_id)
    lines = list(_lines(settings.log_file, job_id)) if settings.log_file else []
    if as_json:
        show.as_json({"job": facts, "lines": lines})
        return
    told = [(_at(one["ended_at"]), _ended(one, facts["url"])) for one in facts["attempts"]]
    told += [(_at(when), f"run {run} on {worker} began") for run, worker, when in _began(facts)]
    told += [(str(line.get("at", "")), _said(line)) for line in lines]
    state = " ".join(filter(None, (facts["state"], facts["outcome"], facts["reason"])))
    typer.echo(f"{facts['step']} {job_id}: {state} {show.clean(facts['url'])}".rstrip())
    for at, text in sorted(told, key=lambda one: one[0]):
        typer.echo(f"{at[:23].replace('T', ' ')} {show.clean_lines(text)}")
    if not told:
        typer.echo("it has not run yet" if facts["state"] == "ready" else "none of its runs has ended yet")
    if settings.log_file is None:
        typer.echo("set GLIMMR_LOG_FILE to keep what is said of jobs while they run", err=True)


def _lines(path: Path, job_id: int) -> Iterator[dict[str, Any]]:
    from glimmr.cli.log import files, parsed

    mark = re.compile(rf'"job": ?{job_id}\b')
    for kept in files(path):
        with kept.open(encoding="utf-8", errors="replace") as opened:
            yield from (told for line in opened if mark.search(line) and (told := parsed(line)).get("job") == job_id)


def _at(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")


def _began(facts: dict[str, Any]) -> Iterator[tuple[int, str, datetime]]:
    """Its runs, also the one that goes on: number, worker, when."""
    for one in facts["attempts"]:
        if one["started_at"] is not None:
            yield one["number"], one["worker"], one["started_at"]
    if facts["state"] == "running":
        yield facts["epoch"], facts["owner"], facts["started_at"]


def _ended(attempt: dict[str, Any], url: str | None) -> str:
    why = ": ".join(filter(None, (attempt["reason"], show.without_address(attempt["message"], url))))
    ended = f"run {attempt['number']} on {attempt['worker']} ended as {attempt['ended_as']}{f', {why}' if why else ''}"
    return f"{ended}\n{attempt['traceback']}" if attempt["traceback"] else ended


def _said(line: dict[str, Any]) -> str:
    return f"{str(line.get('level', '')).upper()} {line.get('text') or line.get('event')}"
