import random

from glimmr.model import Found, Hospital, Listed
from glimmr.scan.identity import hospital_id
from glimmr.scan.merge import Everything, merge
from tests.unit.scan.test_match import CENTRAL, FILLING, GRACE, MARY_NORTH, MARY_SOUTH

ROSTER = [
    Listed(hospital=one, source="cms_roster") for one in (CENTRAL, MARY_NORTH, MARY_SOUTH, *FILLING)
] + [Listed(hospital=GRACE, source="cms_roster", other_names=("CARLOS OTIS HEALTH CARE CENTER",))]  # fmt: skip


def found(name: str, url: str, source: str, ccn: str | None = None, state: str = "VT", **more: str) -> Found:
    key = hospital_id(ccn, name, state)
    return Found(hospital=Hospital(hospital_id=key, ccn=ccn, name=name, state=state, **more), url=url, source=source)


SAID = [
    *ROSTER,
    found("Central Vermont Medical Ctr", "https://cv.example/a.csv", "pra", "470001", phone="1", address="elsewhere"),
    found("Central VT Med Center", "https://cv.example/b.csv", "listing", "470001", phone="2", website="cv.example"),
    found("Central Vermont Medical Center", "HTTPS://cv.example/a.csv#top", "cms_hpt"),
    found("Carlos Otis Health Care Center", "https://group.example/all.csv", "cms_hpt"),
    found("St Mary's Hospital", "https://group.example/all.csv", "cms_hpt"),
    found("Far Away Rehab Hospital", "https://far.example/x.csv", "cms_hpt"),
    found("FAR AWAY REHABILITATION HOSPITAL", "https://far.example/x.csv", "page"),
]  # fmt: skip


def by_name(everything: Everything, name: str) -> str:
    return next(key for key, one in everything.hospitals.items() if name in (one.hospital.name, *one.other_names))


def test_records_of_one_hospital_become_one_and_each_fact_keeps_its_source() -> None:
    central = merge(SAID).hospitals["470001"]
    assert central.hospital.name == "CENTRAL VERMONT MEDICAL CENTER"
    assert (central.hospital.address, central.said_by["address"]) == ("130 FISHER ROAD", "cms_roster")
    assert (central.hospital.phone, central.said_by["phone"]) == ("1", "pra")
    assert (central.hospital.website, central.said_by["website"]) == ("cv.example", "listing")
    assert "Central VT Med Center" in central.other_names
    assert "county" not in central.said_by


def test_one_hospital_has_many_files_and_one_file_many_hospitals() -> None:
    links = merge(SAID).links
    assert {(link.url, link.method) for link in links if link.hospital_id == "470001"} == {
        ("https://cv.example/a.csv", "ccn"),
        ("https://cv.example/b.csv", "ccn"),
        ("https://cv.example/a.csv", "name+state"),
    }
    owners = {link.hospital_id for link in links if link.url == "https://group.example/all.csv"}
    assert "470004" in owners
    assert len(owners) == 2


def test_a_ccn_the_roster_lacks_is_a_hospital_of_its_own() -> None:
    rehab = found("Central Vermont Medical Center", "https://rehab.example/x.csv", "pra", "473025")
    everything = merge([*ROSTER, rehab])
    assert [(link.hospital_id, link.method) for link in everything.links] == [("473025", "ccn")]
    assert everything.hospitals["470001"].other_names == {}


def test_who_is_in_doubt_stays_apart_and_is_told() -> None:
    everything = merge(SAID)
    (doubt,) = everything.doubts
    assert doubt.hospital_id not in ("470002", "470003")
    assert doubt.hospital_id in everything.hospitals
    assert {key for key, _ in doubt.why.candidates} >= {"470002", "470003"}


def test_a_hospital_that_no_roster_knows_is_one_however_many_sources_name_it() -> None:
    everything = merge(SAID)
    far = everything.hospitals[by_name(everything, "Far Away Rehab Hospital")]
    assert "FAR AWAY REHABILITATION HOSPITAL" in far.other_names
    assert len(everything.hospitals) == len(ROSTER) + 2  # the one in doubt, and this one


def test_the_order_in_which_sources_answer_makes_no_difference() -> None:
    shuffled = SAID.copy()
    random.Random(7).shuffle(shuffled)
    assert merge(shuffled) == merge(SAID) == merge([*SAID, *SAID])
