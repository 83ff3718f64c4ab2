"""What addresses answered, what was read in the bytes, and what of it the price table holds."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update

from glimmr.model import WEAK_TRANSPORT, Fetched, FileReport, Header, Ranges
from glimmr.outcomes import Outcome
from glimmr.stores.catalog import upsert
from glimmr.stores.tables import fetches, findings, hospitals, price_file_hospitals, price_files, snapshots
from glimmr.stores.trust import TRUSTED

# -- what addresses answered -------------------------------------------------------------------------------------

_NEXT_SEQ = select(func.coalesce(func.max(fetches.c.seq), 0) + 1).where(fetches.c.price_file_id == bindparam("id"))
_LATEST = (
    select(fetches.c.price_file_id, func.max(fetches.c.seq).label("seq"))
    .where(fetches.c.file_id.is_not(None))
    .group_by(fetches.c.price_file_id)
    .subquery()
)
_LATEST_FILE = select(fetches.c.price_file_id, fetches.c.file_id, fetches.c.fetched_at).join(
    _LATEST, and_(fetches.c.price_file_id == _LATEST.c.price_file_id, fetches.c.seq == _LATEST.c.seq)
)
_WAITING_FOR = _LATEST_FILE.join(price_files, price_files.c.price_file_id == fetches.c.price_file_id).where(
    fetches.c.file_id == bindparam("file_id"), price_files.c.state == "working"
)
_ENDED_WITH = _LATEST_FILE.join(price_files, price_files.c.price_file_id == fetches.c.price_file_id).where(
    fetches.c.file_id == bindparam("file_id"), price_files.c.state == "done"
)
_HAD = select(
    or_(
        exists().where(fetches.c.file_id == bindparam("file_id")),
        exists().where(price_files.c.current_file_id == bindparam("file_id")),
    )
)
_WANTED = _LATEST_FILE.join(price_files, price_files.c.price_file_id == fetches.c.price_file_id).where(
    price_files.c.state == "working"
)
_CURRENT_ONES = select(price_files.c.current_file_id).where(price_files.c.current_file_id.is_not(None)).distinct()
_BROUGHT_AT = select(func.max(fetches.c.fetched_at)).where(
    fetches.c.price_file_id == bindparam("id"),
    fetches.c.file_id == bindparam("file_id"),
    fetches.c.outcome == Outcome.OK,
)
_TIMES_SEEN = (
    select(func.count())
    .select_from(fetches)
    .where(fetches.c.price_file_id == bindparam("id"), fetches.c.file_id == bindparam("file_id"))
)


def record_answer(
    connection: Connection,
    price_file_id: str,
    now: datetime,
    *,
    outcome: str,
    reason: str = "",
    http_status: int | None = None,
    fetched: Fetched | None = None,
    file_id: str | None = None,
) -> None:
    """Write down what an address answered; with its bytes, its validators are remembered for the next time."""
    seq = connection.execute(_NEXT_SEQ, {"id": price_file_id}).scalar_one()
    connection.execute(
        fetches.insert(),
        {
            "price_file_id": price_file_id,
            "seq": seq,
            "file_id": fetched.file_id if fetched else file_id,
            "outcome": outcome,
            "reason": reason,
            "http_status": fetched.http_status if fetched else http_status,
            "etag": fetched.etag if fetched else None,
            "last_modified": fetched.last_modified if fetched else None,
            "bytes": fetched.size_bytes if fetched else 0,
            "fetched_at": now,
        },
    )
    if fetched:
        connection.execute(
            update(price_files)
            .where(price_files.c.price_file_id == price_file_id)
            .values(etag=fetched.etag, last_modified=fetched.last_modified)
        )


def latest_file_id(connection: Connection, price_file_id: str) -> str | None:
    """The bytes an address gave last, or None when it never gave any."""
    statement = _LATEST_FILE.where(fetches.c.price_file_id == price_file_id)
    row = connection.execute(statement).one_or_none()
    return row.file_id if row else None


def waiting_for(connection: Connection, file_id: str) -> list[str]:
    """The addresses that gave these bytes last and wait for what becomes of them."""
    return sorted(row.price_file_id for row in connection.execute(_WAITING_FOR, {"file_id": file_id}))


def ended_with(connection: Connection, file_id: str) -> list[str]:
    """The addresses that gave these bytes last and wait for nothing."""
    return sorted(row.price_file_id for row in connection.execute(_ENDED_WITH, {"file_id": file_id}))


def is_had(connection: Connection, file_id: str) -> bool:
    """Whether any address that is known ever gave these bytes."""
    return bool(connection.execute(_HAD, {"file_id": file_id}).scalar())


def current(connection: Connection) -> set[str]:
    """The snapshots that some address has as its current one: what the price table must hold."""
    return {row.current_file_id for row in connection.execute(_CURRENT_ONES)}


def wanted(connection: Connection) -> set[str]:
    """The snapshots somebody waits for: their price lists may be on the shelf without being published."""
    return {row.file_id for row in connection.execute(_WANTED)}


def times_seen(connection: Connection, price_file_id: str, file_id: str) -> int:
    """How often an address gave these bytes."""
    return connection.execute(_TIMES_SEEN, {"id": price_file_id, "file_id": file_id}).scalar_one()


# -- snapshots ---------------------------------------------------------------------------------------------------

_SNAPSHOT = select(snapshots).where(snapshots.c.file_id == bindparam("file_id"))
_BACK = (
    update(snapshots)
    .where(snapshots.c.file_id == bindparam("id"), snapshots.c.bytes_removed_at.is_not(None))
    .values(bytes_removed_at=None)
)
_HOLD = select(snapshots.c.file_id).where(snapshots.c.file_id == bindparam("file_id")).with_for_update()


def hold(connection: Connection, file_id: str) -> None:
    """Nobody else changes the snapshot's row until the transaction ends.

    Whoever makes an address wait for what becomes of bytes, and whoever says what became of them, takes it first: else
    each may look before the other's commit, and the address waits for ever (on PostgreSQL; SQLite has one writer).
    """
    connection.execute(_HOLD, {"file_id": file_id})


def snapshot(connection: Connection, file_id: str) -> dict[str, Any] | None:
    """One snapshot's row, or None."""
    row = connection.execute(_SNAPSHOT, {"file_id": file_id}).mappings().one_or_none()
    return dict(row) if row else None


def remember_bytes(connection: Connection, fetched: Fetched, blob_key: str) -> None:
    """Bytes are on the shelf (again)."""
    row = {
        "file_id": fetched.file_id,
        "bytes": fetched.size_bytes,
        "blob_key": blob_key,
        "content_type": fetched.content_type,
        "disposition_name": fetched.disposition_name,
        "ranges": list(fetched.ranges.sha256) if fetched.ranges else None,
    }
    upsert(connection, snapshots, [row], replace=("ranges",))
    connection.execute(_BACK, {"id": fetched.file_id})


def ranges(connection: Connection, price_file_id: str, file_id: str, since: datetime) -> Ranges | None:
    """What these bytes are known again by, if the address gave the whole of them after `since`."""
    row = snapshot(connection, file_id)
    brought_at = connection.execute(_BROUGHT_AT, {"id": price_file_id, "file_id": file_id}).scalar()
    if row is None or not row["ranges"] or brought_at is None or brought_at < since:
        return None
    return Ranges(size_bytes=row["bytes"], sha256=tuple(row["ranges"]))


def record_report(connection: Connection, report: FileReport, now: datetime) -> None:
    """Write down how a snapshot was read, in place of what an earlier reading said."""
    best = next((m for m in report.members if m.outcome == Outcome.OK), report.members[0] if report.members else None)
    header = best.header if best else Header()
    total = sum(finding.count for member in report.members for finding in member.findings)
    connection.execute(
        update(snapshots)
        .where(snapshots.c.file_id == report.file_id)
        .values(
            container=report.container,
            format=best.format if best else None,
            layout=best.layout if best else None,
            template_version=best.template_version if best else None,
            encoding=best.encoding if best else None,
            delimiter=best.delimiter if best else None,
            header_row=best.header_row if best else None,
            hospital_name=header.hospital_name,
            last_updated_on=header.last_updated_on,
            location_names=list(header.location_names),
            addresses=list(header.addresses),
            license_number=header.license_number,
            license_state=header.license_state,
            type2_npis=list(header.type2_npis),
            attestation_confirmed=header.attestation_confirmed,
            attester_name=header.attester_name,
            financial_aid_policy=header.financial_aid_policy,
            contract_provisions=header.contract_provisions,
            rows_in=report.rows_in,
            items_out=report.items_out,
            charges=report.charges,
            rates=report.rates,
            rows_rejected=report.rows_rejected,
            findings_total=total,
            outcome=report.outcome,
            reason=report.reason,
            message=report.message,
            parser_version=report.parser_version,
            parsed_at=now,
        )
    )
    of_reading = findings.c.code.not_in(WEAK_TRANSPORT)
    connection.execute(findings.delete().where(findings.c.file_id == report.file_id, of_reading))
    rows = [
        {
            "file_id": report.file_id,
            "member": member.member,
            "code": finding.code,
            "severity": finding.severity,
            "position": finding.examples[0].position if finding.examples else None,
            "field": finding.examples[0].field if finding.examples else None,
            "value": finding.examples[0].value if finding.examples else None,
            "count": finding.count,
        }
        for member in report.members
        for finding in member.findings
    ]
    if rows:
        connection.execute(findings.insert(), rows)


def put_finding(connection: Connection, file_id: str, code: str, severity: str, value: str) -> None:
    """A finding about the snapshot as a whole, made outside the parser; it takes the place of an earlier one."""
    connection.execute(findings.delete().where(findings.c.file_id == file_id, findings.c.code == code))
    connection.execute(
        findings.insert(), {"file_id": file_id, "code": code, "severity": severity, "value": value[:200], "count": 1}
    )


def put_weaknesses(connection: Connection, file_id: str, codes: Collection[str]) -> None:
    """How the bytes came the last time, where that was not as safe as it should be: codes of `model.WEAK_TRANSPORT`."""
    weak = findings.c.code.in_(WEAK_TRANSPORT)
    connection.execute(findings.delete().where(findings.c.file_id == file_id, weak))
    for code in codes:
        put_finding(connection, file_id, code, "warning", WEAK_TRANSPORT[code])


# -- what the price table holds ----------------------------------------------------------------------------------

_POINTS = or_(
    price_files.c.current_file_id == bindparam("file_id"), price_files.c.price_file_id == bindparam("price_file_id")
)
_OWNERS = (
    select(
        hospitals.c.hospital_id, hospitals.c.ccn, hospitals.c.name, hospitals.c.city, hospitals.c.state, hospitals.c.zip
    )
    .distinct()
    .join(price_file_hospitals, price_file_hospitals.c.hospital_id == hospitals.c.hospital_id)
    .join(price_files, price_files.c.price_file_id == price_file_hospitals.c.price_file_id)
    .where(_POINTS, TRUSTED)
    .order_by(hospitals.c.hospital_id)
)
_FETCHED_AT = select(func.min(fetches.c.fetched_at)).where(fetches.c.file_id == bindparam("file_id"))
_CURRENT = select(price_files.c.current_file_id).where(price_files.c.price_file_id == bindparam("id"))
_POINTING = select(price_files.c.price_file_id).where(price_files.c.current_file_id == bindparam("file_id"))
_POINTING_URL = select(func.min(price_files.c.url)).where(_POINTS)


def owners(connection: Connection, file_id: str, price_file_id: str | None) -> list[dict[str, Any]]:
    """Whose prices these are: the hospitals of every address that points at them, and of the one given."""
    rows = connection.execute(_OWNERS, {"file_id": file_id, "price_file_id": price_file_id})
    return [{"file_id": file_id, **row, "current": True} for row in rows.mappings()]


def file_row(connection: Connection, file_id: str, url: str) -> dict[str, Any]:
    """The row of the table `files` for one snapshot. `url` is as it may be shown."""
    row = snapshot(connection, file_id)
    if row is None:
        raise LookupError(f"no snapshot {file_id}")
    updated = row["last_updated_on"]
    return {
        "file_id": file_id,
        "url": url,
        "template_version": row["template_version"],
        "format": row["format"],
        "hospital_name": row["hospital_name"],
        "last_updated_on": date.fromisoformat(updated) if updated else None,
        "fetched_at": connection.execute(_FETCHED_AT, {"file_id": file_id}).scalar_one(),
        "charges": row["charges"],
        "rates": row["rates"],
        "parser_version": row["parser_version"],
    }


def point(connection: Connection, price_file_id: str, file_id: str, now: datetime) -> str | None:
    """Make the snapshot the address's current one. Returns the former one when nobody points at it any more."""
    before = connection.execute(_CURRENT, {"id": price_file_id}).scalar_one()
    connection.execute(
        update(price_files).where(price_files.c.price_file_id == price_file_id).values(current_file_id=file_id)
    )
    connection.execute(update(snapshots).where(snapshots.c.file_id == file_id).values(published_at=now))
    return before if before and before != file_id else None


def leave(connection: Connection, price_file_id: str) -> str | None:
    """An address has no current snapshot any more. Returns the former one."""
    before = connection.execute(_CURRENT, {"id": price_file_id}).scalar_one()
    connection.execute(
        update(price_files).where(price_files.c.price_file_id == price_file_id).values(current_file_id=None)
    )
    return before


def unpoint(connection: Connection, file_id: str) -> list[str]:
    """No address has the snapshot as its current one any more. Returns those that had."""
    had = sorted(connection.execute(_POINTING, {"file_id": file_id}).scalars())
    connection.execute(update(price_files).where(price_files.c.current_file_id == file_id).values(current_file_id=None))
    return had


def pointing_url(connection: Connection, file_id: str, price_file_id: str | None = None) -> str | None:
    """The first, by its text, of the addresses that point at these bytes and the one given; None: there is none.

    The first, so that the table does not depend on which address was asked first.
    """
    return connection.execute(_POINTING_URL, {"file_id": file_id, "price_file_id": price_file_id}).scalar_one()
