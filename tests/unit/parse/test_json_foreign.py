"""JSON that is not CMS's: lists of priced items under any root, in any wrapping, keep every row and digit."""

import json
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.parse.elements.document import Document, Section
from glimmr.parse.objects.tables import tables
from glimmr.parse.text import TextBlock

from .papers import Read, read

VISITS = [
    {"code": "99213", "description": "Visit", "gross charge": 100.1, "cash price": "80"},
    {"code": "99214", "description": "Long visit", "gross charge": 200, "cash price": None},
]
LINES = [json.dumps(one) for one in VISITS]
WRAPPINGS = {
    "root list": (json.dumps(VISITS), ""),
    "indented": (json.dumps(VISITS, indent=2), ""),
    "one key": (json.dumps({"charges": VISITS}), "/charges"),
    "any key": (json.dumps({"note": "x", "Our Prices/2021": VISITS, "count": 2}), "/Our Prices~12021"),
    "list in a list": (json.dumps({"data": [VISITS]}), "/data/0"),
    "deep": (json.dumps({"a": {"b": {"items": VISITS}}}), "/a/b/items"),
    "lines": ("\n".join(LINES) + "\n", ""),
    "joined by commas": (",".join(LINES), ""),
    "joined by nothing": ("".join(LINES), ""),
    "trailing commas": (json.dumps(VISITS).replace("}", ",}").replace("]", ",]"), ""),
    "byte order mark": ("\ufeff" + json.dumps(VISITS), ""),
}


@pytest.mark.parametrize("block_bytes", [30, 4 * 2**20])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_items_are_read_in_any_wrapping(tmp_path: Path, wrapping: str, block_bytes: int) -> None:
    text, path = WRAPPINGS[wrapping]
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert (got.ended, got.member.format, got.member.layout) == (("ok", ""), "json", "legacy")
    names = ("source_pos", "hcpcs", "description", "gross_charge", "discounted_cash")
    assert [tuple(charge[name] for name in names) for charge in got.charges] == [
        (f"{path}/0", "99213", "Visit", Decimal("100.1"), Decimal(80)),
        (f"{path}/1", "99214", "Long visit", Decimal(200), None),
    ]
    assert (got.report.rows_in, got.report.items_out) == (2, 2)


def test_documents_in_a_row_go_on_counting(tmp_path: Path) -> None:
    got = read(tmp_path, json.dumps({"charges": VISITS}) * 2)
    assert [c["source_pos"] for c in got.charges] == [f"/charges/{n}" for n in range(4)]


def test_sections_under_several_names_are_all_read(tmp_path: Path) -> None:
    root = {
        "File Summary": {"Hospital": "West Mercy", "Last Updated": "4/1/2021"},
        "Gross Charges": [{"CPT": "99213", "Description": "Visit", "Charge": 5}] * 2,
        "Notes": [{"text": "nothing of price"}],
        "DRG Prices": [{"DRG": "001", "Description": "Heart", "Price": "6,000"}],
    }
    got = read(tmp_path, json.dumps(root))
    assert [c["source_pos"] for c in got.charges] == ["/Gross Charges/0", "/Gross Charges/1", "/DRG Prices/0"]
    assert [c["gross_charge"] for c in got.charges] == [Decimal(5), Decimal(5), Decimal(6000)]
    assert (got.member.header.hospital_name, got.member.header.last_updated_on) == ("West Mercy", "2021-04-01")


def test_each_hospital_of_a_list_is_named_in_its_items(tmp_path: Path) -> None:
    root = [{"hospital_name": "A Hospital", "charges": VISITS}, {"hospital_name": "B Hospital", "charges": VISITS}]
    got = read(tmp_path, json.dumps(root))
    assert [(c["source_pos"], dict(c["extra"])["hospital_name"]) for c in got.charges] == [
        ("/0/charges/0", "A Hospital"),
        ("/0/charges/1", "A Hospital"),
        ("/1/charges/0", "B Hospital"),
        ("/1/charges/1", "B Hospital"),
    ]


PAYERS: dict[str, Any] = {
    "a list": [{"payer": "Aetna", "plan": "PPO", "rate": 50.5}, {"payer": "Cigna", "plan": None, "rate": "60"}],
    "a map": {"Aetna": 50.5, "Cigna": "60"},
    "a map of objects": {"Aetna": {"rate": 50.5, "plan": "PPO"}, "Cigna": {"rate": "60"}},
}


@pytest.mark.parametrize("shape", ["a list", "a map"])
def test_nested_payers_are_rates_of_their_item(tmp_path: Path, shape: str) -> None:
    items = [{**one, "payers": PAYERS[shape]} for one in VISITS] + [VISITS[0]]
    got = read(tmp_path, json.dumps(items))
    assert [(r["charge_id"], r["source_pos"], r["payer_name"], r["negotiated_dollar"]) for r in got.rates] == [
        (0, "/0/p/0", "Aetna", Decimal("50.5")),
        (0, "/0/p/1", "Cigna", Decimal(60)),
        (1, "/1/p/0", "Aetna", Decimal("50.5")),
        (1, "/1/p/1", "Cigna", Decimal(60)),
    ]
    assert [(c["source_pos"], c["gross_charge"], c["rates"]) for c in got.charges] == [
        ("/0", Decimal("100.1"), 2),
        ("/1", Decimal(200), 2),
        ("/2", Decimal("100.1"), 0),
    ]
    assert (got.report.rows_in, got.report.items_out) == (3, 3)


def test_an_item_of_very_many_payers_is_one_item(tmp_path: Path) -> None:
    payers = [{"payer": f"Payer {n}", "rate": n} for n in range(80_000)]
    got = read(tmp_path, json.dumps([{**VISITS[0], "payers": payers}, VISITS[1]]))
    assert (got.report.rows_in, len(got.charges), len(got.rates)) == (2, 2, 80_000)
    assert got.rates[-1]["source_pos"] == "/0/p/79999"


def test_a_payers_object_among_lists_is_a_list_of_one(tmp_path: Path) -> None:
    items = [{**VISITS[0], "payers": PAYERS["a list"]}, {**VISITS[1], "payers": PAYERS["a list"][0]}]
    got = read(tmp_path, json.dumps(items))
    assert [r["source_pos"] for r in got.rates] == ["/0/p/0", "/0/p/1", "/1/p/0"]


def test_numbers_lose_no_digit(tmp_path: Path) -> None:
    numbers = ["12345678901.234567", "0.1234565000000000001", "1.10", "1E2", "999999999999.999999", "-3.50"]
    text = "[" + ",".join(f'{{"code": "{at}", "price": {number}}}' for at, number in enumerate(numbers)) + "]"
    got = read(tmp_path, text)
    assert [c["gross_charge"] for c in got.charges] == [
        Decimal("12345678901.234567"), Decimal("0.123457"), Decimal("1.1"), Decimal(100),
        Decimal("999999999999.999999"), Decimal("-3.5"),
    ]  # fmt: skip
    assert got.charges[1]["extra"] == [("price", "0.1234565000000000001")]


def test_keys_that_appear_late_are_columns_too(tmp_path: Path) -> None:
    items = [{"code": str(n), "price": 5} for n in range(40)]
    items += [{"code": str(n), "price": 6, "Aetna": n, "remark": "late"} for n in range(40, 80)]
    got = read(tmp_path, json.dumps(items), block_bytes=500)
    assert [c["source_pos"] for c in got.charges] == [f"/{n}" for n in range(80)]
    assert [(r["source_pos"], r["negotiated_dollar"]) for r in got.rates] == [
        (f"/{n}/Aetna", Decimal(n)) for n in range(40, 80)
    ]
    assert all(dict(c["extra"]) == {"remark": "late"} for c in got.charges[40:])


@pytest.mark.parametrize("first", [True, False])
def test_objects_without_a_price_among_others_are_rejected_not_lost(tmp_path: Path, first: bool) -> None:
    priced = [{"code": str(n), "price": 5} for n in range(40)]
    others = [{"code": str(n), "wing": "N"} for n in range(40)]
    got = read(tmp_path, json.dumps(others + priced if first else priced + others), block_bytes=500)
    assert (got.report.rows_in, got.report.items_out + got.report.rows_rejected) == (80, 80)
    assert len(got.charges) + len(got.rejects) == 80
    assert {r["reason"] for r in got.rejects} <= {"no_charges"}


def test_nested_things_that_are_no_payers_are_kept(tmp_path: Path) -> None:
    item = {
        **VISITS[0],
        "where": {"floor": 3, "wing": {"name": "N"}},
        "tags": ["a", 1.50],
        "steps": [{"n": 1}, {"n": 2}],
    }
    got = read(tmp_path, json.dumps([item]).replace("1.5", "1.50"))
    assert dict(got.charges[0]["extra"]) == {
        "where.floor": "3", "where.wing.name": "N", "tags": '["a", 1.50]', "steps": '[{"n": 1}, {"n": 2}]',
    }  # fmt: skip


def test_what_comes_with_a_treatment_is_no_payer_of_it(tmp_path: Path) -> None:
    more = [{"description": "Anaesthesia", "gross_charge": 300}, {"description": "Tools", "gross_charge": 10}]
    got = read(tmp_path, json.dumps([{**VISITS[0], "ancillary_charges": more}]))
    assert [c["gross_charge"] for c in got.charges] == [Decimal("100.1")]
    assert json.loads(dict(got.charges[0]["extra"])["ancillary_charges"]) == more


def test_a_price_is_what_its_kind_says(tmp_path: Path) -> None:
    lines = [{"cpt": "99213", "type": kind, "price": price} for kind, price in (("cash", 5), ("gross", 7.5))]
    got = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert [(c["gross_charge"], c["discounted_cash"]) for c in got.charges] == [
        (None, Decimal(5)),
        (Decimal("7.5"), None),
    ]


def test_a_comparison_of_hospitals_is_no_price_list(tmp_path: Path) -> None:
    charges = [{"medicare": 5000 + n, "chargemaster": 9000 + n, "hospital": str(10001 + n)} for n in range(30)]
    got = read(tmp_path, json.dumps({"charges": charges, "name": "Stroke"}))
    assert got.ended == ("no_price_table", "foreign_json")
    assert (got.report.rows_in, got.charges) == (0, [])


def test_the_hospital_is_known_from_its_records(tmp_path: Path) -> None:
    lines = [{"name": "West Mercy Hospital", "file_create_date": "2021-08-20", **one} for one in VISITS]
    got = read(tmp_path, "\n".join(map(json.dumps, lines)))
    assert got.member.header.hospital_name == "West Mercy Hospital"
    assert got.member.header.last_updated_on == "2021-08-20"
    assert [c["description"] for c in got.charges] == ["Visit", "Long visit"]


ODD = {
    "raw tab": ('"Visit"', '"Vi\tsit"', "Vi\tsit"),
    "bad escape": ('"Visit"', '"C:\\Visit"', "C:\\Visit"),
    "half a surrogate": ('"Visit"', '"Vis\\ud800it"', "Vis?it"),
    "a bare word": ('"Visit"', "Visit", "Visit"),
    "no value": ('"80"', "", "Visit"),
    "NaN": ('"80"', "NaN", "Visit"),
    "a leading zero": ('"80"', "080", "Visit"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_nearly_json_is_read_all_the_same(tmp_path: Path, odd: str) -> None:
    before, after, description = ODD[odd]
    got = read(tmp_path, json.dumps(VISITS).replace(before, after, 1))
    assert [c["description"] for c in got.charges] == [description, "Long visit"]
    assert (got.ended, got.rejects) == (("ok", ""), [])


@pytest.mark.parametrize("before", ["", "null,\n"])
def test_an_object_of_nothing_before_one_without_values_is_no_price_list(tmp_path: Path, before: str) -> None:
    got = read(tmp_path, before + '{},\n{"description": null, "standard_charge|gross": null}')
    assert got.ended == ("no_price_table", "no_charges")


def test_a_broken_object_is_lost_alone_under_a_key_that_is_half_a_surrogate_pair(tmp_path: Path) -> None:
    lines = [json.dumps({"code": str(n), "description": f"D{n}", "price": n + 1}) for n in range(3)]
    got = read(tmp_path, f'{{"rows\\ud800": [{",".join(lines)}]}}'.replace('"D1"', '"D1'))
    assert [c["source_pos"] for c in got.charges] == ["/rows?/0", "/rows?/2"]
    assert [r["position"] for r in got.rejects] == ["/rows?/1"]


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
@pytest.mark.parametrize("separator", [",", "\n", ""])
def test_only_the_broken_object_is_lost(tmp_path: Path, block_bytes: int, separator: str) -> None:
    lines = [json.dumps({"code": str(n), "description": f"D{n}", "price": n + 1}) for n in range(30)]
    text = separator.join(lines).replace('"D7"', '"D7').replace('"D20"', '"D"20"')
    got = read(tmp_path, f"[{text}]" if separator == "," else text, block_bytes=block_bytes)
    assert [c["source_pos"] for c in got.charges] == [f"/{n}" for n in range(30) if n not in {7, 20}]
    assert [(r["position"], r["reason"]) for r in got.rejects] == [("/7", "malformed"), ("/20", "malformed")]
    assert '"D7,' in got.rejects[0]["raw"]


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
def test_a_cut_list_keeps_every_whole_object(tmp_path: Path, block_bytes: int) -> None:
    text = json.dumps({"items": [{"code": str(n), "price": n + 1} for n in range(30)]})
    got = read(tmp_path, text[: text.index('"20"') + 8], block_bytes=block_bytes)
    assert got.ended == ("incomplete", "truncated")
    assert len(got.charges) == 20
    assert [(r["position"], r["reason"]) for r in got.rejects] == [("/items/20", "cut_short")]


def test_rejects_of_a_list_without_prices_do_not_count(tmp_path: Path) -> None:
    text = json.dumps({"rooms": [{"room": "a"}, {"room": "b"}], "charges": VISITS})
    got = read(tmp_path, text.replace('{"room": "b"}', '{"room" "b" oops}'))
    assert (got.ended, got.rejects, got.report.rows_in) == (("ok", ""), [], 2)


def test_empty_objects_are_no_items(tmp_path: Path) -> None:
    got = read(tmp_path, json.dumps([{}, VISITS[0], {"code": None, "description": " "}, VISITS[1]]))
    assert [c["source_pos"] for c in got.charges] == ["/1", "/3"]
    assert (got.report.rows_in, got.report.items_out) == (2, 2)


def test_memory_does_not_grow_with_the_text() -> None:
    block = TextBlock(
        b"".join(b'{"code": "%d", "description": "%s", "price": 5}\n' % (n, b"x" * 200) for n in range(400))
    )

    def peak(blocks: int) -> int:
        tracemalloc.start()
        try:
            rows = 0
            for section in Document(iter([block] * blocks), 10**6).read():
                assert isinstance(section, Section)
                rows += sum(
                    len(part) for _, parts in tables(p for p in section if isinstance(p, tuple)) for part in parts
                )
            assert rows == 400 * blocks
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40) < 1.2 * peak(4)


KEYS = st.sampled_from(["code", "payers", "rate", "payer", "price", "x", "a.b", "", "é", 'k"'])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False).map(float),
              st.text(st.sampled_from(list('a"\\{}[],é1')), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip


def settled(got: Read) -> None:
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
    assert got.report.outcome in {"ok", "incomplete", "unparseable", "no_price_table", "not_a_price_file"}


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=5), min_size=1, max_size=5), st.sampled_from([30, 4 * 2**20]))
def test_any_objects_beside_a_price_are_read(
    tmp_path_factory: pytest.TempPathFactory, extras: list[dict[str, Any]], block_bytes: int
) -> None:
    items = [{**extra, "item code": f"C{at}", "gross charge": at + 1} for at, extra in enumerate(extras)]
    got = read(tmp_path_factory.mktemp("nested"), json.dumps({"list": items}), block_bytes=block_bytes)
    settled(got)
    assert {int(c["source_pos"].split("/")[2]) for c in got.charges} == set(range(len(items)))
    assert {p["code"] for c in got.charges for p in c["codes"]} >= {f"C{at}" for at in range(len(items))}


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(st.sampled_from(sorted(WRAPPINGS)), st.data())
def test_mutated_bytes_end_in_an_outcome(tmp_path_factory: pytest.TempPathFactory, wrapping: str, data: Any) -> None:
    text = bytearray(WRAPPINGS[wrapping][0].encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        marks = [b"", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\xff", b":", b"\x00", b"7", b"null"]
        text[at : at + data.draw(st.integers(0, 4))] = data.draw(st.sampled_from(marks))
    settled(read(tmp_path_factory.mktemp("mutated"), bytes(text), block_bytes=data.draw(st.sampled_from([9, 10**6]))))
