"""Whose header it is where objects stand around the object of the table, or several of them have one."""

import json
from pathlib import Path
from typing import Any

import pytest

from glimmr.parse.elements import split

from .papers import Read, document, item, read

HEADER = {"hospital_name": "West Mercy", "last_updated_on": "2024-07-01", "version": "2.0.0"}
EDITION = {"version": "2.0.0", "last_updated_on": "2024-07-01"}
BLOCKS = (64, 4 * 2**20)  # bytes


def table(name: str, **said: Any) -> dict[str, Any]:
    return {**said, "standard_charge_information": [item(name, gross_charge=1)]}


def flaws(got: Read) -> list[str | None]:
    """What was mended."""
    return [one.value for f in got.member.findings if f.code == "GL-JSON-BROKEN" for one in f.examples]


def others(got: Read) -> list[tuple[str, str | None]]:
    """The key and the text of every other header."""
    return [
        (one.field, one.value)
        for finding in got.member.findings
        if finding.code == "GL-OTHER-HEADER"
        for one in finding.examples
    ]


AROUND: dict[str, Any] = {
    "before the list": {**EDITION, "hospitals": [table("A", hospital_name="West Mercy")]},
    "behind the list": {"hospitals": [table("A", hospital_name="West Mercy")], **EDITION},
    "all of it": {**HEADER, "a": [table("A", x=1)]},
    "all of it, behind": {"a": [table("A", x=1)], **HEADER},
    "said twice": {**HEADER, "a": [table("A", **HEADER)]},
    "two objects around": {"version": "2.0.0", "a": [{"last_updated_on": "2024-07-01", "b": [table("A")]}], **HEADER},
    "an object and a list around": [{**EDITION, "a": [table("A", hospital_name="West Mercy")]}],
    "a table in the object around, too": {**EDITION, "a": [table("A", hospital_name="West Mercy")], **table("B")},
}


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("what", AROUND)
def test_what_an_object_around_the_table_s_own_says_is_the_header_s(
    tmp_path: Path, what: str, block_bytes: int
) -> None:
    got = read(tmp_path, json.dumps(AROUND[what]), block_bytes=block_bytes)
    assert got.ended == ("ok", "")
    header = got.member.header
    assert {key: getattr(header, key) for key in HEADER} == HEADER
    missing = [one.field for f in got.member.findings if f.code == "GL-HEADER-MISSING" for one in f.examples]
    assert not set(missing) & HEADER.keys()
    assert others(got) == []


def test_several_hospitals_in_an_outer_list_are_told_with_what_each_says(tmp_path: Path) -> None:
    hospitals = [table(name, hospital_name=f"{name} Mercy", beds=at) for at, name in enumerate("ABC")]
    for at, outer in enumerate(({**EDITION, "hospitals": hospitals}, {"hospitals": hospitals, **EDITION})):
        got = read(tmp_path / str(at), json.dumps(outer))
        assert len(got.charges) == 3
        assert (got.member.header.hospital_name, got.member.header.version) == ("A Mercy", "2.0.0")
        assert others(got) == [
            ("hospital_name", "from /sci/1 on; hospital_name: B Mercy; beds: 1"),
            ("hospital_name", "from /sci/2 on; hospital_name: C Mercy; beds: 2"),
        ]


def test_an_inner_document_that_contradicts_the_object_around_it_is_told(tmp_path: Path) -> None:
    inner = table("A", hospital_name="West Mercy")
    got = read(tmp_path / "a", json.dumps({"hospital_name": "Mercy Health", "hospitals": [inner]}))
    assert got.member.header.hospital_name == "Mercy Health"
    assert others(got) == [("hospital_name", "from /sci/0 on; hospital_name: West Mercy")]
    got = read(tmp_path / "b", json.dumps({"hospitals": [inner], "hospital_name": "Mercy Health"}))
    assert got.member.header.hospital_name == "West Mercy"
    assert others(got) == [("hospital_name", "from /sci/0 on; hospital_name: Mercy Health")]


def test_of_a_key_that_is_there_twice_the_first_value_counts_in_every_document(tmp_path: Path) -> None:
    one = document([item("A", gross_charge=1)], version="2.0.0")
    two = one.replace('"version": "2.0.0"', '"version": "2.0.0", "version": "2.1.0"')
    for at, text in enumerate((two + "\n" + one, one + "\n" + two)):
        got = read(tmp_path / str(at), text)
        assert (len(got.charges), got.member.header.version) == (2, "2.0.0")
        assert "the key 'version' is there already; the first one counts" in flaws(got)
        assert others(got) == []


def test_of_a_table_that_is_there_twice_both_are_read_and_none_is_said_to_count(tmp_path: Path) -> None:
    text = json.dumps(table("A")).replace("}]}]}", '}]}], "standard_charge_information": [%s]}')
    got = read(tmp_path, text % json.dumps(item("B", gross_charge=1)))
    assert [charge["description"] for charge in got.charges] == ["A", "B"]
    assert flaws(got) == ["the key 'standard_charge_information' is there already"]


def test_an_object_around_a_later_document_is_a_later_one_too(tmp_path: Path) -> None:
    later = {"hospital_name": "East Mercy", "beds": 9, "hospitals": [table("B")]}
    got = read(tmp_path, document([item("A", gross_charge=1)]) + json.dumps(later))
    assert len(got.charges) == 2
    assert got.member.header.hospital_name == "West Mercy"
    assert others(got) == [("hospital_name", "from /sci/1 on; hospital_name: East Mercy; beds: 9")]


def test_of_many_small_documents_each_is_looked_through_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, steps = list[int](), split._structure

    def counted(*given: Any) -> Any:
        for step in steps(*given):
            looked_at.append(len(step[0]))
            yield step

    monkeypatch.setattr(split, "_structure", counted)
    one = json.dumps(table("A", **HEADER))
    got = read(tmp_path, one * 300, block_bytes=4 * 2**20)
    assert len(got.charges) == 300
    in_all = 300 * sum(one.count(mark) for mark in '"{}[]')
    # Of a short look so much as fits into its first step, however many documents follow: it was 165 times.
    assert sum(looked_at) < 80 * in_all
