"""What all sources say, as one list of hospitals: who is the same, whose each fact is, whose each file is. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from glimmr.errors import FetchError
from glimmr.model import Found, Hospital, Listed
from glimmr.net import normalise
from glimmr.scan.candidates import Candidate, Candidates
from glimmr.scan.match import NOBODY, Match, NoMatch, claim_of, match

PRECEDENCE = ("cms_roster", "pra", "listing", "cms_hpt", "page")
"""Whose word counts first; a source that is not named here counts last."""
_KEYS = frozenset(("hospital_id", "name", "state", "ccn"))
_FACTS = tuple(one.name for one in fields(Hospital) if one.name not in _KEYS)


@dataclass(slots=True, kw_only=True)
class Merged:
    """One hospital of many records. `said_by` names the source of each field that is known."""

    hospital: Hospital
    other_names: dict[str, None] = field(default_factory=dict[str, None])
    said_by: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One hospital's file is at one address, as one source says. One file may be of many hospitals, and many of one."""

    url: str  # normalised where it can be
    hospital_id: str
    source: str
    location_name: str
    method: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A record that might be of a hospital that is known, and was taken for one of its own."""

    hospital_id: str
    source: str
    why: NoMatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """What all sources say together."""

    hospitals: Mapping[str, Merged]
    links: tuple[Link, ...]
    doubts: tuple[Doubt, ...]


def merge(said: Iterable[Found | Listed]) -> Everything:
    """One hospital for all records that mean it; those in doubt stay apart, and are told.

    Records with a CCN come first, so that those without find whom they mean. The order they are given in is no matter.
    """
    known, hospitals = Candidates(), dict[str, Merged]()
    links: dict[tuple[str, str, str], Link] = {}
    doubts: dict[tuple[str, str], Doubt] = {}
    for record in sorted(said, key=_order):
        found = match(claim_of(record), known)
        key, method, score = record.hospital.hospital_id, "ccn" if record.hospital.ccn else "source", 1.0
        if isinstance(found, Match):
            key, method, score = found.hospital_id, found.method, found.score
        elif key in hospitals:
            pass  # no CCN, but name, state and town to the letter: the id is made of these
        elif found.candidates and found.reason != NOBODY:
            doubts[key, record.source] = Doubt(hospital_id=key, source=record.source, why=found)
        merged = hospitals.setdefault(key, Merged(hospital=replace(record.hospital, hospital_id=key)))
        if _add(merged, record):
            known.add(Candidate(hospital=merged.hospital, other_names=tuple(merged.other_names)))
        if isinstance(record, Found):
            link = Link(
                url=_address(record.url),
                hospital_id=key,
                source=record.source,
                location_name=record.hospital.name,
                method=method,
                score=score,
            )
            links.setdefault((link.url, key, link.source), link)
    return Everything(hospitals=hospitals, links=tuple(links.values()), doubts=tuple(doubts.values()))


def _order(record: Found | Listed) -> tuple[bool, int, str, str, str]:
    place = PRECEDENCE.index(record.source) if record.source in PRECEDENCE else len(PRECEDENCE)
    hospital = record.hospital
    url = record.url if isinstance(record, Found) else ""
    return hospital.ccn is None, place, hospital.hospital_id, hospital.name, url


def _add(merged: Merged, record: Found | Listed) -> bool:
    """Take what is not known yet; whether anything was."""
    ours, theirs = merged.hospital, record.hospital
    new = {name: getattr(theirs, name) for name in _FACTS if name not in merged.said_by and getattr(theirs, name)}
    first = not merged.said_by
    if first:
        merged.said_by |= dict.fromkeys(
            (name for name in ("name", "state", "ccn") if getattr(theirs, name)), record.source
        )
    merged.said_by |= dict.fromkeys(new, record.source)
    merged.hospital = replace(ours, **new)
    names = (theirs.name, *(record.other_names if isinstance(record, Listed) else ()))
    others = {name: None for name in names if name != ours.name and name not in merged.other_names}
    merged.other_names |= others
    return bool(first or new or others)


def _address(url: str) -> str:
    try:
        return normalise(url)
    except FetchError:
        return url  # what asks it will say what is wrong with it
