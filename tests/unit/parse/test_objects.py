"""Nested objects flattened: names, parts, texts; what keys say of an object."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimmr.parse.elements.repair import Number, decoded
from glimmr.parse.elements.split import near_value_end
from glimmr.parse.objects import tables as objects_tables
from glimmr.parse.objects.facts import header_of
from glimmr.parse.objects.flatten import Flattener
from glimmr.parse.objects.signs import holds_items, is_item, is_payer_map
from glimmr.parse.objects.tables import tables
from glimmr.parse.objects.xml_tree import name_of


def given_over(*items: dict[str, Any]) -> list[tuple[list[str], list[dict[str, Any]]]]:
    """What is handed over: of each table its names, and its rows as dictionaries with number and part."""
    made = []
    for names, blocks in tables([(range(len(items)), list(items))]):
        rows = []
        for block in blocks:
            cells = [column.to_pylist() for column in block.columns]
            parts = [-1] * len(block) if block.parts is None else block.parts.tolist()
            for at, (number, part) in enumerate(zip(block.numbers.tolist(), parts, strict=True)):
                said = {name: cell[at] for name, cell in zip(names, cells, strict=True) if cell[at] is not None}
                rows.append({"#": (number, part), **said})
        made.append((names, rows))
    return made


def test_parts_repeat_what_their_item_says() -> None:
    payers = [{"payer_name": "Aetna", "negotiated_rate": Number("1.50")}, {"payer_name": "Cigna"}]
    ((names, rows),) = given_over({"code": "1", "where": {"floor": 3}, "payers": payers}, {"code": "2", "payers": []})
    assert names == ["code", "where.floor", "payer_name", "negotiated_rate"]
    assert rows == [
        {"#": (0, 0), "code": "1", "where.floor": "3", "payer_name": "Aetna", "negotiated_rate": "1.50"},
        {"#": (0, 1), "code": "1", "where.floor": "3", "payer_name": "Cigna"},
        {"#": (1, -1), "code": "2"},
    ]


def test_a_part_may_have_parts() -> None:
    payers = [{"payer": "A", "rate": 1}, {"payer": "B", "rate": 2}]
    charges = [{"setting": "IP", "gross": 5, "payers": payers}, {"setting": "OP", "gross": 6}]
    ((_, rows),) = given_over({"code": "1", "charges": charges})
    assert [(row["#"], row["setting"], row.get("payers.payer")) for row in rows] == [
        ((0, 0), "IP", "A"),
        ((0, 1), "IP", "B"),
        ((0, 2), "OP", None),
    ]


def test_a_bare_price_beside_a_payer_is_named_as_negotiated() -> None:
    ((names, _),) = given_over({"price": 5, "payers": [{"payer": "A", "price": 1, "tier": 2}]})
    assert names == ["price", "payers.payer", "negotiated payers.price", "tier"]


def test_names_that_clash_keep_what_they_stand_in() -> None:
    ((names, rows),) = given_over({"plan name": "x", "payers": [{"payer name": "A", "plan name": "PPO"}]})
    assert names == ["plan name", "payer name", "payers.plan name"]
    assert rows == [{"#": (0, 0), "plan name": "x", "payer name": "A", "payers.plan name": "PPO"}]
    ((names, rows),) = given_over({"a.b": 1, "a": {"b": 2}})
    assert rows == [{"#": (0, -1), "a.b": "1", "a.b (2)": "2"}]


def test_codes_get_the_names_of_the_template() -> None:
    codes = [{"code": "99213", "type": "CPT"}, {"code": "0450", "type": "RC"}]
    ((names, rows),) = given_over({"price": 1, "codes": codes})
    assert names == ["price", "code|1", "code|1|type", "code|2", "code|2|type"]
    assert rows[0]["code|2"] == "0450"


def test_values_of_every_kind_become_text_and_blanks_nothing() -> None:
    values = [1, True, Number("1.10"), " x ", "", None, 12345678901234567890123, "\ud800"]
    ((_, rows),) = given_over(*({"a": "a", "value": value} for value in values))
    assert [row.get("value") for row in rows] == ["1", "true", "1.10", "x", None, None, "12345678901234567890123", "?"]


def test_very_many_rare_keys_are_kept_together() -> None:
    items = [{"code": str(n), f"k{n}": n} for n in range(2000)]
    names, blocks = next(tables([(range(2000), items)]))
    (block,) = list(blocks)
    assert names == ["code"]
    assert block.more is not None
    assert block.more.to_pylist()[7] == '{"k7": 7}'


def test_wide_objects_come_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects_tables, "_MOST_CELLS", 4000)
    items = [{f"k{n}": "1" for n in range(400)} for _ in range(35)]
    names, blocks = next(tables([(range(35), items)]))
    assert len(names) == 400
    assert [len(block) for block in blocks] == [10, 10, 10, 5]


def test_an_item_is_never_cut_in_two() -> None:
    items = [{"code": str(n), "payers": [{"payer": "A", "rate": 1}] * 30_000} for n in range(3)]
    _, blocks = next(tables([(range(3), items)]))
    seen = [sorted(set(block.numbers.tolist())) for block in blocks]
    assert list(itertools.chain.from_iterable(seen)) == [0, 1, 2]


def test_what_an_item_is() -> None:
    assert is_item({"CPT Code": "1"})
    assert is_item({"Description": "x"})
    assert not is_item({"hospital_name": "A", "zip code": "1", "name": "B", "id": 5})
    assert holds_items({"hospital": "A", "lists": [[{"cpt": "1"}]]})
    assert not holds_items({"hospital": "A", "rooms": [{"beds": 1}]})


def test_what_a_map_of_payers_is() -> None:
    assert is_payer_map("payers", {"Aetna": 1, "Cigna": None})
    assert is_payer_map("prices", {"Aetna PPO": 1, "Blue Cross": 2})
    assert is_payer_map("negotiated_rates", {"X1": {"rate": 1}})
    assert not is_payer_map("rates", {"min": 1, "max": 2, "gross": 3})
    assert not is_payer_map("Contracts", {"Contract": {"Payer": "A", "Charge": 1}})
    assert not is_payer_map("payers", {"Aetna": [1]})


def test_the_header_is_found_under_many_names() -> None:
    header = header_of({"Facility": "West Mercy", "File Create Date": "8/20/2021", "Logo": "x"})
    assert (header.hospital_name, header.last_updated_on) == ("West Mercy", "2021-08-20")
    assert header_of({"name": "Stroke"}).hospital_name is None
    assert header_of({"name": "Mercy Hospital", "date": "soon"}).last_updated_on is None


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("Charge_x0020_Code", "Charge Code"),
        ("{urn:x}a", "a"),
        ("_2022_X", "2022_X"),
        ("_x0031_st", "1st"),
        ("_x", "_x"),
    ],
)
def test_names_of_elements_are_made_readable(tag: str, name: str) -> None:
    assert name_of(tag) == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, }', {"a": "1"}),
        ("[1,,2,]", ["1", "2"]),
        ("[,1]", ["1"]),
        ('{"a": , "b": }', {"a": None, "b": None}),
        ('{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        ('{"a": 007, "b": .5, "c": $5}', {"a": "007", "b": ".5", "c": "$5"}),
        ('{"a": "x\\y\\n\\u0041\\\\"}', {"a": "x\\y\nA\\"}),
        ('{"a": "\t, }"}', {"a": "\t, }"}),
    ],
)
def test_json_that_is_not_quite_json_is_repaired(text: str, value: Any) -> None:
    assert decoded(text.encode()) == value


@pytest.mark.parametrize("text", ['{"a" 1}', '{"a": "b', "", "{]", '{"a": 1}}'])
def test_what_has_no_structure_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(text.encode())


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(st.sampled_from(list('a"\\{}[],:é \t')), max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@given(JSON)
def test_repairing_changes_nothing_that_is_right(value: Any) -> None:
    assert decoded(json.dumps(value).encode()) == value
    assert decoded(json.dumps([value, {"a": value}], ensure_ascii=False).replace("]", ",]").encode()) is not None


@given(JSON, JSON)
def test_the_end_of_a_value_is_found_near_and_far(value: Any, behind: Any) -> None:
    whole = json.dumps([value] * 3).encode()
    rest = json.dumps(behind).encode() * 200
    assert near_value_end(b"x" + whole + rest, 1) == 1 + len(whole)


@given(st.dictionaries(st.sampled_from(["code", "a", "payers", "rate"]), JSON, max_size=4))
def test_flattening_keeps_every_scalar(item: dict[str, Any]) -> None:
    records, _ = Flattener().flat(item)
    kept = {str(value) for record in records for value in record.values()}
    for value in item.values():
        if not isinstance(value, dict | list):
            assert str(value) in kept
