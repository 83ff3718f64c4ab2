"""Whose prices a snapshot holds: what sources say is believed of a name only when the file's own header agrees."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from glimmr.model import Header, Hospital, Known
from glimmr.pipeline.parts import utcnow
from glimmr.places import PLACES
from glimmr.scan.identity import hospital_id
from glimmr.scan.match import Match, verify
from glimmr.scan.merge import candidates_of, words_of
from glimmr.stores import hospital_words, hospitals, owners, snapshots
from glimmr.stores.database import Connection, Database
from glimmr.stores.trust import OWN_WORD


def settle(database: Database, file_id: str, price_file_id: str | None) -> None:
    """Ask a snapshot's header about every hospital its addresses are said to be of, once for each snapshot.

    A hospital that was meant by likeness of names, and whom the header does not name, gives way to one that is known
    by what the source called it. Numbers (a CCN) are the source's own word: what the header says of them is noted.
    """
    while judged := database.read(lambda connection: _judged(connection, file_id, price_file_id)):
        database.write(lambda connection, judged=judged: _write(connection, file_id, price_file_id, judged))


@dataclass(frozen=True, slots=True)
class _Judged:
    link: owners.Link
    agrees: Match | None
    own: Known  # who it is of where that is nobody's word but the source's


def _judged(connection: Connection, file_id: str, price_file_id: str | None) -> list[_Judged]:
    """What the header says to each link that was not held against it yet; while that is found out nobody waits."""
    links = owners.unverified(connection, file_id, price_file_id)
    snapshot = snapshots.snapshot(connection, file_id) if links else None
    if snapshot is None:
        return []
    header = _header(snapshot)
    known = hospitals.by_id(connection, {link.hospital_id for link in links})
    around = hospitals.in_states(connection, {one.hospital.state for one in known.values()} - {""})
    candidates = candidates_of({one.hospital.hospital_id: one for one in (*around, *known.values())}.values())
    said = [(link, verify(header, candidates[link.hospital_id], candidates)) for link in links]
    return [
        _Judged(link, one if isinstance(one, Match) else None, _by_its_own_name(link, header)) for link, one in said
    ]


def _write(connection: Connection, file_id: str, price_file_id: str | None, judged: Iterable[_Judged]) -> None:
    """Note it of the links that are still as they were when it was found out."""
    still = set(owners.unverified(connection, file_id, price_file_id))
    for one in (one for one in judged if one.link in still):
        method, score = (one.agrees.method, one.agrees.score) if one.agrees else (None, None)
        owners.verified(connection, one.link, file_id, method, score)
        if one.agrees is None and one.link.method not in OWN_WORD:
            own = one.own.hospital.hospital_id
            hospitals.add(connection, [one.own], utcnow(), {})
            hospital_words.write(connection, {own: sorted(words_of(one.own))})
            owners.give(connection, one.link, own, file_id)


def _by_its_own_name(link: owners.Link, header: Header) -> Known:
    """A hospital known by nothing but what the source called it, in the state the file names."""
    state = header.license_state if header.license_state in PLACES else ""
    name = link.location_name or header.hospital_name or link.hospital_id
    key = hospital_id(None, name, state, link.price_file_id)
    own = Hospital(hospital_id=key, name=name, state=state or "")
    return Known(hospital=own, sources=(link.source,), field_sources={"name": link.source, "state": link.source})


def _header(snapshot: dict[str, Any]) -> Header:
    return Header(
        hospital_name=snapshot["hospital_name"],
        location_names=tuple(snapshot["location_names"] or ()),
        addresses=tuple(snapshot["addresses"] or ()),
        license_number=snapshot["license_number"],
        license_state=snapshot["license_state"],
        type2_npis=tuple(snapshot["type2_npis"] or ()),
    )
