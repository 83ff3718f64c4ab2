"""Whom the records of an answer mean, looked for among the hospitals that are known: near by first, then everywhere."""

from collections.abc import Collection, Sequence

from glimmr.model import Found, Pointer, Sighting
from glimmr.scan import Scanned
from glimmr.scan.candidates import Candidates, rarest
from glimmr.scan.match import is_same
from glimmr.scan.merge import candidates_of, of_its_site, own_of, pointed, sighted, words_of
from glimmr.scan.names import name_words
from glimmr.stores import hospital_words, hospitals
from glimmr.stores.database import Connection


def meant(connection: Connection, place: str, scanned: Scanned) -> list[Sighting]:
    """What was found, each as a sighting of a hospital."""
    states = {one.hospital.state for one in (*scanned.found, *scanned.listed)}
    return [*_found(connection, states, scanned.found), *_pointed(connection, place, scanned.pointers)]


def _found(connection: Connection, states: set[str], found: Sequence[Found]) -> list[Sighting]:
    if all(one.hospital.ccn for one in found):
        return [sighted(one, Candidates()) for one in found]
    known = hospitals.in_states(connection, states)
    candidates = candidates_of(known, hospitals.licences(connection, states))
    return [sighted(one, candidates) for one in found]


def _pointed(connection: Connection, site: str, pointers: Sequence[Pointer]) -> list[Sighting]:
    """Most are those of the site by name; others are looked for in its states, and those left in the whole country.

    There, where nothing but the name speaks for it, only a name is believed that is all but the same and nobody else's.
    """
    if not pointers:
        return []
    at_home = candidates_of(hospitals.at_domain(connection, site))
    states = at_home.states | {one.state for one in pointers if one.state}
    own = [own_of(pointer, at_home) for pointer in pointers]
    said = [pointed(*whose, at_home, Candidates()) for whose in zip(pointers, own, strict=True)]
    unsure = [at for at, one in enumerate(said) if one.method == "source" or not is_same(one.score)]
    if unsure and states:
        around = candidates_of(hospitals.in_states(connection, states))
        for at in unsure:
            said[at] = pointed(pointers[at], own[at], at_home, around)
    strangers = [at for at, one in enumerate(said) if one.method == "source"]
    if strangers:
        everybody = _like(connection, {pointers[at].location_name for at in strangers})
        for at in strangers:
            said[at] = pointed(pointers[at], own[at], at_home, everybody, everywhere=True)
    return [of_its_site(one, pointer, at_home) for one, pointer in zip(said, pointers, strict=True)]


def _like(connection: Connection, names: Collection[str]) -> Candidates:
    """The hospitals of the whole country that share a rare word with one of these names."""
    asked = [name_words(name) for name in names]
    common = hospital_words.count(connection, {word for words in asked for word in words})
    rare = {word for words in asked for word in rarest(words, common)}
    known = hospitals.by_id(connection, hospital_words.with_any(connection, rare)).values()
    words = {word for one in known for word in words_of(one)}
    common |= hospital_words.count(connection, words - common.keys())
    return candidates_of(known, common=common, of=hospitals.number(connection))
