"""What sources answered, for who reads it: plain functions of the caller's transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, distinct, exists, func, or_, select

from glimmr.outcomes import Outcome
from glimmr.stores.in_parts import in_parts
from glimmr.stores.tables import address_changes, sightings, source_answers

_SINCE = (
    select(source_answers)
    .where(source_answers.c.asked_at >= bindparam("moment"))
    .order_by(source_answers.c.source, source_answers.c.place)
)
_AT = (
    select(source_answers)
    .where(source_answers.c.place.in_(bindparam("places", expanding=True)))
    .order_by(source_answers.c.source, source_answers.c.place)
)
_OF = (
    select(source_answers.c.place, source_answers.c.answered_at)
    .where(source_answers.c.source == bindparam("source"), source_answers.c.answered_at.is_not(None))
    .order_by(source_answers.c.place)
)
_WHOSE = func.coalesce(address_changes.c.price_file_id, address_changes.c.hospital_id)
_EARLIER = address_changes.alias()
_TOLD_BEFORE = exists().where(  # each source tells a move when it names the new address
    _EARLIER.c.price_file_id == address_changes.c.price_file_id,
    _EARLIER.c.what == "moved",
    _EARLIER.c.detail == address_changes.c.detail,
    _EARLIER.c.at < bindparam("moment"),
)
_CHANGED = (
    select(address_changes.c.what, func.count(distinct(_WHOSE)))
    .where(address_changes.c.at >= bindparam("moment"), or_(address_changes.c.what != "moved", ~_TOLD_BEFORE))
    .group_by(address_changes.c.what)
)
_NAMED = select(func.count(distinct(sightings.c.price_file_id))).where(sightings.c.last_seen >= bindparam("moment"))


def is_heard(answer: Mapping[str, Any]) -> bool:
    """Whether somebody answered, be it with an error: a site that could not be reached said nothing."""
    tried: Sequence[Mapping[str, Any]] = answer["tried"]
    return answer["outcome"] == Outcome.OK and (not tried or any(one["answer"].isdigit() for one in tried))


def since(connection: Connection, moment: datetime) -> list[dict[str, Any]]:
    """The answers to questions that were asked since then."""
    return [dict(row) for row in connection.execute(_SINCE, {"moment": moment}).mappings()]


def about(connection: Connection, places: Collection[str]) -> list[dict[str, Any]]:
    """The last answer of every source about each of these places."""
    parts = in_parts(sorted(places))
    return [dict(row) for part in parts for row in connection.execute(_AT, {"places": part}).mappings()]


def said_by(connection: Connection, source: str) -> dict[str, datetime]:
    """The places a source could say something about, and when it did so last."""
    return dict(connection.execute(_OF, {"source": source}).all())


def changes_since(connection: Connection, moment: datetime) -> dict[str, int]:
    """How many addresses are new, moved, unlisted, gone or back since then, and how many hospitals are renamed."""
    return dict(connection.execute(_CHANGED, {"moment": moment}).all())


def named_since(connection: Connection, moment: datetime) -> int:
    """How many addresses a source has named since then."""
    return int(connection.execute(_NAMED, {"moment": moment}).scalar_one())
