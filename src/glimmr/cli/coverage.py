"""`glimmr coverage`: how many of the hospitals that must publish are covered, per state."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data


def coverage(data: Data = None, as_json: AsJson = False) -> None:
    """Count hospitals against CMS's roster, per state: with an address, with prices, with fresh ones, with nothing.

    Of those on the roster the exempt ones (federal and tribal) need not publish; all other columns count the rest.
    """
    from glimmr import looking
    from glimmr.cli.options import load
    from glimmr.watch import coverage as covered

    with looking.into(load(data=data)) as database:
        told = database.read(lambda connection: covered.coverage(connection, datetime.now(UTC).date()))
    if as_json:
        show.as_json(told)
        return
    read, total = told["roster_read"], told["total"]
    typer.echo(_when(read))
    if total["roster"]:
        rows = [_row(one["state"], one) for one in told["states"] if one["roster"]]
        columns = ("st", "roster", "exempt", "address", "prices", "%", "fresh", "nobody", "why no prices")
        show.as_table(columns, [*rows, _row("all", total)], right=columns[1:-1])
        typer.echo(
            "address: some source names one · prices: they are in the price table · %: of those that must publish ·"
            " fresh: by the file's own date less than a year old · nobody: no source knows an address"
        )
    if total["others"]:
        typer.echo(_beside(total["others"], total["others_with_prices"]))
    show.not_all_yet(told["open_questions"])


def _beside(known: int, priced: int) -> str:
    others, have = show.several(known, "hospital is", "hospitals are"), "has" if priced == 1 else "have"
    return f"beside the roster {others} known from other sources; {priced:,} of them {have} prices"


def _when(read: Mapping[str, datetime]) -> str:
    if not read:
        return (
            "CMS's roster of hospitals was not read yet, so nobody knows how many there should be:"
            " `glimmr scan --all` reads it (GLIMMR_SOURCES must name cms_roster)"
        )
    if "all" in read:
        return f"CMS's roster was read {show.moment(read['all'])}"
    days = dict[str, list[str]]()
    for place, when in read.items():
        days.setdefault(f"{when:%Y-%m-%d}", []).append(place)
    told = "; ".join(f"{_some(places)} ({day})" for day, places in days.items())
    return f"CMS's roster was read of {told}: `glimmr scan --all` reads all of it"


def _some(places: Sequence[str]) -> str:
    more = f" and {len(places) - 8} more" if len(places) > 8 else ""
    return f"{', '.join(places[:8])}{more}"


def _row(state: str, one: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = tuple(f"{one[name]:,}" for name in ("roster", "exempt", "address", "prices"))
    percent = "" if one["percent"] is None else f"{one['percent']:.1f}"
    why = ", ".join(f"{count:,} {word.replace('_', ' ')}" for word, count in one["without_prices"].items())
    return state, *counts, percent, f"{one['fresh']:,}", f"{one['nobody_knows']:,}", why
