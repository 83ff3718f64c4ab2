"""`glimmr status` and `glimmr jobs`: what is known, what runs, what went wrong. They only look."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.outcomes import MEANINGS, Outcome
from glimmr.steps import STEPS

STATES = ("ready", "running", "done", "dead", "cancelled")

REASONS = sorted(set[str]().union(*(meaning.reasons for meaning in MEANINGS.values())) - {""})

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (GLIMMR_DATA).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
States = Annotated[
    list[str] | None, typer.Option(help="States or territories (codes or names, comma-separated or repeated).")
]
AllStates = Annotated[bool, typer.Option("--all", help="All 59 states and territories.")]
FromList = Annotated[
    Path | None,
    typer.Option("--from", metavar="LIST", help="A CSV, JSON or Parquet with the columns name, state, ccn, url."),
]


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Say what is known, how the files ended, and what is going on."""
    from glimmr import looking
    from glimmr.cli.options import load

    facts = looking.status(load(data=data))
    if as_json:
        show.as_json(facts)
        return
    known = facts["counts"]
    typer.echo(
        f"{known['hospitals']:,} hospitals, {known['price_files']:,} price files, {known['snapshots']:,} snapshots"
        f" ({show.size(known['bytes'])}); in the price table: {known['published']:,} files,"
        f" {known['charges']:,} charges, {known['rates']:,} rates"
    )
    working = f"process {facts['working_pid']} is at work" if facts["working_pid"] else "nobody is at work"
    rate = facts["success_rate"]
    typer.echo(f"{working}; {'no job has ended yet' if rate is None else f'{rate:.2%} of ended jobs succeeded'}")
    if redis := facts["redis"]:
        answers = f"{redis['role']}, {len(redis['connections'])} connections of ours" if redis["answers"] else "away"
        typer.echo(f"Redis: {answers}{'; ' if redis['message'] else ''}{show.clean(redis['message'])}")
    scratch = facts["scratch"]
    if scratch["fault"]:
        typer.echo(f"no download can begin: {show.clean(scratch['fault'])}")
    else:
        typer.echo(f"scratch: {show.clean(scratch['folder'])} ({show.size(scratch['free_bytes'])} free)")
    for step in facts["paused"]:
        typer.echo(f"{step} is paused: `glimmr resume {step}` lets it go on")
    for held in facts["held_up"]:
        held_up = show.several(held["jobs"], f"{held['step']} job")
        typer.echo(f"{held_up} handed back, tried again {held['run_at']:%H:%M:%S} UTC: {show.clean(held['message'])}")
    if facts["repairs"]:
        repaired = ", ".join(f"{one['repaired']:,} {one['name']}" for one in facts["repairs"])
        typer.echo(f"repaired so far: {repaired} (docs/operate/doctor.md says what they are)")
    for one in facts["weak_transport"]:
        files = show.several(one["files"], "file", "files, one of them")
        typer.echo(f"{one['code']} (docs/reference/findings.md): {files} {show.clean(one['url'])}")
    show.as_table(
        ("state", "outcome", "reason", "whose fault", "files"),
        [(o["state"], o["outcome"], o["reason"], o["fault"], f"{o['files']:,}") for o in facts["outcomes"]],
        right=("files",),
    )
    show.as_table(
        ("step", "state", "outcome", "jobs"),
        [(j["step"], j["state"], j["outcome"], f"{j['jobs']:,}") for j in facts["jobs"]],
        right=("jobs",),
    )
    show.troubled(facts["troubled"])


def jobs(
    step: Annotated[str | None, typer.Option(help="Only jobs that scan, download, parse, publish or upkeep.")] = None,
    state: Annotated[str | None, typer.Option(help="Only ready, running, done, dead or cancelled ones.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only jobs that ended so (docs/reference/outcomes.md).")] = None,
    reason: Annotated[str | None, typer.Option(help="Only jobs that ended for this reason.")] = None,
    host: Annotated[str | None, typer.Option(help="Only jobs that ask this host.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most that many, newest first.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List jobs: what they do, how far they are, how they ended."""
    from glimmr import looking
    from glimmr.cli.options import load, one_of

    one_of("--step", step, STEPS)
    one_of("--state", state, STATES)
    one_of("--outcome", outcome, [known.value for known in Outcome])
    one_of("--reason", reason, REASONS)
    settings = load(data=data)
    listed = looking.jobs(settings, limit, step=step, state=state, outcome=outcome, reason=reason, host=host)
    if as_json:
        show.as_json(listed)
        return
    if not listed:
        typer.echo("there is no such job" if any((step, state, outcome, reason, host)) else "there is no job yet")
        return
    show.as_table(
        ("id", "step", "state", "attempt", "outcome", "reason", "what", "message"),
        [
            (
                *(j[name] for name in ("id", "step", "state", "attempt", "outcome", "reason")),
                _what(j),
                show.without_address(j["message"], j["url"]),
            )
            for j in listed
        ],
        right=("id", "attempt"),
        most={"what": 60},
    )


def _what(job: dict[str, Any]) -> str:
    return job["url"] or " ".join(str(value) for value in job["args"].values() if not isinstance(value, bool))
