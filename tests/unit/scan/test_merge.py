"""One hospital from what several sources say of it; who is meant by a record or a location, and who is not."""

import random
from dataclasses import replace
from typing import Any

from glimmr.model import Found, Hospital, Known, Listed, Pointer, Sighting
from glimmr.scan.candidates import Candidates
from glimmr.scan.identity import hospital_id
from glimmr.scan.merge import Merged, candidates_of, merged, of_its_site, own_of, pointed, sighted, sites_named
from tests.unit.scan.test_match import CENTRAL, FILLING, GRACE, MARY_NORTH, MARY_SOUTH

ROSTER = [
    Listed(hospital=one, source="cms_roster") for one in (CENTRAL, MARY_NORTH, MARY_SOUTH, *FILLING)
] + [Listed(hospital=GRACE, source="cms_roster", other_names=("CARLOS OTIS HEALTH CARE CENTER",))]  # fmt: skip


def on_roster() -> dict[str, Known]:
    return merged({}, [], ROSTER).known


def candidates() -> Candidates:
    return candidates_of(on_roster().values())


def found(name: str, url: str, source: str, ccn: str | None = None, state: str = "VT", **more: Any) -> Found:
    key = hospital_id(ccn, name, state)
    return Found(hospital=Hospital(hospital_id=key, ccn=ccn, name=name, state=state, **more), url=url, source=source)


def pointer(name: str, domain: str = "cv.example") -> Pointer:
    where = f"https://{domain}/cms-hpt.txt"
    return Pointer(location_name=name, url=f"https://{domain}/a.csv", domain=domain, hpt_url=where, place="line 1")


SAID = [
    found("Central Vermont Medical Ctr", "https://cv.example/a.csv", "pra", "470001", phone="1", address="elsewhere"),
    found("Central VT Med Center", "https://cv.example/b.csv", "listing", "470001", phone="2", website="cv.example"),
    found("Central Vermont Medical Center", "https://cv.example/a.csv", "cms_hpt"),
    found("Carlos Otis Health Care Center", "https://group.example/all.csv", "cms_hpt"),
    found("St Mary's Hospital", "https://group.example/all.csv", "cms_hpt"),
    found("Far Away Rehab Hospital", "https://far.example/x.csv", "cms_hpt"),
]


def seen(records: list[Found]) -> list[Sighting]:
    return [sighted(record, candidates()) for record in records]


def said(records: list[Found]) -> Merged:
    return merged(on_roster(), seen(records), [])


def by_site(pointer: Pointer, at_home: Candidates, known: Candidates) -> Sighting:
    return pointed(pointer, own_of(pointer, at_home), at_home, known)


def test_records_of_one_hospital_become_one_and_each_fact_keeps_its_source() -> None:
    central = said(SAID).known["470001"]
    assert central.hospital.name == "CENTRAL VERMONT MEDICAL CENTER"
    assert (central.hospital.address, central.field_sources["address"]) == (CENTRAL.address, "cms_roster")
    assert (central.hospital.phone, central.field_sources["phone"]) == ("1", "pra")
    assert (central.hospital.website, central.field_sources["website"]) == ("cv.example", "listing")
    assert {"Central VT Med Center", "Central Vermont Medical Ctr"} <= set(central.other_names)
    assert set(central.sources) == {"cms_hpt", "cms_roster", "listing", "pra"}
    assert "county" not in central.field_sources


def test_one_hospital_has_many_files_and_one_file_many_hospitals() -> None:
    sightings = seen(SAID)
    assert {(one.url, one.method) for one in sightings if one.hospital.hospital_id == "470001"} == {
        ("https://cv.example/a.csv", "ccn"),
        ("https://cv.example/b.csv", "ccn"),
        ("https://cv.example/a.csv", "name+state"),
    }
    owners = {one.hospital.hospital_id for one in sightings if one.url == "https://group.example/all.csv"}
    assert "470004" in owners
    assert len(owners) == 2


def test_a_ccn_the_roster_lacks_is_a_hospital_of_its_own() -> None:
    records = [found("Central Vermont Medical Center", "https://rehab.example/x.csv", "pra", "473025")]
    told = said(records)
    assert [(one.hospital.hospital_id, one.method) for one in seen(records)] == [("473025", "ccn")]
    assert told.new == {"473025"}
    assert "470001" not in told.known


def test_who_is_in_doubt_stays_apart() -> None:
    (mary,) = [one for one in seen(SAID) if one.hospital.name == "St Mary's Hospital"]
    assert mary.method == "source"
    assert mary.hospital.hospital_id not in ("470002", "470003")


def test_the_order_in_which_sources_answer_makes_no_difference_to_what_counts() -> None:
    def facts(records: list[Found]) -> dict[str, tuple[Hospital, set[str], dict[str, str]]]:
        known = said(records).known
        return {key: (one.hospital, set(one.other_names), one.field_sources) for key, one in known.items()}

    for seed in range(5):
        shuffled = SAID.copy()
        random.Random(seed).shuffle(shuffled)
        assert facts(shuffled) == facts(SAID) == facts([*SAID, *SAID])


def test_what_is_said_twice_is_neither_new_nor_updated() -> None:
    first = said(SAID)
    again = merged(on_roster() | first.known, seen(SAID), [])
    assert (again.new, again.updated) == (frozenset(), frozenset())
    assert again.known == first.known


def test_at_its_own_site_a_shorter_name_means_the_hospital_and_elsewhere_nobody() -> None:
    at_home = candidates_of([on_roster()["470001"]])
    here: Sighting = by_site(pointer("Central Vermont"), at_home, candidates())
    assert (here.hospital.hospital_id, here.method) == ("470001", "domain+name")
    there = by_site(pointer("Central Vermont"), candidates_of([]), candidates())
    assert there.method == "source"
    assert there.hospital.hospital_id.startswith("x")


def linked(name: str, domain: str = "cv.example", **more: Any) -> Pointer:
    return Pointer(location_name=name, url="https://v.example/get", domain=domain, source="page", **more)


def test_a_header_that_says_where_it_is_means_that_hospital_whoever_links_to_it() -> None:
    at_home = candidates_of([on_roster()["470001"]])
    for pointer in (
        linked("Grace Cottage Hospital", state="VT", address="185 Grafton Road, Townshend, VT 05353"),
        linked("Grace Cottage Hospital", state="VT"),
    ):
        assert by_site(pointer, at_home, candidates()).hospital.hospital_id == "470004"
    elsewhere = by_site(linked("Central Vermont Medical Center", state="NH"), at_home, candidates())
    assert (elsewhere.method, elsewhere.hospital.state, elsewhere.hospital.website) == ("source", "NH", None)
    there = linked("Central Vermont Medical Center", state="VT", address="1 Elm St, Newport, VT 05855")
    assert by_site(there, at_home, candidates()).method == "source"


def test_a_guess_is_whoever_the_files_name_is_like_else_the_only_one_of_its_site() -> None:
    home = replace(on_roster()["470001"], hospital=replace(CENTRAL, website="https://www.cv.example"))
    at_home = candidates_of([home])

    def meant(pointer: Pointer, at_home: Candidates = at_home) -> tuple[str, str]:
        sighting = of_its_site(by_site(pointer, at_home, candidates()), pointer, at_home)
        return sighting.hospital.hospital_id, sighting.method

    assert meant(linked("central vermont medical center", guessed=True)) == ("470001", "domain+name")
    assert meant(linked("grace cottage hospital", guessed=True)) == ("470004", "name+state")
    assert meant(linked("cvmc", guessed=True)) == ("470001", "domain")
    assert meant(linked("cvmc"))[1] == "source"
    other = replace(on_roster()["470004"], hospital=replace(GRACE, website="cv.example"))
    assert meant(linked("cvmc", guessed=True), candidates_of([home, other]))[1] == "source"


def test_at_a_site_of_one_that_is_merely_like_it_who_is_called_just_so_is_meant() -> None:
    at_home = candidates_of([on_roster()["470001"]])
    other = replace(CENTRAL, hospital_id="470099", ccn="470099", name="CENTRAL VERMONT")
    known = merged({}, [], [*ROSTER, Listed(hospital=other, source="pra")]).known
    said = by_site(pointer("Central Vermont"), at_home, candidates_of(known.values()))
    assert (said.hospital.hospital_id, said.method) == ("470099", "name+state")


def test_sites_are_those_of_hospitals_and_of_the_pages_that_name_prices() -> None:
    records = [*SAID, found("A", "https://a.example/x.csv", "pra", "470009", website="http://WWW.A.example/prices")]
    assert sites_named(seen(records), said(records).known) == ["a.example", "cv.example"]


def test_two_lists_that_name_one_hospital_differently_rename_it_neither_now_nor_at_the_next_scan() -> None:
    one, other = (found(name, "https://a.example/a.csv", "listing", "470009") for name in ("Ward A", "Ward B"))
    known: dict[str, Known] = {}
    for record in (one, other, one, other):
        told = merged(known, [sighted(record, candidates())], [])
        assert told.renamed == {}
        known = told.known


def test_a_hospital_is_renamed_when_whoever_named_it_calls_it_otherwise() -> None:
    before = on_roster()
    other = replace(CENTRAL, name="UVM HEALTH CENTRAL VERMONT")
    assert merged(before, [], [Listed(hospital=other, source="cms_roster")]).renamed == {"470001": CENTRAL.name}
    in_other_letters = replace(CENTRAL, name=CENTRAL.name.title())
    assert merged(before, [], [Listed(hospital=in_other_letters, source="cms_roster")]).renamed == {}


def test_another_sources_word_for_it_renames_nobody() -> None:
    by_pra = Listed(hospital=replace(CENTRAL, name="Central VT"), source="pra")
    known = merged({}, [], [by_pra]).known
    assert merged(known, [], [Listed(hospital=CENTRAL, source="cms_roster")]).renamed == {}
    assert merged(on_roster(), [], [by_pra]).renamed == {}
