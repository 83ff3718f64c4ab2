"""Generated price files of any size: the same content as JSON, tall CSV or wide CSV, a pure function of the seed."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PLANS = [(f"Payer {p} Health", plan) for p in range(14) for plan in ("PPO", "HMO", "Medicare Advantage")][:40]
WORDS = [
    "CATHETER,GUIDE",
    "WIRE",
    "STENT",
    "IMPLANT",
    "SCREW",
    "CORTICAL",
    "MRI",
    "BRAIN",
    "W/O",
    "CONTRAST",
    "LAB",
    "PANEL",
    "METABOLIC",
    "ROOM",
    "BOARD",
]
METHODS = ["fee schedule", "case rate", "percent of total billed charges", "per diem"]
ITEM = [
    "description",
    "code|1",
    "code|1|type",
    "code|2",
    "code|2|type",
    "setting",
    "billing_class",
    "drug_unit_of_measurement",
    "drug_type_of_measurement",
    "modifiers",
    "standard_charge|gross",
    "standard_charge|discounted_cash",
    "standard_charge|min",
    "standard_charge|max",
]
TALL = [
    "payer_name",
    "plan_name",
    "standard_charge|negotiated_dollar",
    "standard_charge|negotiated_percentage",
    "standard_charge|negotiated_algorithm",
    "standard_charge|methodology",
    "median_amount",
    "10th_percentile",
    "90th_percentile",
    "count",
    "additional_generic_notes",
]
HEAD = [
    ["hospital_name", "last_updated_on", "version", "location_name", "hospital_address", "license_number|TX"],
    ["Bench General Hospital", "2026-04-01", "3.0.0", "Bench General", "1 Main St, Austin, TX", "1234"],
]


def items(seed: int) -> Iterator[dict[str, Any]]:
    """Endless items with a charge and some payers each."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        gross = round(chance.lognormvariate(5, 1.5), 2)
        payers = []
        for payer, plan in chance.sample(PLANS, chance.randint(0, 20)):
            dollar = round(gross * chance.uniform(0.2, 0.9), chance.choice((2, 2, 2, 4)))
            count = chance.choice(("0", "1 through 10", "23"))
            payers.append(
                {
                    "payer_name": payer,
                    "plan_name": plan,
                    "standard_charge_dollar": dollar,
                    "methodology": chance.choice(METHODS),
                    "count": count,
                    **(
                        {"median_amount": dollar, "10th_percentile": dollar, "90th_percentile": dollar}
                        if count == "23"
                        else {}
                    ),
                    **(
                        {"additional_payer_notes": 'Paid at 140 % of OPPS, "see contract"'}
                        if chance.random() < 0.1
                        else {}
                    ),
                }
            )
        dollars = [p["standard_charge_dollar"] for p in payers]
        yield {
            "description": " ".join(chance.sample(WORDS, 5)) + f" {number}",
            "code_information": [
                {"code": str(chance.randint(10000, 99999)), "type": "CPT"},
                {"code": f"{chance.randint(1, 999):04}", "type": "RC"},
            ],
            "standard_charges": [
                {
                    "gross_charge": gross,
                    "discounted_cash": round(gross * 0.6, 2),
                    "setting": "outpatient",
                    "billing_class": "facility",
                    **({"minimum": min(dollars), "maximum": max(dollars)} if dollars else {}),
                    **({"payers_information": payers} if payers else {}),
                }
            ],
        }


def write_json(path: Path, size_bytes: int, seed: int = 1) -> None:
    """CMS JSON 3.0."""
    with path.open("w", encoding="utf-8") as file:
        head = {"hospital_name": "Bench General Hospital", "last_updated_on": "2026-04-01", "version": "3.0.0"}
        file.write(json.dumps(head)[:-1] + ', "standard_charge_information": [')
        for number, item in enumerate(items(seed)):
            file.write((",\n" if number else "") + json.dumps(item))
            if number % 100 == 0 and file.tell() > size_bytes:
                break
        file.write("]}")


def write_tall(path: Path, size_bytes: int, seed: int = 1) -> None:
    """CMS tall CSV 3.0."""
    _write_csv(path, size_bytes, seed, ITEM + TALL, _tall_rows)


def write_wide(path: Path, size_bytes: int, seed: int = 1) -> None:
    """CMS wide CSV 3.0 with 40 payer-plans."""
    header = (
        ITEM
        + [name.replace("@", f"{payer}|{plan}") for payer, plan in PLANS for name in WIDE]
        + ["additional_generic_notes"]
    )
    _write_csv(path, size_bytes, seed, header, _wide_rows)


WIDE = [
    "standard_charge|@|negotiated_dollar",
    "standard_charge|@|negotiated_percentage",
    "standard_charge|@|negotiated_algorithm",
    "standard_charge|@|methodology",
    "median_amount|@",
    "10th_percentile|@",
    "90th_percentile|@",
    "count|@",
    "additional_payer_notes|@",
]
_METRICS = [
    "standard_charge_dollar",
    "standard_charge_percentage",
    "standard_charge_algorithm",
    "methodology",
    "median_amount",
    "10th_percentile",
    "90th_percentile",
    "count",
    "additional_payer_notes",
]


def _write_csv(
    path: Path, size_bytes: int, seed: int, header: list[str], rows: Callable[[dict[str, Any]], Iterator[list[Any]]]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for record in (*HEAD, header):
            file.write(_line(record))
        for number, item in enumerate(items(seed)):
            file.writelines(_line(row) for row in rows(item))
            if number % 100 == 0 and file.tell() > size_bytes:
                break


def _line(cells: list[Any]) -> str:
    texts = [str(cell) for cell in cells]
    return ",".join('"' + t.replace('"', '""') + '"' if "," in t or '"' in t else t for t in texts) + "\n"


def _item_cells(item: dict[str, Any]) -> list[Any]:
    charge = item["standard_charges"][0]
    codes = [cell for code in item["code_information"] for cell in (code["code"], code["type"])]
    prices = [charge.get(key, "") for key in ("gross_charge", "discounted_cash", "minimum", "maximum")]
    return [item["description"], *codes, charge["setting"], charge["billing_class"], "", "", "", *prices]


def _tall_rows(item: dict[str, Any]) -> Iterator[list[Any]]:
    start = _item_cells(item)
    payers = item["standard_charges"][0].get("payers_information", [])
    for payer in payers:
        yield start + [payer.get(key, "") for key in ("payer_name", "plan_name", *_METRICS)]
    if not payers:
        yield start + [""] * len(TALL)


def _wide_rows(item: dict[str, Any]) -> Iterator[list[Any]]:
    payers = {(p["payer_name"], p["plan_name"]): p for p in item["standard_charges"][0].get("payers_information", [])}
    cells = [payers.get(pair, {}).get(metric, "") for pair in PLANS for metric in _METRICS]
    yield [*_item_cells(item), *cells, ""]


WRITERS = {"json": write_json, "tall": write_tall, "wide": write_wide}
