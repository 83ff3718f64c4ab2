"""Which of the known hospitals is meant by what a source or a file's own header says. Pure; in doubt, none."""

from collections.abc import Iterable
from dataclasses import dataclass

from glimmr.model import Found, Header, Known, Listed
from glimmr.places import PLACES
from glimmr.scan.candidates import Candidate, Candidates, same_house
from glimmr.scan.identity import parent_ccn
from glimmr.scan.names import state_in, zip_code

NOBODY = "no hospital is like it"
_SURE = 0.65  # a name of this likeness is enough with the state, where it is the only one
_LIKE = 0.4  # and this one in the same house
_ALONE = 0.97  # without any place: all but the same name, and none in the country near it
_MARGIN = 0.2  # by so much the next best must be worse
_MARGIN_OF_SAME = 0.1  # and this much where the name is the very same; with a place, by anything
_MOST_SHOWN = 5
_MOST_LOCATIONS = 2_000  # of one file; the most that were seen are 185
_LICENCE, _NPI = 0.98, 0.97  # a typing error in a number is rarer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a source or a file says of one hospital."""

    names: tuple[str, ...] = ()
    ccn: str | None = None
    npis: tuple[str, ...] = ()
    licence: tuple[str, str] | None = None  # state and number
    state: str | None = None
    address: str | None = None
    zip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The hospital that is meant. `method` names what agreed, `score` (0 to 1) how well."""

    hospital_id: str
    method: str  # ccn, licence, npi, name+address, name+state, name
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMatch:
    """No hospital is meant with enough certainty: why, and who came nearest (hospital_id and score, the best first)."""

    reason: str
    candidates: tuple[tuple[str, float], ...] = ()


def claim_of(record: Found | Listed | Known) -> Claim:
    """What a source's record claims, or all that is known of a hospital."""
    hospital = record.hospital
    return Claim(
        names=(hospital.name, *(() if isinstance(record, Found) else record.other_names)),
        ccn=hospital.ccn,
        npis=tuple(filter(None, (hospital.npis or "").split("|"))),
        state=hospital.state,
        address=hospital.address,
        zip=hospital.zip,
    )


def claims_of(header: Header) -> tuple[Claim, ...]:
    """What a file's header claims, one claim for each location (CMS lists names and addresses in the same order).

    The state is that of the location's address, else of the licence. NPI and licence say which location they belong to
    only where there is one. Locations beyond any number that is meant are not looked at.
    """
    names = header.location_names or tuple(filter(None, (header.hospital_name,)))
    paired = len(header.addresses) == len(names)
    one = len(names) == 1
    licence = (header.license_state, header.license_number) if header.license_state and header.license_number else None
    claims: list[Claim] = []
    for at, name in enumerate(names[:_MOST_LOCATIONS]):
        address = header.addresses[at] if paired else None
        state = state_in(address or "") or header.license_state
        claims.append(
            Claim(
                names=(name, *(filter(None, (header.hospital_name,)) if one else ())),
                npis=header.type2_npis if one else (),
                licence=licence if one else None,
                state=state if state in PLACES else None,
                address=address,
                zip=zip_code(address or ""),
            )
        )
    return tuple(claims)


def match(claim: Claim, candidates: Candidates) -> Match | NoMatch:
    """The hospital a claim means. Numbers count before names, a house before a state; in doubt it is nobody.

    Two different CCNs are two hospitals, whatever else agrees.
    """
    ccn = parent_ccn(claim.ccn) if claim.ccn else None
    if ccn and ccn in candidates:
        return Match(hospital_id=ccn, method="ccn", score=1.0)
    for method, score, ids in (
        ("licence", _LICENCE, candidates.with_licence(claim.licence) if claim.licence else set[str]()),
        ("npi", _NPI, set[str]().union(*(candidates.with_npi(npi) for npi in claim.npis))),
    ):
        usable = {key for key in ids if _may_be(claim, candidates[key])}
        if len(usable) == 1:
            return Match(hospital_id=usable.pop(), method=method, score=score)
    pool = candidates.near(claim.names, claim.address, claim.state or "")
    near = [(candidates.likeness(claim.names, key), key) for key in pool if _may_be(claim, candidates[key])]
    return _best(claim, candidates, sorted(near, key=lambda one: (-one[0], one[1])))


def is_same(score: float) -> bool:
    """Whether a likeness is that of two names that are all but the same."""
    return score >= _ALONE


def verify(header: Header, candidate: Candidate, candidates: Candidates) -> Match | NoMatch:
    """Whether a file is this hospital's, by its own header: it must name it at its address, or in its state.

    The first answer is that of the location that comes nearest. A file that names other hospitals only is not.
    """
    hospital = candidate.hospital
    best = NoMatch(reason="the header names no location")
    for claim in claims_of(header):
        if not _may_be(claim, candidate):
            best = NoMatch(reason=f"the header says {claim.state}, the hospital is in {hospital.state}")
            continue
        score = candidates.likeness(claim.names, hospital.hospital_id)
        if same_house(claim.address, claim.zip, hospital) and score >= _LIKE:
            return Match(hospital_id=hospital.hospital_id, method="name+address", score=_with_house(score))
        if score >= _SURE and claim.state and not _elsewhere(claim, candidate):
            return Match(hospital_id=hospital.hospital_id, method="name+state", score=score)
        nearest = ((hospital.hospital_id, round(score, 3)),)
        if not best.candidates or score > best.candidates[0][1]:
            best = NoMatch(reason="no location of the header has its name and place", candidates=nearest)
    return best


def _may_be(claim: Claim, candidate: Candidate) -> bool:
    """Whether nothing speaks against it: another state, or another CCN."""
    hospital = candidate.hospital
    other_ccn = claim.ccn and hospital.ccn and parent_ccn(claim.ccn) != hospital.ccn
    return not other_ccn and (not claim.state or claim.state == hospital.state)


def _best(claim: Claim, candidates: Candidates, near: list[tuple[float, str]]) -> Match | NoMatch:
    housed = [
        (score, key)
        for score, key in near
        if score >= _LIKE and same_house(claim.address, claim.zip, candidates[key].hospital)
    ]
    if housed:
        return _clear("name+address", [(_with_house(score), key) for score, key in housed], _LIKE)
    placed = [(score, key) for score, key in near if not _elsewhere(claim, candidates[key])]
    if near and not placed and near[0][0] >= _SURE:
        return NoMatch(reason="the address is in another town", candidates=_shown(near))
    if claim.state:
        return _clear("name+state", placed, _SURE)
    return _clear("name", placed, _ALONE)


def _clear(method: str, near: list[tuple[float, str]], enough: float) -> Match | NoMatch:
    if not near or near[0][0] < enough:
        return NoMatch(reason=NOBODY, candidates=_shown(near))
    (score, key), *others = near
    margin = _MARGIN if score < 1 else _MARGIN_OF_SAME if method == "name" else 0.0
    if others and (others[0][0] == score or score - others[0][0] < margin):
        return NoMatch(reason="more than one hospital is like it", candidates=_shown(near))
    return Match(hospital_id=key, method=method, score=round(score, 3))


def _elsewhere(claim: Claim, candidate: Candidate) -> bool:
    """Whether both say where they are, and that is not the same region (the first three digits of the ZIP code)."""
    ours, theirs = zip_code(claim.zip or claim.address or ""), zip_code(candidate.hospital.zip or "")
    return ours is not None and theirs is not None and ours[:3] != theirs[:3]


def _with_house(score: float) -> float:
    return round((1 + score) / 2, 3)


def _shown(near: Iterable[tuple[float, str]]) -> tuple[tuple[str, float], ...]:
    return tuple((key, round(score, 3)) for score, key in near)[:_MOST_SHOWN]
