"""How much is known and how it ended: what status and summaries show."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Double, func, literal, select

from glimmr.model import WEAK_TRANSPORT
from glimmr.stores.clock import moment
from glimmr.stores.tables import fetches, findings, hospitals, hosts, price_file_hospitals, price_files, snapshots


def counts(connection: Connection) -> dict[str, int]:
    """How much is known: hospitals, addresses, snapshots, bytes, published charges and rates."""
    published = select(price_files.c.current_file_id).where(price_files.c.current_file_id.is_not(None)).distinct()
    inside = snapshots.c.file_id.in_(published)
    one = select(
        select(func.count()).select_from(hospitals).scalar_subquery().label("hospitals"),
        select(func.count()).select_from(price_files).scalar_subquery().label("price_files"),
        select(func.count()).select_from(snapshots).scalar_subquery().label("snapshots"),
        select(func.coalesce(func.sum(snapshots.c.bytes), 0)).scalar_subquery().label("bytes"),
        select(func.count()).select_from(snapshots).where(inside).scalar_subquery().label("published"),
        select(func.coalesce(func.sum(snapshots.c.charges), 0)).where(inside).scalar_subquery().label("charges"),
        select(func.coalesce(func.sum(snapshots.c.rates), 0)).where(inside).scalar_subquery().label("rates"),
    )
    return {name: int(value) for name, value in connection.execute(one).mappings().one().items()}


def outcomes(connection: Connection) -> list[tuple[str, str | None, str | None, int]]:
    """Addresses counted by (state, outcome, reason)."""
    columns = (price_files.c.state, price_files.c.outcome, price_files.c.reason)
    rows = connection.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
    return [(state, outcome, reason, int(count)) for state, outcome, reason, count in rows]


def troubled(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Addresses that did not end well, with a hospital's name: what a person looks at first."""
    statement = (
        select(
            price_files.c.url,
            price_files.c.state,
            price_files.c.outcome,
            price_files.c.reason,
            price_files.c.message,
            price_files.c.next_try_at,
            func.min(hospitals.c.name).label("hospital"),
            func.min(hospitals.c.state).label("place"),
        )
        .join(price_file_hospitals, price_file_hospitals.c.price_file_id == price_files.c.price_file_id)
        .join(hospitals, hospitals.c.hospital_id == price_file_hospitals.c.hospital_id)
        .where(price_files.c.outcome.is_not(None), price_files.c.outcome.not_in(("ok", "unchanged")))
        .group_by(price_files.c.price_file_id)
        .order_by(price_files.c.outcome, func.min(hospitals.c.name))
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def weak_transport(connection: Connection) -> list[dict[str, Any]]:
    """What is current and came on a way less safe than it should be: addresses by finding, and one of them."""
    statement = (
        select(findings.c.code, func.count().label("files"), func.min(price_files.c.url).label("url"))
        .join(price_files, price_files.c.current_file_id == findings.c.file_id)
        .where(findings.c.code.in_(WEAK_TRANSPORT))
        .group_by(findings.c.code)
        .order_by(findings.c.code)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def read_since(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """Snapshots read since then: `outcome, files, empty`, these without a single price."""
    empty = func.coalesce(snapshots.c.charges, 0) == 0
    statement = (
        select(snapshots.c.outcome, func.count().label("files"), func.count().filter(empty).label("empty"))
        .where(snapshots.c.parsed_at > since)
        .group_by(snapshots.c.outcome)
        .order_by(snapshots.c.outcome)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def hosts_resting(connection: Connection) -> int:
    """Hosts that are left alone for a while."""
    now = moment(literal(0.0, Double()))
    return connection.execute(select(func.count()).select_from(hosts).where(hosts.c.until > now)).scalar_one()


def last_named(connection: Connection) -> datetime | None:
    """When a source last named a price file."""
    return connection.execute(select(func.max(price_files.c.last_seen))).scalar_one()


def published_at(connection: Connection, file_ids: Collection[str]) -> dict[str, datetime]:
    """When these snapshots' prices came into the price table."""
    columns = (snapshots.c.file_id, snapshots.c.published_at)
    told = select(*columns).where(snapshots.c.file_id.in_(file_ids), snapshots.c.published_at.is_not(None))
    return {file_id: moment_ for file_id, moment_ in connection.execute(told)}  # noqa: C416 - rows are more than pairs


def file_seconds(connection: Connection, since: datetime) -> list[float]:
    """Seconds from a file's bytes being home to its prices being published, of those published since then."""
    from_home = select(snapshots.c.published_at, func.min(fetches.c.fetched_at))
    found = (
        from_home.join(fetches, fetches.c.file_id == snapshots.c.file_id)
        .where(snapshots.c.published_at > since)
        .group_by(snapshots.c.file_id)
    )
    return [(published_at - home_at).total_seconds() for published_at, home_at in connection.execute(found)]
