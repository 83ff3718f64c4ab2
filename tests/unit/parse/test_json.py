"""CMS's JSON: keys in any order, elements of any shape, blocks cut anywhere."""

import json
import re
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.parse.elements import split
from glimmr.parse.elements.split import seam, spans, value_end, with_exact_numbers
from glimmr.parse.formats import json_text

from .papers import BLOCKS, document, item, read

AETNA = {"payer_name": "Aetna", "plan_name": "PPO", "standard_charge_dollar": 400.5, "methodology": "fee schedule"}


@pytest.mark.parametrize("block_bytes", BLOCKS[2:])
def test_every_setting_of_an_item_is_a_charge_and_every_payer_entry_a_rate(tmp_path: Path, block_bytes: int) -> None:
    two = item("MRI", AETNA, {"payer_name": "Cigna"}, gross_charge=1200, minimum=1, maximum=2.5)
    two["standard_charges"].append({"setting": "inpatient", "discounted_cash": "$7"})
    got = read(tmp_path, document([two, item("CT", gross_charge=0.00277)]), block_bytes=block_bytes)
    assert got.ended == ("ok", "")
    assert [(c["charge_id"], c["source_pos"], c["setting"], c["gross_charge"], c["rates"]) for c in got.charges] == [
        (0, "/sci/0/sc/0", "outpatient", Decimal(1200), 2),
        (1, "/sci/0/sc/1", "inpatient", None, 0),
        (2, "/sci/1/sc/0", "outpatient", Decimal("0.00277"), 0),
    ]
    assert [(r["charge_id"], r["source_pos"], r["payer_name"], r["negotiated_dollar"]) for r in got.rates] == [
        (0, "/sci/0/sc/0/p/0", "Aetna", Decimal("400.5")),
        (0, "/sci/0/sc/0/p/1", "Cigna", None),
    ]
    assert (got.charges[1]["discounted_cash"], got.charges[1]["flags"]) == (Decimal(7), ["currency_text"])
    assert [c["codes"] for c in got.charges] == [[{"code": "70551", "type": "CPT"}]] * 3
    assert (got.report.rows_in, got.report.items_out, got.report.charges) == (2, 2, 3)


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_table_may_stand_first_or_last(tmp_path: Path, block_bytes: int, last: bool, indent: int | None) -> None:
    root = json.loads(document([item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(40)]))
    trap = {"text": '"standard_charge_information": [{"description": "}],[{"}]'}
    modifiers = [{"description": f"m{i}", "code": "50", "modifier_payer_information": []} for i in range(40)]
    table = {"standard_charge_information": root.pop("standard_charge_information")}
    rest = root | {"license_information": {"state": "TX"}, "trap": trap, "modifier_information": modifiers}
    text = json.dumps(rest | table if last else table | rest, indent=indent)
    got = read(tmp_path, text, block_bytes=block_bytes)
    assert got.ended == ("ok", "")
    assert [c["description"] for c in got.charges] == [f"I{i}" for i in range(40)]
    assert [r["charge_id"] for r in got.rates] == list(range(40))
    assert (got.member.header.hospital_name, got.member.header.license_state) == ("West Mercy", "TX")


def test_numbers_lose_no_digit(tmp_path: Path) -> None:
    numbers = [
        "12345678901.234567",
        "0.1234565000000000001",
        "0.12345650000000000000",
        "3720.4599999999996",
        "1.10",
        "1E2",
        "999999999999.999999",
    ]
    text = document([item(f"I{n}", gross_charge="@") for n in range(len(numbers))])
    for number in numbers:
        text = text.replace('"@"', number, 1)
    got = read(tmp_path, text)
    assert [c["gross_charge"] for c in got.charges] == [
        Decimal("12345678901.234567"),
        Decimal("0.123457"),
        Decimal("0.123456"),
        Decimal("3720.46"),
        Decimal("1.1"),
        Decimal(100),
        Decimal("999999999999.999999"),
    ]
    assert dict(got.charges[3]["extra"]) == {"gross_charge": "3720.4599999999996"}


@pytest.mark.parametrize("block_bytes", [100, 4 * 2**20])
def test_unknown_keys_are_kept_in_extra_at_every_level(tmp_path: Path, block_bytes: int) -> None:
    payer = {**AETNA, "network": {"tier": 1}, "rank": 7}
    odd = [{**item(f"I{i}", payer, gross_charge=1, hospital_fee="x"), "rid": f"r{i}"} for i in range(20)]
    got = read(tmp_path, document([item("plain", gross_charge=1), *odd]), block_bytes=block_bytes)
    assert dict(got.charges[5]["extra"]) == {"rid": "r4", "hospital_fee": "x"}
    assert json.loads(dict(got.rates[4]["extra"])["network"]) == {"tier": 1}
    assert dict(got.rates[4]["extra"])["rank"] == "7"
    assert got.charges[0]["extra"] is None
    assert got.findings()["GL-UNKNOWN-COLUMN"] == 4


def test_keys_that_are_odd_or_too_many_or_deep_inside_are_kept_too(tmp_path: Path) -> None:
    odd = item("A", {"payer_name": "P", 'a"b': 1.50}, gross_charge=1)
    odd["code_information"] = [{"code": "1", "type": "CPT", "desc": "x"}, {"code": "2", "type": "RC", "desc": "y"}]
    odd["drug_information"] = {"unit": 1, "type": "ML", "name": "z"}
    many = [{**item("B", gross_charge=1), f"key {n}": n} for n in range(300)]
    got = read(tmp_path, document([odd, *many]), block_bytes=2000)
    assert json.loads(dict(got.rates[0]["extra"])["more"]) == {'a"b': 1.5}
    assert dict(got.charges[0]["extra"]) == {"code_information.desc": '["x", "y"]', "drug_information.name": "z"}
    said = [dict(charge["extra"]) for charge in got.charges[1:]]
    assert all(s.get(f"key {n}", s.get("more")) in {str(n), f'{{"key {n}": {n}}}'} for n, s in enumerate(said))


def test_an_element_that_gives_no_charge_is_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    bad: list[Any] = [{"description": "nothing", "standard_charges": []}, {"description": "nil"}, "text", 7, None, [1]]
    got = read(
        tmp_path, document([item("A", gross_charge=1), *bad, *(item(f"B{i}", gross_charge=2) for i in range(9))])
    )
    assert got.ended == ("ok", "")
    assert len(got.charges) == 10
    assert {r["reason"] for r in got.rejects} <= {"no_charges", "no_object"}
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
    assert [r["position"] for r in got.rejects][:2] == ["/sci/1", "/sci/2"]


def test_odd_shapes_and_types_are_read_leniently(tmp_path: Path) -> None:
    odd = {
        "description": 5,
        "code_information": [{"code": 70551, "type": "CPT"}],
        "drug_information": {"unit": "10", "type": "ML"},
        "standard_charges": {
            "gross_charge": True,
            "discounted_cash": "N/A",
            "modifier_code": "26, TC",
            "setting": "IP",
            "payers_information": {"payer_name": "Aetna", "count": 57},
        },
    }
    got = read(tmp_path, document([odd, item("B", gross_charge=1)]))
    charge, rate = got.charges[0], got.rates[0]
    assert (charge["description"], charge["hcpcs"], charge["setting"], charge["modifiers"]) == (
        "5",
        "70551",
        "inpatient",
        ["26", "TC"],
    )
    assert (charge["drug_unit"], charge["drug_type"]) == (Decimal(10), "ML")
    assert dict(charge["extra"]) == {"gross_charge": "true", "discounted_cash": "N/A"}
    assert (rate["payer_name"], rate["allowed_count_min"]) == ("Aetna", 57)


def test_control_characters_and_literals_that_are_no_json_do_no_harm(tmp_path: Path) -> None:
    text = (
        document([item("a b", gross_charge=1), item("B", gross_charge=2)])
        .replace("a b", "a\tb")
        .replace(": 2", ": NaN")
    )
    got = read(tmp_path, text)
    assert got.ended == ("ok", "")
    assert [(c["description"], c["gross_charge"]) for c in got.charges] == [("a\tb", Decimal(1)), ("B", None)]


@pytest.mark.parametrize("block_bytes", [64, 4 * 2**20])
def test_a_cut_document_keeps_every_whole_element(tmp_path: Path, block_bytes: int) -> None:
    text = document([item(f"I{i}", AETNA, gross_charge=1) for i in range(20)])
    cut = text[: text.index('"I15"') + 20]
    got = read(tmp_path, cut, block_bytes=block_bytes)
    assert got.ended == ("incomplete", "truncated")
    assert [c["description"] for c in got.charges] == [f"I{i}" for i in range(15)]
    assert [(r["position"], r["reason"]) for r in got.rejects] == [("/sci/15", "cut_short")]


def test_half_a_surrogate_pair_and_deep_nesting_do_no_harm(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    text = document(
        [item("A@", gross_charge=1), item("B", gross_charge=2), item("C", gross_charge="#")], hospital_name="H@"
    )
    text = text.replace("@", "\\ud800").replace('"#"', deep)[:-1] + f', "deep": {deep}}}'
    got = read(tmp_path, text)
    assert [c["description"] for c in got.charges] == ["A?", "B"]
    assert got.member.header.hospital_name == "H?"
    assert [r["reason"] for r in got.rejects] == ["malformed"]


def test_a_document_cut_behind_the_table_is_incomplete_too(tmp_path: Path) -> None:
    text = document([item("A", gross_charge=1)])
    assert read(tmp_path, text[:-1]).ended == ("incomplete", "truncated")


def test_json_without_priced_items_is_no_price_table(tmp_path: Path) -> None:
    for text in ('{"charges": [1, 2]}', "[]", "{}", '[{"price": 5}]', '{"message": "moved"}', "[[[]]]"):
        assert read(tmp_path, text).ended == ("no_price_table", "foreign_json")
    for text in ('{"a": 1}\n{"a": 2}\n', '[{"description": "MRI", "beds": 3}, {"description": "CT", "beds": 4}]'):
        assert read(tmp_path, text).ended == ("no_price_table", "no_price_column")


def test_malformed_json_before_the_table_is_a_finding_when_the_table_is_there(tmp_path: Path) -> None:
    text = document([item("A", gross_charge=1)]).replace('"West Mercy",', '"West Mercy" oops')
    got = read(tmp_path, text)
    assert got.ended == ("ok", "")
    assert got.findings()["GL-JSON-BROKEN"] == 1
    assert read(tmp_path, '{"a" 1').ended[0] in {"unparseable", "incomplete"}


def test_more_than_half_rejected_is_unparseable(tmp_path: Path) -> None:
    got = read(tmp_path, document([item("A", gross_charge=1), {"description": "x"}, {"description": "y"}]))
    assert got.ended == ("unparseable", "too_many_rejects")
    assert (
        read(tmp_path, document([item("A", gross_charge=1), {"description": "x"}]), max_rejected_percent=60.0).ended[0]
        == "ok"
    )


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(st.sampled_from(list('a"\\{}[], é')), max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.sampled_from(list('k"\\}{')), max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b"]), VALUES, min_size=1, max_size=2), max_size=5), st.booleans()
)
def test_the_splitter_finds_exactly_the_elements(values: list[Any], indented: bool) -> None:
    inside = json.dumps(values, indent=1 if indented else None, ensure_ascii=False).encode()[1:] + b', "tail": [{}]}'
    found = spans(inside, 0)
    assert [json.loads(inside[a:b]) for a, b in zip(found.begins, found.ends, strict=True)] == values
    assert found.closed_at is not None
    assert inside[found.closed_at : found.closed_at + 1] == b"]"
    whole = json.dumps(values).encode()
    assert value_end(whole + b", []", 0) == len(whole)


def test_a_seam_is_the_last_place_where_one_element_follows_another() -> None:
    data = b'{"description": 1}, {"description": 2},\n {"code_information": 3}'
    assert seam(data, 0) == data.index(b",\n")
    assert seam(data, 45) is None


def test_a_long_number_inside_a_string_costs_no_item(tmp_path: Path) -> None:
    names = ["NPIs: 1234567890123456, 2", "[1.23456789, x", "rate: 12345678901234567}"]
    items = [item(name, AETNA, gross_charge=1.5) for name in names]
    text = document(items).replace("400.5", "1234567890.123456789")
    got = read(tmp_path, text)
    assert (got.ended, got.rejects) == (("ok", ""), [])
    assert [c["description"] for c in got.charges] == names
    assert [r["negotiated_dollar"] for r in got.rates] == [Decimal("1234567890.123457")] * 3


@pytest.mark.parametrize("number", ["0.12345650", "12.3456789", "1234567.123456789e2"])
def test_the_text_of_a_rounded_number_is_kept_digit_for_digit(tmp_path: Path, number: str) -> None:
    got = read(tmp_path, document([item("A", gross_charge=777)]).replace("777", number))
    assert got.charges[0]["extra"] == [("gross_charge", number)]
    assert got.charges[0]["flags"] == ["rounded"]


def test_odd_items_among_whole_ones_keep_their_numbers(tmp_path: Path) -> None:
    whole = [item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(6)]
    whole[1]["standard_charges"] = []
    whole[4]["standard_charges"] = None
    whole[5]["new_key"] = "x"
    got = read(tmp_path, document(whole))
    assert [c["source_pos"] for c in got.charges] == ["/sci/0/sc/0", "/sci/2/sc/0", "/sci/3/sc/0", "/sci/5/sc/0"]
    assert [(r["position"], r["reason"]) for r in got.rejects] == [("/sci/1", "no_charges"), ("/sci/4", "no_charges")]
    assert got.charges[-1]["extra"] == [("new_key", "x")]
    assert (got.report.rows_in, got.report.items_out, got.report.rows_rejected) == (6, 4, 2)


def test_thousands_of_items_of_which_one_is_odd_are_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    taken = json_text.read_items
    monkeypatch.setattr(json_text, "read_items", lambda n, items, s: batches.append(len(items)) or taken(n, items, s))
    items = [item("odd")] + [item("A", AETNA) for _ in range(2000)]
    items[0]["standard_charges"] = []
    assert read(tmp_path, document(items)).ended == ("ok", "")
    assert batches == [2000]


def test_an_object_of_very_many_unknown_keys_is_read(tmp_path: Path) -> None:
    got = read(tmp_path, document([item("A", AETNA) | {f"k{i}": i for i in range(20_000)}, item("B", AETNA)]))
    assert (got.ended, len(got.charges)) == (("ok", ""), 2)
    assert len(dict(got.charges[0]["extra"])) == 201  # 200 keys by name, the others together


def test_documents_in_a_list_are_read_as_one(tmp_path: Path) -> None:
    one, two = document([item("A", AETNA)]), document([item("B", AETNA)])
    got = read(tmp_path, f"\n[ {one} , {two} ]\n")
    assert got.ended == ("ok", "")
    assert [c["source_pos"] for c in got.charges] == ["/sci/0/sc/0", "/sci/1/sc/0"]
    assert "GL-JSON-BROKEN" not in got.findings()


def test_a_long_string_takes_little_more_memory_than_itself(tmp_path: Path) -> None:
    text = '{"logo": "' + "\\u0041x" * 200_000 + '", ' + document([item("A", AETNA)]).lstrip("{ ")
    tracemalloc.start()
    try:
        got = read(tmp_path, text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got.ended == ("ok", "")
    assert peak < 20 * len(text)


@given(st.text(st.sampled_from(list('ab"\\[]{},')), max_size=60), st.integers(1, 9))
def test_elements_are_found_whatever_the_step(text: str, step: int) -> None:
    data = ",".join(json.dumps([text, {text: text}]) for _ in range(3)).encode() + b"]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "_STEP_BYTES", step)
        found = spans(data, 0)
    assert [json.loads(data[a:b]) for a, b in zip(found.begins, found.ends, strict=True)] == [[text, {text: text}]] * 3
    assert found.closed_at == len(data) - 1


BROKEN = {
    "a quote is lost": ('"I7"', '"I7'),
    "a quote too many": ('"I7"', '"I"7"'),
    "a brace is lost": ('"I7", "code_information": [{"code": "70551", "type": "CPT"}', '"I7", "code_information": [{'),
    "a literal is cut": ('"description": "I7"', '"description": tru, "description" "I7"'),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("block_bytes", [64, 900, 4 * 2**20])
@pytest.mark.parametrize("last", [True, False])
def test_only_the_broken_element_is_lost(tmp_path: Path, what: str, block_bytes: int, last: bool) -> None:
    items = [item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(8 if last else 20)]
    text = document(items)
    assert BROKEN[what][0] in text
    got = read(tmp_path, text.replace(*BROKEN[what]), block_bytes=block_bytes)
    assert [c["description"] for c in got.charges] == [f"I{i}" for i in range(len(items)) if i != 7]
    assert [c["source_pos"] for c in got.charges] == [f"/sci/{i}/sc/0" for i in range(len(items)) if i != 7]
    assert [(r["position"], r["reason"]) for r in got.rejects] in ([("/sci/7", "malformed")], [("/sci/7", "cut_short")])
    assert '"I7' in got.rejects[0]["raw"] or '"I"7' in got.rejects[0]["raw"]


@pytest.mark.parametrize("odd", ["}}, ", "]}, ", "], ", "}, "])
def test_brackets_too_many_do_not_end_the_table(tmp_path: Path, odd: str) -> None:
    text = document([item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(20)])
    got = read(tmp_path, text.replace('{"description": "I8"', odd + '{"description": "I8"'))
    assert [c["description"] for c in got.charges] == [f"I{i}" for i in range(20)]
    # What closes table and document leaves the next items outside of both, and their own end closes nothing.
    assert got.findings()["GL-JSON-BROKEN"] == (5 if odd == "]}, " else 1)


def test_two_broken_elements_cost_two(tmp_path: Path) -> None:
    text = document([item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(30)])
    got = read(tmp_path, text.replace('"I7"', '"I7').replace('"I19"', 'I19"'))
    assert [c["description"] for c in got.charges] == [f"I{i}" for i in range(30) if i not in {7, 19}]
    assert [r["position"] for r in got.rejects] == ["/sci/7", "/sci/19"]


def test_scalars_among_the_elements_are_rejected_one_by_one(tmp_path: Path) -> None:
    odd: list[Any] = [item("A", gross_charge=1), None, "a, b", item("B", gross_charge=2), 7, item("C", gross_charge=3)]
    got = read(tmp_path, document(odd))
    assert [c["source_pos"] for c in got.charges] == ["/sci/0/sc/0", "/sci/3/sc/0", "/sci/5/sc/0"]
    assert [(r["position"], r["raw"]) for r in got.rejects] == [
        ("/sci/1", "null"),
        ("/sci/2", '"a, b"'),
        ("/sci/4", "7"),
    ]


def test_the_first_template_is_read_like_the_later_ones(tmp_path: Path) -> None:
    payer = {
        "payer_name": "Aetna", "plan_name": "PPO", "standard_charge": 20.10, "standard_charge_percent": 50,
        "contracting_method": "case rate",
    }  # fmt: skip
    old = {
        "description": "MRI",
        "billing_code_information": [{"code": "470", "type": "MS-DRG", "since": 2019}],
        "standard_charges": [{"gross_charge": 5, "setting": "inpatient", "payers_information": [payer]}],
    }
    odd = {**old, "standard_charges": {"gross_charge": "N/A", "payers_information": payer}}
    got = read(tmp_path, document([old, item("new", AETNA, gross_charge=2), odd], version="1.1"))
    assert [c["ms_drg"] for c in got.charges] == ["470", None, "470"]
    assert [(r["negotiated_dollar"], r["negotiated_percentage"], r["methodology"]) for r in got.rates] == [
        (Decimal("20.1"), Decimal(50), "case rate"),
        (Decimal("400.5"), None, "fee schedule"),
        (Decimal("20.1"), Decimal(50), "case rate"),
    ]
    assert [r["extra"] for r in got.rates] == [None, None, None]
    assert got.charges[0]["extra"] == [("code_information.since", "2019")]


def test_keys_called_a_little_otherwise_are_known(tmp_path: Path) -> None:
    one = {
        "description": "MRI",
        "code_information": [{"code": "470", "code_type": "MS-DRG"}],
        "standard_charge": {"gross_charge": 5, "setting": "inpatient", "payers_information": [AETNA]},
    }
    other = item("CT", AETNA)
    other["code_information"] = [{"code": "471", "code_type": "MS-DRG"}]
    for items in ([one, other], [other, other]):
        got = read(tmp_path, document(items))
        assert {pair["type"] for c in got.charges for pair in c["codes"]} == {"MS-DRG"}
        assert (len(got.charges), len(got.rates), got.rejects) == (2, 2, [])
        assert [c["extra"] for c in got.charges] == [None, None]


def test_payers_where_charges_should_be_are_payers(tmp_path: Path) -> None:
    lone = {
        "description": "MRI",
        "billing_code_information": [{"code": "73721", "type": "CPT"}],
        "gross_charge": 2500,
        "discounted_cash": 900,
        "standard_charges": [{"payer_name": "Aetna", "plan_name": "PPO", "negotiated_dollar": 780}],
    }
    got = read(tmp_path, document([lone, lone]))
    assert got.ended == ("ok", "")
    assert [(c["gross_charge"], c["discounted_cash"]) for c in got.charges] == [(Decimal(2500), Decimal(900))] * 2
    assert [(r["payer_name"], r["plan_name"], r["negotiated_dollar"]) for r in got.rates] == [
        ("Aetna", "PPO", Decimal(780))
    ] * 2


def test_a_synonym_beside_its_own_key_is_kept(tmp_path: Path) -> None:
    got = read(tmp_path, document([item("A", {**AETNA, "negotiated_rate": 3})]))
    assert got.rates[0]["negotiated_dollar"] == Decimal("400.5")
    assert got.rates[0]["extra"] == [("negotiated_rate", "3")]


@pytest.mark.parametrize("name", ["data", "standardCharges", "standard_charge_information"])
def test_cms_items_are_known_under_any_key(tmp_path: Path, name: str) -> None:
    items = [item("A", AETNA, gross_charge=1), item("B", gross_charge=2)]
    for root in ({name: items}, {"result": {"list": [items]}}, items, [{"hospital_name": "H", name: items}]):
        got = read(tmp_path, json.dumps(root))
        assert (got.ended, got.member.layout) == (("ok", ""), "json")
        assert [c["source_pos"] for c in got.charges] == ["/sci/0/sc/0", "/sci/1/sc/0"]


def test_cms_items_may_be_lines(tmp_path: Path) -> None:
    items = [item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(9)]
    got = read(tmp_path, "\n".join(map(json.dumps, items)), block_bytes=100)
    assert [c["source_pos"] for c in got.charges] == [f"/sci/{i}/sc/0" for i in range(9)]


def test_lists_in_the_header_are_no_tables(tmp_path: Path) -> None:
    modifiers = [{"description": f"m{i}", "code": "50", "price": 5} for i in range(3)]
    got = read(tmp_path, document([item("A", AETNA, gross_charge=1)], modifier_information=modifiers))
    assert [c["description"] for c in got.charges] == ["A"]


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(st.data())
def test_mutated_bytes_end_in_an_outcome_and_reconcile(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    text = bytearray(document([item(f"I{i}", AETNA, gross_charge=i + 1) for i in range(6)]).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\xff", b":", b"\x00", b"7"])
        )
    got = read(tmp_path_factory.mktemp("mutated"), bytes(text), block_bytes=data.draw(st.sampled_from([50, 4 * 2**20])))
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
    assert got.report.outcome in {"ok", "incomplete", "unparseable", "no_price_table", "not_a_price_file"}


_OLD = re.compile(rb"[0-9.]{13}|\.[0-9]{7}|[0-9][eE]")


@given(st.text("019.e/, ", max_size=60))
def test_numbers_that_a_double_would_change_are_noticed_wherever_they_stand(text: str) -> None:
    # What stands alone in a list is a number, and becomes a string when a double would not give it back.
    data = f"[{text}]".encode()
    if not _OLD.search(data):
        assert with_exact_numbers(data) == data


@pytest.mark.parametrize(
    "number", ["1234567890123", "1.2345678", "123456789.1234", "1e5", "0.5E3", "12345678901234567890"]
)
@pytest.mark.parametrize("before", [0, 1, 2, 3, 128 * 1024 - 6, 128 * 1024 - 1])
def test_a_long_number_becomes_a_string_at_any_place(number: str, before: int) -> None:
    data = f'{{"a":"{"x" * before}","b":{number}}}'.encode()
    assert with_exact_numbers(data) == f'{{"a":"{"x" * before}","b":"{number}"}}'.encode()
