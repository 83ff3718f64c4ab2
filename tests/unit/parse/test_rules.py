"""Each rule of CMS's: a file that keeps all of them, broken in one place, has that finding and no other."""

from pathlib import Path
from typing import Any

import pytest

from glimmr.parse.findings import RULES
from glimmr.parse.rules.book import CMS_RULES, EDITIONS

from .papers import read
from .rule_papers import (
    charge,
    csv_of,
    document,
    first,
    found,
    general,
    item,
    payer,
    tall,
    tall_record,
    wide,
    wide_record,
)

PERCENT = {"standard_charge|negotiated_dollar": "", "standard_charge|negotiated_percentage": "70"}
COUNTED = {"median_amount": "7", "10th_percentile": "6", "90th_percentile": "8", "count": "12"}
DOLLAR, METHOD = "standard_charge|negotiated_dollar", "standard_charge|methodology"
NO_PRICE = {"standard_charge|gross": "", "standard_charge|discounted_cash": "", DOLLAR: ""}
MODIFIER = {
    "modifiers": "50",
    "code|1": "",
    "code|1|type": "",
    **NO_PRICE,
    METHOD: "",
    "payer_name": "",
    "plan_name": "",
}


def t(edition: str = "3.0", **changes: str) -> str:
    return tall(tall_record(edition, **changes), edition=edition)


def w(edition: str = "3.0", **changes: str) -> str:
    return wide(wide_record(edition, **changes), edition=edition)


def g(edition: str = "3.0", **changes: str | None) -> str:
    """A tall CSV with some of its general data changed (None: without it)."""
    above = {name: value for name, value in {**general(edition), **changes}.items() if value is not None}
    return csv_of(above, tall_record(edition))


def j(*charges: dict[str, Any], edition: str = "3.0", **more: Any) -> str:
    return document(item(*charges, **more), edition=edition)


def jp(edition: str = "3.0", **changes: Any) -> str:
    return j(charge(payer(**changes)), edition=edition)


def of_wide(**changes: str) -> dict[str, str]:
    """Changes of payer columns, for the wide template."""
    return {f"standard_charge|Aetna|PPO|{name}": value for name, value in changes.items()}


@pytest.mark.parametrize("edition", ["2.2", "3.0"])
@pytest.mark.parametrize("make", [tall, wide, document])
def test_a_file_that_keeps_the_rules_has_no_finding(tmp_path: Path, make: Any, edition: str) -> None:
    assert found(tmp_path, make(edition=edition)) == {}


GENERAL = [
    ("GL-HEADER-MISSING", g(hospital_name=None, hospital="West")),
    ("GL-HEADER-MISSING", g(type_2_npi=None)),
    ("GL-HEADER-MISSING", g(location_name=None)),
    ("GL-HEADER-MISSING", document(type_2_npi=None)),
    ("GL-HEADER-MISSING", document(license_information={"license_number": "1"})),
    ("GL-HEADER-BLANK", g(hospital_name=" ")),
    ("GL-HEADER-BLANK", g(attester_name="")),
    ("GL-HEADER-BLANK", document(hospital_name="")),
    ("GL-DATE", g(last_updated_on="April 1, 2026")),
    ("GL-DATE", g(last_updated_on="2026-02-30")),
    ("GL-DATE", document(last_updated_on="4/1/2026")),
    ("GL-STATE", g(**{"license_number|CA": None, "license_number|XX": "1"})),
    ("GL-STATE", document(license_information={"license_number": "1", "state": "Ca"})),
    ("GL-PLACEHOLDER", g(**{"license_number|CA": None, "license_number|[state]": "1"})),
    ("GL-UNKNOWN-VERSION", g(version="4.1")),
    ("GL-UNKNOWN-VERSION", document(version="1.0.0")),
    ("GL-VERSION-MISMATCH", g(version="2.0.0")),
    ("GL-VERSION-MISMATCH", document(version="2.2.0")),
    ("GL-ATTESTATION-FALSE", g(**{next(k for k in general("3.0") if k.startswith("To the")): "FALSE"})),
    ("GL-ATTESTATION-VALUE", g(**{next(k for k in general("3.0") if k.startswith("To the")): "Leigh"})),
    ("GL-JSON-TYPE", document(hospital_address="1 Main St")),
    ("GL-JSON-TYPE", document(hospital_name=12)),
    ("GL-EMPTY-TEXT", document(hospital_address=["1 Main St", ""])),
    ("GL-MODIFIER-INFORMATION", document(modifier_information=[{"code": "50", "description": "twice"}])),
    (
        "GL-MODIFIER-SETTING",
        document(
            modifier_information=[
                {
                    "code": "50",
                    "description": "twice",
                    "setting": "all",
                    "modifier_payer_information": [{"payer_name": "A", "plan_name": "B", "description": "C"}],
                }
            ]
        ),
    ),
    ("GL-HEADER-ROW", g().replace("\ndescription", "\n\ndescription")),
    ("GL-DELIMITER", tall(tall_record(), delimiter=";")),
]
COLUMNS = [
    ("GL-COLUMN-MISSING", tall(columns={"standard_charge|max": ""})),
    ("GL-COLUMN-MISSING", tall(columns={"90th_percentile": ""})),
    ("GL-COLUMN-MISSING", tall(columns={"code|1|type": "code_type"})),
    ("GL-COLUMN-MISSING", wide(columns={"count|Aetna|PPO": ""})),
    ("GL-COLUMN-MISSING", tall(edition="2.2", columns={"drug_unit_of_measurement": ""})),
    ("GL-LAYOUT", tall(tall_record() | {"standard_charge|Aetna|PPO|negotiated_dollar": "1"})),
    ("GL-LAYOUT", tall(columns={"payer_name": "", "plan_name": ""})),
    ("GL-DUPLICATE-COLUMN", tall().replace(",setting,", ",setting,setting,").replace(",outpatient,", ",outpatient,,")),
    ("GL-HEADER-ALIAS", tall(columns={"modifiers": "modifier"})),
    ("GL-HEADER-ALIAS", tall(columns={"payer_name": "payer name"})),
    ("GL-HEADER-NO-PLAN", wide().replace("|Aetna|PPO", "|Aetna")),
    ("GL-ESTIMATE-IN-3", tall(tall_record() | {"estimated_amount": ""})),
    ("GL-ESTIMATE-IN-3", jp(estimated_amount=7)),
]
VALUES = [
    ("GL-ZERO-AMOUNT", t(**{"standard_charge|gross": "0"})),
    ("GL-ZERO-AMOUNT", j(charge(gross_charge=0))),
    ("GL-NEGATIVE", t(**{"standard_charge|discounted_cash": "-1"})),
    ("GL-CURRENCY-TEXT", t(**{"standard_charge|gross": "$100"})),
    ("GL-BAD-NUMBER", t(**{"standard_charge|gross": "call us"})),
    ("GL-NULL-TOKEN", t(**{"standard_charge|gross": "N/A"})),
    ("GL-NULL-TOKEN", w(**{"standard_charge|gross": "-"})),
    ("GL-SENTINEL-NINE-NINES", t("2.2", **PERCENT, estimated_amount="999999999")),
    ("GL-NUMBER-TEXT", j(charge(gross_charge="100"))),
    (
        "GL-JSON-TYPE",
        jp(standard_charge_percentage=7, median_amount=1, **{"10th_percentile": 1, "90th_percentile": 1}, count=12),
    ),
    ("GL-EMPTY-TEXT", jp(additional_payer_notes="")),
    ("GL-EMPTY-TEXT", j(charge(additional_generic_notes=" "))),
    ("GL-UNKNOWN-SETTING", t(setting="home")),
    ("GL-SPELLING", t(setting="IP")),
    ("GL-SPELLING", j(charge(setting="Outpatient"))),
    ("GL-SPELLING", jp(methodology="Fee Schedule")),
    ("GL-SPELLING", j(code_information=[{"code": "70551", "type": "cpt"}])),
    ("GL-DRUG-TYPE", j(drug_information={"unit": 1, "type": "un"})),
    ("GL-SPELLING", t(**{METHOD: "fee-schedule"})),
    ("GL-UNKNOWN-METHODOLOGY", t(**{METHOD: "bundle"})),
    ("GL-UNKNOWN-BILLING-CLASS", tall(tall_record() | {"billing_class": "hospital"})),
    ("GL-UNKNOWN-CODE-TYPE", t(**{"code|1|type": "CODE"})),
    ("GL-CODE-TYPE-3", t("2.2", **{"code|1|type": "CMG"})),
    ("GL-COUNT-FORMAT", t(**PERCENT, **COUNTED | {"count": "7"})),
    ("GL-COUNT-FORMAT", t(**PERCENT, **COUNTED | {"count": "1,200"})),
    ("GL-COUNT-FORMAT", t(**PERCENT, **COUNTED | {"count": "1-10"})),
    ("GL-BAD-COUNT", t(**PERCENT, **COUNTED | {"count": "few"})),
    ("GL-DRUG-TYPE", t(drug_unit_of_measurement="1", drug_type_of_measurement="MG")),
    ("GL-DRUG-UNIT-TEXT", j(drug_information={"unit": "1", "type": "UN"})),
    ("GL-DRUG-UNIT-NUMBER", j(edition="2.2", drug_information={"unit": 1, "type": "UN"})),
    ("GL-DESCRIPTION-MISSING", t(description="")),
    ("GL-DESCRIPTION-MISSING", j(charge(), charge(setting="inpatient"), description=None)),
    ("GL-SETTING-MISSING", t(setting="")),
    ("GL-SETTING-MISSING", j(charge(setting=None))),
    ("GL-NO-PAYER-CHARGES", j(charge(payers_information=None))),
]
CONDITIONAL = [
    ("GL-PAYER-MISSING", t(payer_name="")),
    ("GL-PAYER-MISSING", jp(payer_name=None)),
    ("GL-PLAN-MISSING", t(plan_name="")),
    ("GL-PLAN-MISSING", jp(plan_name="")),
    ("GL-METHODOLOGY-MISSING", t(**{METHOD: ""})),
    ("GL-METHODOLOGY-MISSING", w(**of_wide(methodology=""))),
    ("GL-METHODOLOGY-MISSING", jp(methodology=None)),
    ("GL-CODE-MISSING", t(**{"code|1": "", "code|1|type": ""})),
    ("GL-CODE-MISSING", j(code_information=None)),
    ("GL-CODE-WITHOUT-TYPE", t(**{"code|1|type": ""})),
    ("GL-TYPE-WITHOUT-CODE", t(**{"code|1": ""})),
    ("GL-TYPE-WITHOUT-CODE", j(code_information=[{"code": "70551", "type": "CPT"}, {"type": "RC"}])),
    ("GL-OTHER-WITHOUT-NOTES", t(**{METHOD: "Other"})),
    ("GL-OTHER-WITHOUT-NOTES", w(**of_wide(methodology="other"), additional_generic_notes="of no payer")),
    ("GL-OTHER-WITHOUT-NOTES", jp(methodology="other")),
    ("GL-ITEM-WITHOUT-CHARGE", w(**dict.fromkeys(("standard_charge|gross", "standard_charge|discounted_cash"), ""),
                                 **of_wide(negotiated_dollar="", methodology=""))),
    ("GL-DOLLAR-WITHOUT-MIN-MAX", t(**{"standard_charge|min": ""})),
    ("GL-DOLLAR-WITHOUT-MIN-MAX", w(**{"standard_charge|max": ""})),
    ("GL-DOLLAR-WITHOUT-MIN-MAX", j(charge(minimum=None))),
    ("GL-ESTIMATE-MISSING", t("2.2", **PERCENT)),
    ("GL-ESTIMATE-MISSING", w("2.2", **of_wide(negotiated_dollar="", negotiated_algorithm="x"))),
    ("GL-ESTIMATE-MISSING", jp("2.2", standard_charge_dollar=None, standard_charge_algorithm="x")),
    ("GL-NDC-WITHOUT-DRUG", t(**{"code|1|type": "NDC"})),
    ("GL-NDC-WITHOUT-DRUG", j(edition="2.2", code_information=[{"code": "10135-0729-62", "type": "NDC"}])),
    ("GL-DRUG-PAIR", t(drug_unit_of_measurement="1")),
    ("GL-DRUG-PAIR", t(drug_type_of_measurement="UN")),
    ("GL-COUNT-MISSING", t(**PERCENT, **COUNTED | {"count": ""})),
    ("GL-MEDIAN-MISSING", t(**PERCENT, **COUNTED | {"median_amount": ""})),
    ("GL-P10-MISSING", t(**PERCENT, **COUNTED | {"10th_percentile": ""})),
    ("GL-P90-MISSING", t(**PERCENT, **COUNTED | {"90th_percentile": ""})),
    ("GL-ZERO-COUNT-WITHOUT-NOTES", t(**PERCENT, count="0")),
    ("GL-PAYER-WITHOUT-CHARGE", t(**{DOLLAR: ""})),
    ("GL-PAYER-WITHOUT-CHARGE", jp(standard_charge_dollar=None)),
]  # fmt: skip
WHOLE = [
    ("GL-NO-ITEMS", tall().rpartition("\nMRI")[0] + "\n"),
    ("GL-SECTION", tall(tall_record()) + tall(tall_record())),
    ("GL-MODIFIER-EMPTY", tall(tall_record(), tall_record(**MODIFIER))),
    ("GL-MODIFIER-EMPTY", wide(wide_record(), wide_record(**{k: v for k, v in MODIFIER.items() if k in wide_record()},
                                                          **of_wide(negotiated_dollar="", methodology="")))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [*GENERAL, *COLUMNS, *VALUES, *CONDITIONAL, *WHOLE])
def test_a_broken_rule_is_found_and_nothing_else(tmp_path: Path, code: str, text: str) -> None:
    told = found(tmp_path, text)
    assert set(told) - COMPANIONS.get(code, set()) == {code}
    assert told[code] == 1


# What cannot be broken alone.
COMPANIONS = {
    "GL-LAYOUT": {"GL-UNKNOWN-COLUMN", "GL-COLUMN-MISSING"},
    "GL-ITEM-WITHOUT-CHARGE": {"GL-NO-PAYER-CHARGES"},
    "GL-PAYER-WITHOUT-CHARGE": {"GL-NO-PAYER-CHARGES"},
}
ELSEWHERE = {"GL-FILE-NAME", "GL-FILE-FORMAT", "GL-NOT-TEMPLATE", "GL-ATTESTATION-TEXT"}  # tested below, and in e2e


def test_every_rule_of_the_book_has_a_file_that_breaks_it() -> None:
    tried = {code for code, _ in (*GENERAL, *COLUMNS, *VALUES, *CONDITIONAL, *WHOLE)}
    assert {rule.code for rule in CMS_RULES if rule.source != "Glimmr"} - tried == ELSEWHERE


def test_every_rule_says_what_and_whose_it_is() -> None:
    for code, rule in RULES.items():
        assert code == rule.code
        assert code.startswith("GL-")
        assert rule.severity in {"error", "warning", "info"}
        assert rule.text
        assert rule.source
        assert {rule.since, rule.until} <= {None, *EDITIONS}


def test_another_attestation_than_cms_has_is_told_and_so_is_the_affirmation_of_2(tmp_path: Path) -> None:
    sentence = next(name for name in general("3.0") if name.startswith("To the"))
    other = g(**{sentence: None, sentence.replace("true, accurate", "fairly accurate"): "true"})
    assert found(tmp_path / "a", other) == {"GL-ATTESTATION-TEXT": 1}
    old = next(name for name in general("2.2") if name.startswith("To the"))
    assert found(tmp_path / "b", g(**{sentence: None, old: "true"})) == {"GL-ATTESTATION-TEXT": 1}


@pytest.mark.parametrize(
    "text",
    [
        g(last_updated_on="4/1/2026"),
        g(**{"license_number|CA": None, "LICENSE_NUMBER | ca": ""}),
        t(setting=" Both ", **{METHOD: "Fee Schedule", "code|1|type": "cpt"}),
        t(**PERCENT, **COUNTED | {"count": "1 through 10"}),
        t(**PERCENT, count="0", additional_generic_notes="no claims"),
        t(**{METHOD: "other"}, additional_generic_notes="see contract"),
        t("2.2", **PERCENT, estimated_amount="55.5"),
        w(**of_wide(methodology="other"), **{"additional_payer_notes|Aetna|PPO": "see contract"}),
        wide(wide_record(), wide_record(**of_wide(negotiated_dollar="", methodology=""))),
        t(**{"code|1|type": "NDC"}, drug_unit_of_measurement="1", drug_type_of_measurement="un"),
        t(**{"code|1|type": "MS-LTC-DRG"}),
        tall(tall_record(), tall_record(**MODIFIER | {"additional_generic_notes": "half"})),
        tall(tall_record(), tall_record(**MODIFIER | {"standard_charge|negotiated_percentage": "50"})),
        document(location_name=["West"], modifier_information=None),
        jp("2.2", additional_payer_notes=""),
    ],
)
def test_what_cms_allows_is_no_finding(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == {}


@pytest.mark.parametrize(
    ("text", "code", "cell"),
    [
        (t(**PERCENT, **COUNTED | {"90th_percentile": ""}), "GL-P90-MISSING", ("R4C20", "90th_percentile", None)),
        (t(setting="home"), "GL-UNKNOWN-SETTING", ("R4C5", "setting", "home")),
        (t(**{"standard_charge|gross": "0"}), "GL-ZERO-AMOUNT", ("R4C8", "standard_charge|gross", "0")),
        (t(**{"standard_charge|gross": "N/A"}), "GL-NULL-TOKEN", ("R4C8", "standard_charge|gross", "N/A")),
        (t(**{METHOD: "other"}), "GL-OTHER-WITHOUT-NOTES", ("R4C22", "additional_generic_notes", None)),
        (w(**of_wide(methodology="bundle")), "GL-UNKNOWN-METHODOLOGY",
         ("R4C15", "standard_charge|Aetna|PPO|methodology", "bundle")),
        (w(**of_wide(methodology="")), "GL-METHODOLOGY-MISSING",
         ("R4C15", "standard_charge|Aetna|PPO|methodology", None)),
        (g(hospital_name=""), "GL-HEADER-BLANK", ("R2C1", "hospital_name", None)),
        (g(version="4.1"), "GL-UNKNOWN-VERSION", ("R2C3", "version", "4.1")),
        (tall(columns={"modifiers": "modifier"}), "GL-HEADER-ALIAS", ("R3C4", "modifier", None)),
        (jp(methodology="other"), "GL-OTHER-WITHOUT-NOTES",
         ("/sci/0/sc/0/p/0/additional_payer_notes", "additional_payer_notes", None)),
        (j(description=""), "GL-DESCRIPTION-MISSING", ("/sci/0/description", "description", None)),
        (jp(median_amount=0), "GL-ZERO-AMOUNT", ("/sci/0/sc/0/p/0/median_amount", "median_amount", "0")),
    ],
)  # fmt: skip
def test_the_cell_is_told(tmp_path: Path, text: str, code: str, cell: tuple[str, str, str | None]) -> None:
    assert first(tmp_path, text, code) == cell


def test_rules_of_one_edition_never_fire_for_another(tmp_path: Path) -> None:
    percent = {"standard_charge_dollar": None, "standard_charge_percentage": 7}
    assert set(found(tmp_path / "3", jp("3.0", **percent))) == {
        "GL-COUNT-MISSING", "GL-MEDIAN-MISSING", "GL-P10-MISSING", "GL-P90-MISSING",
    }  # fmt: skip
    assert set(found(tmp_path / "2", jp("2.2", **percent))) == {"GL-ESTIMATE-MISSING"}
    early = document(item(charge(payer(**percent))), edition="2.2", version="2.0.0", last_updated_on="2024-07-01")
    assert found(tmp_path / "1", early) == {}


def test_a_file_of_2025_needs_what_came_with_2_2_whatever_its_version_says(tmp_path: Path) -> None:
    left_out = {"drug_unit_of_measurement": "", "drug_type_of_measurement": "", "modifiers": "", "estimated_amount": ""}
    text = tall(edition="2.2", columns=left_out)
    assert found(tmp_path / "new", text) == {"GL-COLUMN-MISSING": 4}
    assert found(tmp_path / "old", text.replace("2026-04-01", "2024-12-31")) == {}


def test_the_array_may_come_before_the_version(tmp_path: Path) -> None:
    text = jp(methodology="other", standard_charge_percentage=7, count="12")
    head, _, items = text.rpartition(', "standard_charge_information"')
    turned = '{"standard_charge_information"' + items[:-1] + ", " + head[1:] + "}"
    assert found(tmp_path / "a", turned) == found(tmp_path / "b", text)
    assert "GL-MEDIAN-MISSING" in found(tmp_path / "c", turned, block_bytes=64)


@pytest.mark.parametrize("block_bytes", [1, 64, 1000, 4 * 2**20])
def test_a_charge_that_goes_on_in_the_next_batch_is_judged_as_one(tmp_path: Path, block_bytes: int) -> None:
    bare = {**NO_PRICE, "standard_charge|min": "", "standard_charge|max": "", "setting": ""}
    payers = [tall_record(**bare | {"payer_name": f"P{n}", DOLLAR: "7" if n % 2 else ""}) for n in range(10)]
    modifiers = [tall_record(**MODIFIER | {"payer_name": f"P{n}", "plan_name": "X", DOLLAR: ""}) for n in range(6)]
    told = found(tmp_path, tall(tall_record(), *payers, *modifiers, tall_record()), block_bytes=block_bytes)
    assert told == {
        "GL-SETTING-MISSING": 10,  # every record of the charge
        "GL-ITEM-WITHOUT-CHARGE": 5,  # those without a dollar
        "GL-PAYER-WITHOUT-CHARGE": 5,
        "GL-DOLLAR-WITHOUT-MIN-MAX": 5,  # those with one
        "GL-MODIFIER-EMPTY": 6,
    }


def test_counts_have_no_cap_and_examples_are_few(tmp_path: Path) -> None:
    text = tall(*(tall_record(description=f"Item {n}", setting="home") for n in range(3000)))
    assert found(tmp_path, text) == {"GL-UNKNOWN-SETTING": 3000}


def test_a_short_row_is_told_once_for_its_record(tmp_path: Path) -> None:
    text = wide(wide_record(), wide_record()).rstrip("\n").removesuffix(",") + "\n"
    assert found(tmp_path / "wide", text) == {"GL-SHORT-ROW": 1}
    records = tall(tall_record(), tall_record(payer_name="Cigna"), tall_record(payer_name="Humana"))
    lines = records.rstrip("\n").split("\n")
    cut = "\n".join([*lines[:-2], lines[-2].removesuffix(","), lines[-1].removesuffix(",")]) + "\n"
    assert found(tmp_path / "tall", cut) == {"GL-SHORT-ROW": 2}


def test_a_table_that_is_not_cms_s_gets_one_finding_and_no_rule(tmp_path: Path) -> None:
    text = (
        "Charge Code,Description,Price\n" + "".join(f"{n},Thing {n},{n}.50\n" for n in range(1, 30)) + "30,Gift,0.00\n"
    )
    assert found(tmp_path, text) == {"GL-NOT-TEMPLATE": 1}


def test_a_broken_header_does_not_hide_the_rows(tmp_path: Path) -> None:
    text = tall(tall_record(setting="home"), columns={"description": "describe", "standard_charge|min": ""})
    text = text.replace("hospital_name", "hospital").replace("2026-04-01", "soon")
    assert found(tmp_path, text) == {
        "GL-HEADER-MISSING": 1,
        "GL-DATE": 1,
        "GL-COLUMN-MISSING": 2,
        "GL-UNKNOWN-SETTING": 1,
    }


def test_a_missing_comma_around_the_table_is_told(tmp_path: Path) -> None:
    text = document()
    assert found(tmp_path / "a", text.replace('"West Mercy", ', '"West Mercy" ', 1)) == {"GL-JSON-BROKEN": 1}
    assert found(tmp_path / "b", text.replace('"West Mercy", ', '"West Mercy",, ', 1)) == {"GL-JSON-BROKEN": 1}
    assert found(tmp_path / "c", text[:-1] + ",}") == {"GL-JSON-BROKEN": 1}


@pytest.mark.parametrize("block_bytes", [2000, 4 * 2**20])
def test_records_of_one_charge_are_shown_one_by_one_with_their_cells(tmp_path: Path, block_bytes: int) -> None:
    record = tall_record(setting="home", description="", **{"code|1|type": "CODE", "standard_charge|gross": "-5"})
    got = read(tmp_path, tall(*[record] * 300), block_bytes=block_bytes)
    columns = {
        "GL-NEGATIVE": ("standard_charge|gross", "-5"),
        "GL-UNKNOWN-CODE-TYPE": ("code|1|type", "CODE"),
        "GL-UNKNOWN-SETTING": ("setting", "home"),
        "GL-DESCRIPTION-MISSING": ("description", None),
    }
    header = [*record]
    for finding in got.member.findings:
        if finding.code in columns:
            name, value = columns.pop(finding.code)
            cells = [f"R{number}C{header.index(name) + 1}" for number in range(4, 9)]
            assert finding.count == 300
            assert [(e.position, e.field, e.value) for e in finding.examples] == [(c, name, value) for c in cells]
    assert not columns


def test_an_unknown_code_type_is_shown_in_its_own_column(tmp_path: Path) -> None:
    codes = {"code|1": "", "code|1|type": "", "code|2": "x", "code|2|type": "CPT", "code|3": "y", "code|3|type": "ODD"}
    got = read(tmp_path, tall(tall_record(**codes)))
    (finding,) = [f for f in got.member.findings if f.code == "GL-UNKNOWN-CODE-TYPE"]
    (example,) = finding.examples
    assert (example.field, example.value) == ("code|3|type", "ODD")
    assert example.position == f"R4C{[*tall_record(**codes)].index('code|3|type') + 1}"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("{}", ["hospital_name", "last_updated_on", "version", "hospital_location", "hospital_address",
                "license_information", "affirmation"]),
        ('{"hospital_name": "West Mercy", "version": "3.0.0", "location_name": ["West"]}',
         ["last_updated_on", "hospital_address", "type_2_npi", "license_information", "attestation"]),
        ("Nothing here\nthat has a price.\n", None),
    ],
)  # fmt: skip
def test_a_file_without_items_says_what_is_missing(tmp_path: Path, text: str, missing: list[str] | None) -> None:
    got = read(tmp_path, text)
    assert got.report.outcome == "no_price_table"
    errors = {f.code: f.count for f in got.member.findings if f.severity == "error"}
    assert errors == {"GL-NO-ITEMS": 1} | ({"GL-HEADER-MISSING": len(missing)} if missing else {})
    shown = [e.field for f in got.member.findings if f.code == "GL-HEADER-MISSING" for e in f.examples]
    assert shown == (missing or [])[:5]
