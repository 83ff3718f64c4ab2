"""Whom a claim means: agreed by numbers, by house, by state; never guessed. The last tests use the real lists."""

import itertools
from collections import Counter, defaultdict

import pytest

from glimmr.errors import FetchError
from glimmr.model import Header, Hospital
from glimmr.net import normalise
from glimmr.scan.candidates import Candidate, Candidates
from glimmr.scan.match import Claim, Match, NoMatch, claims_of, match, verify
from tests.support.reference import json_lines, roster_rows


def hospital(ccn: str, name: str, state: str = "VT", **more: str) -> Hospital:
    return Hospital(hospital_id=ccn, ccn=ccn, name=name, state=state, **more)


# The words of real names, so that common ones weigh little.
TOWNS = ("ALBANY", "BUFFALO", "CORNING", "DELHI", "ELMIRA", "FULTON", "GENEVA", "HUDSON", "ITHACA", "LYONS", "MALONE")
FILLING = [hospital(f"33{at:04}", f"{town} MEMORIAL HOSPITAL", "NY") for at, town in enumerate(TOWNS, start=1)]
CENTRAL = hospital(
    "470001", "CENTRAL VERMONT MEDICAL CENTER", address="130 FISHER ROAD", city="BARRE", zip="05641", npis="1111111111"
)
MARY_NORTH = hospital("470002", "ST MARYS HOSPITAL", address="1 NORTH ST", city="NEWPORT", zip="05855")
MARY_SOUTH = hospital("470003", "ST MARYS HOSPITAL", address="9 SOUTH ST", city="BENNINGTON", zip="05201")
GRACE = hospital("470004", "GRACE COTTAGE HOSPITAL", address="185 GRAFTON RD", zip="05353", npis="2222222222")


@pytest.fixture
def known() -> Candidates:
    licensed = Candidate(hospital=GRACE, licences=(("VT", "42"),))
    return Candidates([*(Candidate(hospital=one) for one in (CENTRAL, MARY_NORTH, MARY_SOUTH, *FILLING)), licensed])


@pytest.mark.parametrize(
    ("claim", "ccn", "method"),
    [
        (Claim(ccn="470001", names=("whatever",)), "470001", "ccn"),
        (Claim(ccn="47S001"), "470001", "ccn"),
        (Claim(npis=("9999999999", "1111111111")), "470001", "npi"),
        (Claim(licence=("VT", "42")), "470004", "licence"),
        (Claim(names=("Central Vermont Med. Ctr., Inc.",), state="VT"), "470001", "name+state"),
        (Claim(names=("Central Vermont Medical Center",)), "470001", "name"),
        (Claim(names=("St. Mary's",), state="VT", address="9 South Street", zip="05201-1"), "470003", "name+address"),
        (Claim(names=("Mercy", "Saint Mary's"), address="1 North St, Newport, VT 05855"), "470002", "name+address"),
    ],
)  # fmt: skip
def test_a_claim_means_the_hospital_it_agrees_with(known: Candidates, claim: Claim, ccn: str, method: str) -> None:
    found = match(claim, known)
    assert isinstance(found, Match)
    assert (found.hospital_id, found.method) == (ccn, method)
    assert 0.65 <= found.score <= 1


@pytest.mark.parametrize(
    ("claim", "reason", "near"),
    [
        (Claim(names=("St. Mary's Hospital",), state="VT"), "more than one", {"470002", "470003"}),
        (Claim(names=("Central Vermont Medical Center",), state="NH"), "no hospital is like it", set[str]()),
        (Claim(names=("Grace Hospital",)), "no hospital is like it", {"470004"}),
        (Claim(names=("Grace Cottage Hospital",), state="VT", zip="05045"), "another town", {"470004"}),
        (Claim(npis=("1111111111", "2222222222")), "no hospital is like it", set[str]()),
        (Claim(ccn="479999", names=("Central Vermont Medical Center",)), "no hospital is like it", set[str]()),
        (Claim(), "no hospital is like it", set[str]()),
    ],
)  # fmt: skip
def test_in_doubt_nobody_is_meant_and_it_is_said_why(
    known: Candidates, claim: Claim, reason: str, near: set[str]
) -> None:
    found = match(claim, known)
    assert isinstance(found, NoMatch)
    assert reason in found.reason
    assert near <= {key for key, _ in found.candidates}


@pytest.mark.parametrize(
    ("written", "in_the_roster"),
    [
        ("HonorHealth Rehab", "HONOR HEALTH REHABILITATION"),
        (
            "Lakeside Women's Hospital, a Member of Integris Health",
            "LAKESIDE WOMEN'S HOSPITAL, A MEMBER OF INTEGRIS HE",
        ),
    ],
)
def test_words_run_together_and_names_the_roster_cut_are_the_same(written: str, in_the_roster: str) -> None:
    known = Candidates(
        [*(Candidate(hospital=one) for one in FILLING), Candidate(hospital=hospital("470009", in_the_roster))]
    )
    found = match(Claim(names=(written,), state="VT"), known)
    assert isinstance(found, Match)
    assert found.score >= 0.97


def test_each_location_of_a_header_is_a_claim_of_its_own(known: Candidates) -> None:
    header = Header(
        hospital_name="Vermont Health",
        location_names=("Saint Mary's", "Central Vermont Med Ctr", "Somewhere else"),
        addresses=("1 North Street, Newport, VT 05855", "130 Fisher Rd, Barre, VT 05641", "2 X St, Lyme, NH 03768"),
        license_state="VT",
        license_number="42",
    )
    found = [match(claim, known) for claim in claims_of(header)]
    assert [one.hospital_id if isinstance(one, Match) else None for one in found] == ["470002", "470001", None]


@pytest.mark.parametrize(
    ("header", "method"),
    [
        (Header(location_names=("Central Vermont",), addresses=("130 Fisher Rd, Barre, VT 05641",)), "name+address"),
        (Header(hospital_name="Central Vermont Medical Center", license_state="VT"), "name+state"),
        (Header(hospital_name="Central Vermont Medical Center"), None),
        (Header(hospital_name="Central Vermont Medical Center", license_state="NH"), None),
        (Header(hospital_name="Grace Cottage Hospital", license_state="VT"), None),
        (Header(location_names=("Central Vermont Medical Center",), addresses=("1 X St, Ely, VT 04045",)), None),
        (Header(), None),
    ],
)  # fmt: skip
def test_a_file_is_a_hospitals_only_if_its_own_header_says_so(
    known: Candidates, header: Header, method: str | None
) -> None:
    found = verify(header, known["470001"], known)
    assert (found.method if isinstance(found, Match) else None) == method
    assert isinstance(found, Match) or found.reason


@pytest.fixture(scope="module")
def roster() -> Candidates:
    return Candidates(
        Candidate(
            hospital=hospital(
                one["Facility ID"],
                one["Facility Name"],
                one["State"],
                address=one["Address"],
                city=one["City/Town"],
                zip=one["ZIP Code"],
            )
        )
        for one in roster_rows()
    )


def _key(url: str) -> str:
    try:
        return normalise(url).casefold()
    except FetchError:
        return url


def test_names_of_the_real_lists_lead_to_their_ccn_and_hardly_ever_to_another(roster: Candidates) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for record in json_lines("price_file_urls.jsonl"):
        if record["ccn"] in roster:
            owners[_key(record["file_url"])].add(record["ccn"])
    outcomes: Counter[str] = Counter()
    for record in json_lines("cms_hpt_records.jsonl"):
        truth = owners.get(_key(record["mrf-url"]), set())
        if len(truth) == 1:
            state = roster[next(iter(truth))].hospital.state
            found = match(Claim(names=(record["location-name"],), state=state), roster)
            outcomes["none" if isinstance(found, NoMatch) else "right" if found.hospital_id in truth else "other"] += 1
    assert outcomes.total() > 1500
    assert outcomes["right"] / (outcomes["right"] + outcomes["other"]) > 0.98
    assert outcomes["right"] / outcomes.total() > 0.6


def test_every_hospital_of_the_roster_is_found_again_in_its_own_house(roster: Candidates) -> None:
    outcomes: Counter[str] = Counter()
    for one in itertools.islice(roster, 0, None, 3):
        wanted = one.hospital
        found = match(
            Claim(names=(wanted.name.title(),), state=wanted.state, address=wanted.address, zip=wanted.zip), roster
        )
        outcomes["none" if isinstance(found, NoMatch) else str(found.hospital_id == wanted.hospital_id)] += 1
    assert outcomes["False"] == 0
    assert outcomes["True"] / outcomes.total() > 0.99


def test_who_is_called_just_so_is_meant_though_another_is_but_for_a_common_word() -> None:
    names = ["MINOT HEALTH CENTER", "MINOT HEALTH CENTER NORTH"]
    names += [f"HILL{at} MEDICAL {'NORTH' if at % 2 else 'CENTER'}" for at in range(40)]
    known = Candidates(
        Candidate(hospital=Hospital(hospital_id=f"3500{at:02}", name=name, state="ND", city="MINOT"))
        for at, name in enumerate(names)
    )
    assert known.likeness(("Minot Health Center North",), "350000") > 0.9
    meant = match(Claim(names=("Minot Health Center North",), state="ND"), known)
    assert isinstance(meant, Match)
    assert (meant.hospital_id, meant.score) == ("350001", 1.0)
