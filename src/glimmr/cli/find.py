"""`glimmr find`: hospitals by what people know of them, and why each was found where it was, or not."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.hospitals import State, addresses, answers, short_id, table
from glimmr.cli.look import AsJson, Data

_MOST_EXPLAINED = 5


def find(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A name, city, CCN, NPI or domain, or parts of a name.")],
    state: State = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say who was asked for each, what they said, and why an address is current.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most that many (20; with --why 5).", show_default=False)
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Find hospitals, and with --why how their price files were found.

    Exit 0: one was found. 1: none was, near misses are named. 2: wrong usage.
    """
    from glimmr import looking
    from glimmr.cli.options import load
    from glimmr.errors import UsageError
    from glimmr.scan.places import place_code
    from glimmr.watch import find as finding

    if not text.strip():
        raise UsageError("TEXT is empty: give a name, city, CCN, NPI or domain, or parts of a name")
    place = place_code(state) if state else None
    settings, most = load(data=data), limit or (_MOST_EXPLAINED if why else 20)

    def ask(connection: Any) -> dict[str, Any]:
        found = finding.find(connection, text, place, most)
        ids = [one["hospital_id"] for one in found["hospitals"]]
        return found | ({"why": finding.explain(connection, ids, settings.sources)} if why else {})

    with looking.into(settings) as database:
        told = database.read(ask)
    if as_json:
        show.as_json(told)
    elif not told["hospitals"]:
        _nobody(text, place, told)
    elif why:
        for one in told["why"]:
            _explained(one)
    else:
        table(told["hospitals"])
        typer.echo("`glimmr hospital CCN` shows all that is known of one; --why, how its files were found")
    if not as_json and told["total"] > len(told["hospitals"]):
        typer.echo(
            f"the first {len(told['hospitals']):,} of {told['total']:,} are shown: more words, --state or --limit"
        )
    if not as_json:
        show.not_all_yet(told["open_questions"])
    sys.exit(0 if told["hospitals"] else 1)


def _nobody(text: str, place: str | None, told: Mapping[str, Any]) -> None:
    where = f" in {place}" if place else ""
    typer.echo(f"no hospital{where} that is known has the name, city, CCN, NPI or domain {show.clean(text)!r}")
    if told["near"]:
        typer.echo("did you mean")
        for one in told["near"]:
            city = f"{show.clean(one['city'])}, " if one["city"] else ""
            typer.echo(f"  {short_id(one):9}  {show.clean(one['name'])}, {city}{one['state']}")
    else:
        typer.echo(f"`glimmr scan {'--state ' + place if place else '--all'}` asks the sources who else there is")


def _explained(one: Mapping[str, Any]) -> None:
    city = f"{show.clean(one['city'])}, " if one["city"] else ""
    typer.echo(f"{show.clean(one['name'])}, {city}{one['state']} ({one['ccn'] or one['hospital_id']})")
    if one["exempt_reason"]:
        typer.echo(f"need not publish (45 CFR 180.30(b)): {one['exempt_reason']}")
    typer.echo("\nwho was asked")
    answers(one["answers"])
    for source, hint in one["not_asked"].items():
        typer.echo(f"  {source}: {show.clean(hint)}")
    addresses(one["addresses"])
    typer.echo()
