"""`glimmr hospitals` and `glimmr hospital`: who there is, and all that is known of one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data

_ID_LETTERS = 9
_BEFORE_DETAIL = {"moved": "to ", "renamed": "was "}
_METHODS = {"ccn": "its CCN", "source": "the source alone"}
State = Annotated[str | None, typer.Option(help="Only hospitals of this state or territory (code or name).")]


def hospitals(
    state: State = None,
    missing_file: Annotated[
        bool, typer.Option("--missing-file", help="Only those for which nobody knows an address of a price file.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most that many.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List hospitals: how many files each has, how its best one ended, and the date that file gives itself."""
    from glimmr import looking
    from glimmr.cli.options import load
    from glimmr.scan.places import place_code
    from glimmr.watch.hospitals import listing

    place = place_code(state) if state else None
    with looking.into(load(data=data)) as database:
        told = database.read(lambda connection: listing(connection, place, missing_file=missing_file, limit=limit))
    if as_json:
        show.as_json(told)
        return
    rows = told["hospitals"]
    if rows:
        table(rows)
    else:
        typer.echo(_nobody(place, any_known=bool(told["known"])))
    if rows and missing_file:
        typer.echo(
            f"{told['total']:,} without an address that any source knows; {told['exempt']:,} of them need not publish"
            " (45 CFR 180.30(b): federal and tribal hospitals)"
        )
    if told["total"] > len(rows):
        typer.echo(f"the first {len(rows):,} of {told['total']:,} are shown; --limit gives more, --state fewer")
    show.not_all_yet(told["open_questions"])


def hospital(
    wanted: Annotated[str, typer.Argument(metavar="CCN|ID", help="CMS's number, or the id that `find` shows.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a hospital: who said what, its files and how they ended, their dates and history."""
    from glimmr import looking
    from glimmr.cli.options import load
    from glimmr.watch.hospitals import one

    with looking.into(load(data=data)) as database:
        told = database.read(lambda connection: one(connection, wanted, datetime.now(UTC).date()))
    if as_json:
        show.as_json(told)
        return
    _facts(told)
    addresses(told["addresses"])
    _snapshots(told["snapshots"])
    _history(told["history"])
    if told["answers"]:
        typer.echo("\nwhat sources said last")
        answers(told["answers"])


def table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print hospitals, one a line."""
    show.as_table(
        ("ccn", "hospital", "city", "st", "files", "outcome", "as of"),
        [
            (
                short_id(one),
                one["name"],
                one["city"],
                one["state"],
                one["files"],
                _outcome(one),
                one["as_of"],
            )
            for one in rows
        ],
        right=("files",),
        most={"hospital": 22, "city": 10},
    )


def short_id(one: Mapping[str, Any]) -> str:
    """A hospital's CCN, or enough of its id for `glimmr hospital`."""
    return one["ccn"] or one["hospital_id"][:_ID_LETTERS]


def _nobody(place: str | None, *, any_known: bool) -> str:
    where = f" in {place}" if place else ""
    scan = f"`glimmr scan {'--state ' + place if place else '--all'}`"
    if any_known:
        return f"no known hospital{where} is without an address; {scan} asks whom else there is"
    return f"no hospital{where} is known yet: {scan} asks the sources"


def _outcome(one: Mapping[str, Any]) -> str:
    if one["exempt_reason"] and not one["files"]:
        return f"exempt: {one['exempt_reason'].replace('_', ' ')}"
    return word(one["standing"])


def word(standing: str) -> str:
    """How a hospital or an address stands, as a person reads it."""
    return {"prices": "ok", "nobody_knows": "no address"}.get(standing, standing).replace("_", " ")


def _facts(told: Mapping[str, Any]) -> None:
    sources = told["field_sources"]
    typer.echo(f"{show.clean(told['name'])}, {told['state']} ({told['ccn'] or told['hospital_id']})")
    rows = [
        (name.replace("_", " "), show.clean(told[name]), sources.get(name, ""))
        for name in sources
        if name not in ("exempt_reason", "hospital_id") and told[name] is not None
    ]
    show.as_table(("field", "value", "said by"), rows)
    if told["other_names"]:
        typer.echo(f"also called: {'; '.join(map(show.clean, told['other_names']))}")
    if told["exempt_reason"]:
        typer.echo(f"need not publish (45 CFR 180.30(b)): {told['exempt_reason']}")
    fresh = told["freshness"]
    if fresh["last_updated_on"]:
        age = f", {fresh['age_days']:,} days old" if fresh["age_days"] is not None else ""
        late = "" if fresh["fresh"] else ": older than the year that 45 CFR 180.50(e) allows"
        typer.echo(f"its prices are of {fresh['last_updated_on']}{age}{late}")
    else:
        typer.echo("no prices of it are in the price table")


def addresses(told: Sequence[Mapping[str, Any]]) -> None:
    """Print the addresses of one hospital: how each stands and why, who named it, how it is known who is meant."""
    if not told:
        typer.echo("\nno source names an address of a price file")
        return
    for one in told:
        typer.echo(f"\n{word(one['standing'])}: {show.clean(one['url'])}")
        for line in _about(one):
            typer.echo(f"  {line}")


def _about(one: Mapping[str, Any]) -> Iterator[str]:
    yield one["why"]
    if one["moved_to"]:
        yield f"moved to {show.clean(one['moved_to'])}"
    ended = " ".join(filter(None, (one["outcome"], one["reason"])))
    if ended:
        again = f"; asked again {show.moment(one['next_try_at'])}" if one["next_try_at"] else ""
        when = f" {show.moment(one['asked_at'])}" if one["asked_at"] else ""
        yield f"last answer{when}: {ended}{again}"
    if one["message"]:
        yield f"  {show.clean(show.without_address(one['message'], one['url']))}"
    score = f" ({one['match_score']:.2f})" if one["match_score"] is not None else ""
    called = f", as {show.clean(one['location_name'])}" if one["location_name"] else ""
    method = one["match_method"] or "source"
    yield f"who is meant: told by {_METHODS.get(method, method + score)}{called}"
    if one["header"]:
        yield _said_by_header(one)
    for who in one["named_by"]:
        gone = f", no more since {show.moment(who['gone_at'])}" if who["gone_at"] else ""
        since = f" since {show.moment(who['first_seen'])}" if who["first_seen"] != who["last_seen"] else ""
        seen = f"{show.moment(who['last_seen'])}{since}"
        yield f"named by {who['source']} ({show.clean(who['place'])}) {seen}{gone}"


def _said_by_header(one: Mapping[str, Any]) -> str:
    header = one["header"]
    names = [show.clean(name) for name in header["location_names"] or filter(None, [header["hospital_name"]])]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if one["verified_method"]:
        score = f" ({one['verified_score']:.2f})" if one["verified_score"] is not None else ""
        return f"the file's header agrees by {one['verified_method']}{score}: {shown}"
    return f"the file's header does not confirm it by name and place; it names {shown or 'nobody'}"


def _snapshots(told: Sequence[Mapping[str, Any]]) -> None:
    if not told:
        return
    typer.echo("\nsnapshots")
    show.as_table(
        ("brought", "size", "layout", "file date", "charges", "outcome", "file_id"),
        [
            (
                f"{one['fetched_at']:%Y-%m-%d}",
                show.size(one["bytes"]),
                one["layout"] or one["format"],
                one["last_updated_on"],
                f"{one['charges']:,}" if one["charges"] else "",
                " ".join(filter(None, (one["outcome"], one["reason"]))) + (", current" if one["is_current"] else ""),
                one["file_id"][:12],
            )
            for one in told
        ],
        right=("size", "charges"),
    )


def _history(told: Sequence[Mapping[str, Any]]) -> None:
    if told:
        typer.echo("\nhistory")
    for one in told:
        said = f" ({one['source']})" if one["source"] else ""
        about = [show.clean(one["url"])] if one["url"] else []
        about += [f"{_BEFORE_DETAIL.get(one['what'], '')}{show.clean(one['detail'])}"] if one["detail"] else []
        typer.echo(f"  {show.moment(one['at'])} {one['what']}{said}: {' '.join(about)}")


def answers(told: Sequence[Mapping[str, Any]]) -> None:
    """Print what sources said last of a hospital's places, with every address that was asked on the way."""
    for one in told:
        failed = f"{one['outcome']} {one['reason']}: " if one["outcome"] != "ok" else ""
        before = f" (it last could say on {show.moment(one['answered_at'])})" if failed and one["answered_at"] else ""
        typer.echo(
            f"  {one['source']} ({show.clean(one['place'])}) {show.moment(one['asked_at'])}:"
            f" {failed}{show.why(one['message'])}{before}{'' if failed else _of_this_one(one)}"
        )
        for tried in one["tried"]:
            typer.echo(f"    {show.why(tried['url'])}: {show.clean(tried['answer'])}, {_verdict(tried['verdict'])}")


def _of_this_one(answer: Mapping[str, Any]) -> str:
    """What of an answer about many is about the hospital that was asked for."""
    if answer["listed"]:
        return "; this one is among them" if answer["lists_it"] else "; this one is not among them"
    return f"; for this one {answer['named']:,}" if answer["named"] else "; none for this one"


def _verdict(verdict: str) -> str:
    return {
        "hpt": "a cms-hpt.txt",
        "html": "a page, not what should be there",
        "empty": "empty",
        "no_records": "a text without records",
        "page": "a page",
        "no_page": "no page",
        "price_file": "a price file",
        "nameless": "a price file that does not say whose",
        "payer_file": "a health insurer's file",
        "pdf": "a PDF",
        "unread": "it could not be looked at",
        "missing": "nothing there",
        "failed": "no answer",
    }.get(verdict, show.clean(verdict))
