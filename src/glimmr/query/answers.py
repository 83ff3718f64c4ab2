"""What a procedure costs: the published prices of a code, hospital by hospital, each with the cell it stands in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from glimmr.errors import UsageError
from glimmr.query.lookup import MATCHES, forms, look_up, scope
from glimmr.stores.lake import Published

SETTINGS = ("inpatient", "outpatient", "both")


@dataclass(frozen=True, slots=True)
class Price:
    """One published price.

    `kind` is gross, cash, min, max (the charge's) or negotiated, estimated, median, p10, p90 (what `payer` and `plan`
    agreed on). `amount` is in US dollars; a negotiated price may be a `percentage` or an `algorithm` instead.
    `member` and `source_pos` are the cell it stands in, inside the file that came from `url`.
    """

    hospital_id: str
    ccn: str | None
    hospital: str | None
    city: str | None
    state: str | None
    code: str
    code_type: str | None
    description: str | None
    setting: str | None
    payer: str | None
    plan: str | None
    kind: str
    amount: Decimal | None
    percentage: Decimal | None
    algorithm: str | None
    methodology: str | None
    last_updated_on: date | None
    member: str | None
    source_pos: str
    url: str | None
    file_id: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Prices, and for every code without one a sentence that says why. `more`: the limit cut some off."""

    rows: tuple[Price, ...]
    why: tuple[str, ...]
    more: bool
    hospitals_searched: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Which prices: two-letter state, part of a payer's or plan's name, setting (`both` matches either), how many."""

    state: str | None
    payer: str | None
    setting: str | None
    limit: int


def answer(connection: duckdb.DuckDBPyConnection, published: Published, codes: Sequence[str], ask: Ask) -> Answer:
    """Look codes up in the current price lists, in the order given; then by state, hospital, place in the file.

    A code matches as published or normalised (HCPCS/CPT, MS-DRG, NDC, revenue code), in any of a charge's code pairs.
    With `payer` only what that payer agreed on is given. Raises UsageError.
    """
    _check(codes, ask)
    file_ids = scope(connection, ask.state)
    searched = _number(connection, "SELECT count(DISTINCT hospital_id) FROM scope")
    found: list[Price] = []
    why: list[str] = []
    for code in codes:
        room = ask.limit - len(found)
        rows = look_up(connection, published, file_ids, code, payer=ask.payer, setting=ask.setting, limit=room + 1)
        found += [_price(row, code) for row in rows]
        if not rows:
            why.append(f"{code}: {_why(connection, code, ask, searched)}")
        if len(found) > ask.limit:
            break
    return Answer(tuple(found[: ask.limit]), tuple(why), more=len(found) > ask.limit, hospitals_searched=searched)


def _price(row: dict[str, Any], asked: str) -> Price:
    """Show the pair that was asked for, where it was published as asked; else the primary one."""
    pairs = row.pop("codes") or []
    same = [pair for pair in pairs if (pair["code"] or "").upper() == asked.strip().upper()]
    if same:
        row |= {"code": same[0]["code"], "code_type": same[0]["type"]}
    row["flags"] = tuple(row["flags"] or ())
    return Price(**row)


_EVERYWHERE = "SELECT count(DISTINCT hospital_id) FROM file_hospitals JOIN files USING (file_id) WHERE current"
_HAVE = _EVERYWHERE + " AND file_id IN (FROM charges SELECT file_id WHERE " + MATCHES + ")"


def _why(connection: duckdb.DuckDBPyConnection, code: str, ask: Ask, searched: int) -> str:
    everywhere = _number(connection, _EVERYWHERE)
    if not everywhere:
        return "no price list is published yet; `glimmr run` brings them in"
    have = _number(connection, _HAVE, forms(code))
    if not have:
        return f"unknown code: none of the {everywhere} hospitals in the price table publishes it"
    filters = {"state": ask.state, "payer": ask.payer, "setting": ask.setting}
    asked = ", ".join(f"{name} {value}" for name, value in filters.items() if value)
    if not asked:
        return f"{have} of {searched} hospitals publish it, but none with an amount"
    at_all = f"{have} of all {everywhere} publish it"
    return f"{searched} hospitals searched, none publishes it for {asked}; without these filters {at_all}"


def _number(connection: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any] | None = None) -> int:
    return int(connection.execute(text, values or {}).fetchall()[0][0])


def _check(codes: Sequence[str], ask: Ask) -> None:
    if not codes or not all(code.strip() for code in codes):
        raise UsageError("give at least one code, for example: glimmr prices 99213")
    if ask.setting is not None and ask.setting.lower() not in SETTINGS:
        raise UsageError(f"setting {ask.setting!r} is none of {', '.join(SETTINGS)}")
    if ask.limit < 1:
        raise UsageError(f"limit {ask.limit} is less than 1")
