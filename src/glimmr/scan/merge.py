"""One hospital from what many sources say of it: who is meant, and whose word counts for which field. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit

from glimmr.model import Found, Hospital, Known, Listed, Pointer, Sighting
from glimmr.net.vendors import vendor_of
from glimmr.scan.candidates import Candidate, Candidates
from glimmr.scan.identity import hospital_id
from glimmr.scan.match import Claim, Match, claim_of, is_same, match
from glimmr.scan.names import name_words, zip_code

# Whose word counts more: CMS's own lists, then who looks after addresses, a list of the user, a hospital's own site.
_RANKS = {name: rank for rank, name in enumerate(("cms_roster", "pra", "listing", "cms_hpt", "page"))}
_FIELDS = tuple(one.name for one in fields(Hospital) if one.name != "hospital_id")
_LIKE_AT_HOME = 0.35  # at a hospital's own site a name of this likeness means it, where no other one there is near
_MARGIN = 0.1
_LONGEST_HOST = 253  # characters (RFC 1035 §3.1)
_FEW = 200  # hospitals of one site; the most that were seen are 185


@dataclass(frozen=True, slots=True)
class Merged:
    """All that is known of the hospitals that were named, and which of them are new."""

    known: dict[str, Known]
    new: frozenset[str]
    updated: frozenset[str]
    changed: frozenset[str]  # anything is known of them that was not, though it be only who said so
    renamed: Mapping[str, str]  # hospital → its former name, where whoever gave that calls it otherwise now


def sighted(found: Found, candidates: Candidates) -> Sighting:
    """Whom a record means: by its CCN, else by what agrees with a hospital that is known, else itself alone."""
    hospital, method, score = found.hospital, "ccn" if found.hospital.ccn else "source", 1.0
    meant = None if hospital.ccn else match(claim_of(found), candidates)
    if isinstance(meant, Match):
        hospital = replace(hospital, hospital_id=meant.hospital_id)
        method, score = meant.method, meant.score
    return Sighting(
        hospital=hospital,
        url=found.url,
        source=found.source,
        method=method,
        score=score,
        page_url=found.page_url,
        size_bytes=found.size_bytes,
    )


def pointed(
    pointer: Pointer, own: Match | None, at_home: Candidates, candidates: Candidates, *, everywhere: bool = False
) -> Sighting:
    """Whom a site means: its `own` hospital of that name first, then another candidate, else one known by it alone.

    One of its own that is merely like it gives way to a candidate that is called just so. A text names no state: where
    the site's hospitals are all in one, it is taken for that, unless `everywhere`. A file's header that says where its
    hospital is means that one, whoever's site leads to it.
    """
    state = pointer.state or (next(iter(at_home.states)) if len(at_home.states) == 1 else None)
    name, zip_text = pointer.location_name, zip_code(pointer.address or "")
    where = pointer.state if everywhere else state
    meant = match(Claim(names=(name,), state=where, address=pointer.address, zip=zip_text), candidates)
    if own is not None and not (isinstance(meant, Match) and is_same(meant.score) and not is_same(own.score)):
        meant = own
    if isinstance(meant, Match):
        known = at_home if meant.hospital_id in at_home else candidates
        hospital = replace(known[meant.hospital_id].hospital, website=None)
        method, score = meant.method, meant.score
    else:
        key = hospital_id(None, name, state, pointer.domain)
        site = None if pointer.state or pointer.address else pointer.domain  # else the file may be anybody's
        hospital = Hospital(hospital_id=key, name=name, state=state or "", address=pointer.address, website=site)
        method, score = "source", 1.0
    return Sighting(
        hospital=hospital,
        url=pointer.url,
        source=pointer.source,
        method=method,
        score=score,
        page_url=pointer.page_url,
        location_name=pointer.location_name,
    )


def own_of(pointer: Pointer, at_home: Candidates) -> Match | None:
    """The hospital of the site's own that is meant by its name, if one is and no other is near."""
    if pointer.state or pointer.address:
        return None
    name = pointer.location_name
    # Of a site with more, those that share no rare word are not looked at: 10,000 against 10,000 would never end.
    ids = [one.hospital.hospital_id for one in at_home] if len(at_home) <= _FEW else at_home.near((name,), None, "")
    likest = sorted((at_home.likeness((name,), key), key) for key in ids)
    if not likest or likest[-1][0] < _LIKE_AT_HOME:
        return None
    if len(likest) > 1 and likest[-1][0] - likest[-2][0] < _MARGIN:
        return None
    score, key = likest[-1]
    return Match(hospital_id=key, method="domain+name", score=round(score, 3))


def of_its_site(sighting: Sighting, pointer: Pointer, at_home: Candidates) -> Sighting:
    """A guess that is nobody's name means the only hospital whose site leads to the file, until the file is read."""
    if not pointer.guessed or sighting.method != "source":
        return sighting
    domain = pointer.domain.removeprefix("www.")
    own = [one.hospital for one in at_home if site_of(one.hospital) == domain]
    if len(own) != 1:
        return sighting
    score = round(at_home.likeness((pointer.location_name,), own[0].hospital_id), 3)
    return replace(sighting, hospital=replace(own[0], website=None), method="domain", score=score)


def merged(before: Mapping[str, Known], sightings: Iterable[Sighting], listed: Iterable[Listed]) -> Merged:
    """All that is known of the hospitals that were named, with `before` what was known of them until now."""
    known: dict[str, Known] = {}
    said: list[tuple[Hospital, str, tuple[str, ...]]] = [(one.hospital, one.source, ()) for one in sightings]
    said += [(one.hospital, one.source, one.other_names) for one in listed]
    for hospital, source, names in said:
        key = hospital.hospital_id
        known[key] = _with(known.get(key) or before.get(key), hospital, source, names)
    new = frozenset(key for key in known if key not in before)
    return Merged(
        known=known,
        new=new,
        updated=frozenset(key for key in known if key not in new and known[key].hospital != before[key].hospital),
        changed=frozenset(key for key in known if known[key] != before.get(key)),
        renamed={key: one.hospital.name for key, one in before.items() if key in known and _renamed(one, known[key])},
    )


def _renamed(before: Known, now: Known) -> bool:
    """A name that is another's word, because that counts more, is no new one; nor one in other letters.

    Lists of the user's are several sources in one: what one calls it otherwise than another is no new name either.
    """
    same = " ".join(before.hospital.name.casefold().split()) == " ".join(now.hospital.name.casefold().split())
    who = now.field_sources.get("name")
    return not same and who != "listing" and before.field_sources.get("name") == who


def _with(known: Known | None, hospital: Hospital, source: str, names: Iterable[str]) -> Known:
    """One source's word more: it counts where nobody has spoken yet, or nobody whose word counts more."""
    if known is None:
        known = Known(hospital=replace(hospital, **dict.fromkeys(_OPTIONAL, None)))
        known = replace(known, field_sources={"name": source, "state": source})
    taken: dict[str, Any] = {}
    field_sources = dict(known.field_sources)
    for name in _FIELDS:
        value = getattr(hospital, name)
        before, who = getattr(known.hospital, name), field_sources.get(name)
        if value in (None, "") or (before not in (None, "") and who and _RANKS[who] < _RANKS[source]):
            continue
        taken[name], field_sources[name] = value, source
    others = dict.fromkeys((*known.other_names, *names, known.hospital.name, hospital.name))
    kept = replace(known.hospital, **taken)
    others.pop(kept.name, None)
    sources = tuple(sorted({*known.sources, source}))
    return Known(hospital=kept, other_names=tuple(others), sources=sources, field_sources=field_sources)


_OPTIONAL = tuple(name for name in _FIELDS if name not in ("name", "state"))


def candidates_of(
    known: Iterable[Known],
    licences: Mapping[str, Iterable[tuple[str, str]]] | None = None,
    *,
    common: Mapping[str, int] | None = None,
    of: int = 0,
) -> Candidates:
    """The hospitals that are known, to be found again; `common` and `of` as in Candidates."""
    stated = licences or {}
    return Candidates(
        (
            Candidate(
                hospital=one.hospital,
                other_names=one.other_names,
                licences=tuple(sorted(stated.get(one.hospital.hospital_id, ()))),
            )
            for one in known
        ),
        common=common,
        of=of,
    )


def words_of(known: Known) -> set[str]:
    """The words of all its names."""
    return {word for name in (known.hospital.name, *known.other_names) for word in name_words(name)}


def site_of(hospital: Hospital) -> str | None:
    """The domain of a hospital's own site, without `www.`; None when it has none, or one that others have too."""
    return _domain(hospital.website)


def _domain(address: str | None) -> str | None:
    text = (address or "").strip().lower()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    host = host.removeprefix("www.")
    return host if "." in host and len(host) <= _LONGEST_HOST and not vendor_of(host) else None


def sites_named(sightings: Iterable[Sighting], known: Mapping[str, Known]) -> list[str]:
    """The domains to be asked: the hospitals' own sites, and those of the pages that name prices."""
    sites = {_domain(one.page_url) for one in sightings} | {site_of(one.hospital) for one in known.values()}
    return sorted(filter(None, sites))
