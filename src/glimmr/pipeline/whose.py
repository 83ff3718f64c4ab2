"""Whose prices a snapshot holds: what sources say is believed of a name only when the file's own header agrees."""

from datetime import datetime
from typing import Any

from glimmr.model import Header, Hospital, Known
from glimmr.places import PLACES
from glimmr.scan.identity import hospital_id
from glimmr.scan.match import Match, verify
from glimmr.scan.merge import candidates_of
from glimmr.stores import hospitals, owners, snapshots
from glimmr.stores.database import Connection
from glimmr.stores.trust import OWN_WORD


def settle(connection: Connection, file_id: str, price_file_id: str | None, now: datetime) -> None:
    """Ask a snapshot's header about every hospital its addresses are said to be of, once for each snapshot.

    A hospital that was meant by likeness of names, and whom the header does not name, gives way to one that is known
    by what the source called it. Numbers (a CCN) are the source's own word: what the header says of them is noted.
    """
    links = owners.unverified(connection, file_id, price_file_id)
    snapshot = snapshots.snapshot(connection, file_id) if links else None
    if snapshot is None:
        return
    header = _header(snapshot)
    known = hospitals.by_id(connection, {link.hospital_id for link in links})
    around = hospitals.in_states(connection, {one.hospital.state for one in known.values()} - {""})
    candidates = candidates_of({one.hospital.hospital_id: one for one in (*around, *known.values())}.values())
    for link in links:
        said = verify(header, candidates[link.hospital_id], candidates)
        agrees = said if isinstance(said, Match) else None
        owners.verified(connection, link, file_id, agrees.method if agrees else None, agrees.score if agrees else None)
        if agrees is None and link.method not in OWN_WORD:
            own = _by_its_own_name(link, header)
            hospitals.write(connection, [_new(own, link.source)], now, {})
            owners.give(connection, link, own.hospital_id, file_id)


def _by_its_own_name(link: owners.Link, header: Header) -> Hospital:
    """A hospital known by nothing but what the source called it, in the state the file names."""
    state = header.license_state if header.license_state in PLACES else ""
    name = link.location_name or header.hospital_name or link.hospital_id
    return Hospital(hospital_id=hospital_id(None, name, state, link.price_file_id), name=name, state=state or "")


def _new(hospital: Hospital, source: str) -> Known:
    return Known(hospital=hospital, sources=(source,), field_sources={"name": source, "state": source})


def _header(snapshot: dict[str, Any]) -> Header:
    return Header(
        hospital_name=snapshot["hospital_name"],
        location_names=tuple(snapshot["location_names"] or ()),
        addresses=tuple(snapshot["addresses"] or ()),
        license_number=snapshot["license_number"],
        license_state=snapshot["license_state"],
        type2_npis=tuple(snapshot["type2_npis"] or ()),
    )
