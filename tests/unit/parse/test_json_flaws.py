"""Whatever is mended in JSON is told, with the byte of the file where it stands and how often it was."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .papers import Read, document, item, read

ITEMS = [item(f"I{n}", gross_charge=n + 1) for n in range(6)]
TEXT = document(ITEMS)
RECORDS = [{"Description": f"R{n}", "CPT": "70551", "Gross Charge": f"{n}.50"} for n in range(6)]
BLOCKS = (64, 900, 4 * 2**20)  # bytes


def examples(got: Read, code: str) -> list[tuple[str, str | None, str | None]]:
    found = [finding for finding in got.member.findings if finding.code == code]
    return [(one.position, one.field, one.value) for finding in found for one in finding.examples]


def told(got: Read, code: str = "GL-JSON-BROKEN") -> tuple[int, list[int]]:
    """How often a finding was made, and the bytes of its examples."""
    return got.findings().get(code, 0), [int(at.removeprefix("byte ")) for at, _, _ in examples(got, code)]


# What is mended: (what to replace, by what), and how far behind the beginning of the replacement its byte is.
MENDED: dict[str, tuple[str, str, int]] = {
    "a tab in a string": ('"I2"', '"I2\tx"', 3),
    "a line end in a string": ('"I2"', '"I2\nx"', 3),
    "another control character": ('"I2"', '"I2\x01"', 3),
    "a NUL in a string": ('"I2"', '"I2\0"', 3),
    "a NUL in a number": ('"gross_charge": 3', '"gross_charge": 3\x00', 17),
    "a comma behind the last item": ('"gross_charge": 6}]}]', '"gross_charge": 6}]},]', 21),
    "a comma before the first item": ('[{"description": "I0"', '[,{"description": "I0"', 2),
    "a comma behind the last value": ('"gross_charge": 3}', '"gross_charge": 3,}', 18),
    "a comma behind the last charge": ('"gross_charge": 3}]', '"gross_charge": 3},]', 19),
    "two commas between items": (', {"description": "I2"', ',, {"description": "I2"', 2),
    "no comma between items": (', {"description": "I2"', ' {"description": "I2"', 1),
    "NaN": ('"gross_charge": 3', '"gross_charge": NaN', 16),
    "Infinity": ('"gross_charge": 3', '"gross_charge": -Infinity', 16),
    "a key of the header twice": ('"version"', '"hospital_name": "Other", "version"', 17),
    "the table twice": ('"version"', '"standard_charge_information": [], "version"', -1),
    "a control character in the header": ('"West Mercy"', '"West\tMercy"', 5),
    "NaN in the header": ('"version"', '"beds": NaN, "version"', 8),
    "text behind the end": ('"I5"', '"I5"', -1),
}


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("what", MENDED)
def test_what_is_mended_is_told_once_with_its_byte(tmp_path: Path, what: str, block_bytes: int) -> None:
    old, new, behind = MENDED[what]
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    due = text.index(new) + behind
    if what == "text behind the end":
        text, due = text + " the end", len(text) + 1
    if what == "the table twice":
        due = text.rindex('"standard_charge_information": ') + len('"standard_charge_information": ')
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert got.ended == ("ok", "")
    assert [c["description"][:2] for c in got.charges] == [f"I{n}" for n in range(6)]
    count, bytes_ = told(got)
    assert count == 1
    # Around a comma the byte may be that of what stands beside it.
    assert abs(bytes_[0] - due) <= ("comma" in what)


def test_words_before_the_document_are_told_and_bytes_are_counted_from_the_file_s_first(tmp_path: Path) -> None:
    text = "Some title here\nand words\n" + TEXT.replace('"gross_charge": 3}', '"gross_charge": 3,}')
    got = read(tmp_path, text)
    assert len(got.charges) == 6
    count, (inside, before) = told(got)
    assert (count, before) == (2, 0)
    assert text[:inside].endswith('"gross_charge": 3,')
    prose = "Call {us} or [write] to us\nfor prices, please\nand thanks\n" * 20
    assert "GL-JSON-BROKEN" not in read(tmp_path / "prose", prose).findings()


@pytest.mark.parametrize("before", ["data = ", ")]}'\n", "\ufeff// prices\nvar x = "])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_are_counted_from_the_first_one_of_what_guards_the_document(
    tmp_path: Path, before: str, pack: Callable[[bytes], bytes]
) -> None:
    two = document([item("J\xe9", gross_charge=1)], hospital_name="East Mercy").replace("\\u00e9", "\xe9")
    text = TEXT.replace(', {"description": "I2"', ',, {"description": "I2"') + two
    raw = before.encode() + text.encode("cp1252")
    got = read(tmp_path, pack(raw))
    assert len(got.charges) == 7
    second = raw.rindex(b'{"hospital_name')
    assert told(got) == (2, [raw.index(b",,") + 1, second])
    assert told(got, "GL-OTHER-HEADER") == (1, [second])
    assert told(got, "GL-ENCODING") == (1, [raw.index(b"\xe9")])
    cut = raw[: raw.index(b'"I4"')]
    assert told(read(tmp_path, pack(cut)), "GL-CUT") == (1, [len(cut)])
    broken = before.encode() + b'{"prices": "are told", on request}'
    assert f": byte {broken.index(b'on request')}: no key" in read(tmp_path, pack(broken)).report.message


def test_every_mended_item_is_counted_and_the_first_five_are_shown(tmp_path: Path) -> None:
    text = document([item(f"I{n}", gross_charge=n + 1) for n in range(40)]).replace("}]}, {", ",}]}, {")
    got = read(tmp_path, text)
    assert len(got.charges) == 40
    assert told(got)[0] == 39
    assert [value.split(":")[0] for _, _, value in examples(got, "GL-JSON-BROKEN") if value] == [
        f"inside /sci/{n}" for n in range(5)
    ]


def test_of_several_flaws_in_one_item_the_first_is_counted(tmp_path: Path) -> None:
    text = TEXT.replace('"I2"', '"I2\t"').replace('"gross_charge": 3}', '"gross_charge": NaN,}')
    got = read(tmp_path, text.replace("West", "We\tst").replace("Mercy", "Mer\tcy"))
    assert (told(got)[0], len(got.charges)) == (2, 6)


@pytest.mark.parametrize("text", [TEXT, json.dumps(json.loads(TEXT), indent=1), json.dumps(RECORDS)])
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_sound_json_has_no_such_finding(tmp_path: Path, text: str, block_bytes: int) -> None:
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert len(got.charges) == 6
    assert not got.findings().keys() & {"GL-JSON-BROKEN", "GL-ENCODING", "GL-OTHER-HEADER", "GL-CUT"}


@pytest.mark.parametrize(
    ("joint", "count"),
    [("\n", 0), ("\r\n", 0), (",\n", 1), (",", 1), ("", 1)],
    ids=["lf", "crlf", "comma lf", "comma", "none"],
)
@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("of", ["records", "items"])
def test_objects_in_no_list_are_told_but_for_json_lines(
    tmp_path: Path, of: str, joint: str, count: int, block_bytes: int
) -> None:
    objects: list[Any] = RECORDS if of == "records" else ITEMS
    got = read(tmp_path, joint.join(map(json.dumps, objects)), block_bytes=block_bytes)
    assert len(got.charges) == 6
    assert told(got)[0] == count


@pytest.mark.parametrize("joint", ["", "\n", ",", ", "])
@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_second_document_is_told_with_its_hospital(tmp_path: Path, joint: str, block_bytes: int) -> None:
    two = document([item("J", gross_charge=1)], hospital_name="East Mercy", license_information={"state": "CA"})
    got = read(tmp_path, TEXT + joint + two, block_bytes=block_bytes)
    begins = len(TEXT + joint)
    assert (got.ended, len(got.charges)) == (("ok", ""), 7)
    assert told(got) == (1, [begins])
    assert told(got, "GL-OTHER-HEADER") == (1, [begins])
    said = 'from /sci/6 on; hospital_name: East Mercy; license_information: {"state": "CA"}'
    assert examples(got, "GL-OTHER-HEADER") == [(f"byte {begins}", "hospital_name", said)]
    assert (got.member.header.hospital_name, got.member.header.license_state) == ("West Mercy", None)


def test_a_second_document_that_is_cut_is_told_too(tmp_path: Path) -> None:
    two = document([item("J", gross_charge=1)], hospital_name="East Mercy")
    got = read(tmp_path, TEXT + two[:-40])
    assert got.ended == ("incomplete", "truncated")
    assert told(got, "GL-OTHER-HEADER") == (1, [len(TEXT)])


def test_documents_with_one_header_in_a_list_are_no_finding_with_two_they_are(tmp_path: Path) -> None:
    two = document([item("J", gross_charge=1)])
    assert "GL-OTHER-HEADER" not in read(tmp_path / "a", f"[{TEXT}, {two}]").findings()
    got = read(tmp_path / "b", f"[{TEXT}, {two.replace('West', 'East')}]")
    assert told(got, "GL-OTHER-HEADER") == (1, [len(TEXT) + 3])
    assert "GL-JSON-BROKEN" not in got.findings()


def test_of_many_documents_all_are_counted(tmp_path: Path) -> None:
    many = "".join(document([item("J", gross_charge=1)], hospital_name=f"H{n}") for n in range(20))
    got = read(tmp_path, many)
    assert got.findings()["GL-OTHER-HEADER"] == 19
    assert len(examples(got, "GL-OTHER-HEADER")) == 5


def test_a_header_in_a_document_of_its_own_is_the_header(tmp_path: Path) -> None:
    table = json.dumps({"standard_charge_information": ITEMS})
    head = json.dumps({"hospital_name": "West Mercy"})
    got = read(tmp_path, table + head)
    assert got.member.header.hospital_name == "West Mercy"
    assert "GL-OTHER-HEADER" not in got.findings()


@pytest.mark.parametrize("block_bytes", [900, 4 * 2**20])
def test_places_are_bytes_of_the_file_whatever_is_left_out_or_recoded_before_them(
    tmp_path: Path, block_bytes: int
) -> None:
    items = [item(f"caf\xe9 \u2013 {n}", gross_charge=n + 1) for n in range(30)]
    text = json.dumps(json.loads(document(items)), indent=1, ensure_ascii=False).replace("\n", "\r\n")
    raw = b"\xef\xbb\xbf" + text.replace('"gross_charge": 20', '"gross_charge": 20,').encode("cp1252")
    raw = raw.replace(b"West", b"We\0st")
    got = read(tmp_path, raw, block_bytes=block_bytes)
    assert len(got.charges) == 30
    count, places = told(got)
    assert count == 2
    assert raw[places[1]] == 0
    assert raw[: places[0]].endswith(b'"gross_charge": 20,\r\n    ')
    odd, shown = told(got, "GL-ENCODING")
    assert (odd, {raw[at] for at in shown}, len(shown)) == (60, {0xE9, 0x96}, 5)
    assert shown[0] == raw.index(b"\xe9")


def test_cp1252_in_one_long_line_is_counted_and_shown_by_byte(tmp_path: Path) -> None:
    items = [item(f"caf\xe9 {n}", gross_charge=n + 1) for n in range(12_000)]
    raw = document(items).replace("\\u00e9", "\xe9").encode("cp1252")
    raw = raw.replace(b"West", "W\xe9st".encode(), 1)  # UTF-8, among others that are not
    got = read(tmp_path, raw)
    assert got.member.header.hospital_name == "W\xe9st Mercy"
    odd, shown = told(got, "GL-ENCODING")
    assert (odd, [raw[at - 3 : at] for at in shown]) == (12_000, [b"caf"] * 5)


def test_the_place_of_odd_characters_in_xml_is_told(tmp_path: Path) -> None:
    rows = "".join(
        f"<r><Description>caf\xe9 {n}</Description><CPT>70551</CPT><Price>{n}.5</Price></r>" for n in range(9)
    )
    raw = f"<x>\r\n{rows}</x>".encode("cp1252")
    got = read(tmp_path, raw)
    assert len(got.charges) == 9
    odd, shown = told(got, "GL-ENCODING")
    assert (odd, len(shown), shown[0]) == (9, 5, raw.index(b"\xe9"))


def test_nuls_in_xml_are_counted_and_the_first_ones_told_by_byte(tmp_path: Path) -> None:
    rows = "".join(f"<r><Description>M\0RI {n}</Description><CPT>70551</CPT><Price>{n}.5</Price></r>" for n in range(9))
    raw = f"<x>{rows}</x>".encode()
    got = read(tmp_path, raw)
    assert [charge["description"] for charge in got.charges] == [f"MRI {n}" for n in range(9)]
    count, shown = told(got, "GL-XML-BROKEN")
    assert (count, len(shown), shown[0]) == (9, 5, raw.index(b"\0"))
    assert {raw[at] for at in shown} == {0}
    assert "GL-XML-BROKEN" not in read(tmp_path / "sound", raw.replace(b"\0", b"")).findings()


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_cut_is_told_with_its_byte_and_item(tmp_path: Path, indent: int | None, block_bytes: int) -> None:
    text = "\ufeff" + json.dumps(json.loads(TEXT), indent=indent).replace("\n", "\r\n")
    inside = text.index('"I3"')
    between = text.index("{", text.rindex("}", 0, text.index('"I3"')))
    for at, where in (
        (inside, "inside /sci/3"),
        (between, "behind /sci/2"),
        (text.index("{", text.index("standard_charge_information")), "at the beginning of /sci"),
        (len(text) - 1, "behind /sci/5"),
        (text.index('"3.0.0"') + 3, "inside /version"),
    ):
        raw = text[:at].encode()
        got = read(tmp_path, raw, block_bytes=block_bytes)
        assert got.ended == ("incomplete", "truncated")
        assert told(got, "GL-CUT") == (1, [len(raw)])
        assert f", at byte {len(raw)}, {where};" in got.report.message


def test_a_cut_in_a_list_that_is_not_cms_s_is_told_by_its_pointer(tmp_path: Path) -> None:
    text = json.dumps({"charges": RECORDS})
    got = read(tmp_path, text[: text.index('"R4"')])
    assert ", inside /charges/4;" in got.report.message
    got = read(tmp_path, text[: text.index('{"Description": "R4"')])
    assert ", behind /charges/3;" in got.report.message


def test_a_cut_in_xml_is_told_with_its_byte(tmp_path: Path) -> None:
    rows = "".join(f"<r><Description>MRI {n}</Description><CPT>70551</CPT><Price>{n}.5</Price></r>" for n in range(9))
    raw = f"<x>{rows}".encode()[:-40]
    assert told(read(tmp_path, raw), "GL-CUT") == (1, [len(raw)])
