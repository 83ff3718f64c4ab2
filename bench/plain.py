"""A plain parser of the same three layouts: csv or json, Decimal, rows, pyarrow. What one would write first."""

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.price_table import CHARGES, RATES, schema

_STEP = Decimal("0.000001")
_MONEY = {"dollar": "negotiated_dollar", "percentage": "negotiated_percentage"}
_ITEM = {
    "standard_charge|gross": "gross_charge",
    "standard_charge|discounted_cash": "discounted_cash",
    "standard_charge|min": "min_negotiated",
    "standard_charge|max": "max_negotiated",
}
_PAYER = {
    "standard_charge|negotiated_dollar": "negotiated_dollar",
    "standard_charge|negotiated_percentage": "negotiated_percentage",
    "median_amount": "median_amount",
    "10th_percentile": "p10_amount",
    "90th_percentile": "p90_amount",
}
_BATCH = 50_000


def money(text: Any) -> Decimal | None:
    return None if text in {"", None} else Decimal(str(text)).quantize(_STEP)


def counts(text: str) -> dict[str, int | None]:
    if not text:
        return {"allowed_count_min": None, "allowed_count_max": None}
    low, _, high = text.partition(" through ")
    return {"allowed_count_min": int(low), "allowed_count_max": int(high or low)}


class Writer:
    """Rows as dictionaries into the two Parquet files."""

    def __init__(self, to: Path) -> None:
        self.schemas = {"charges": schema(CHARGES), "rates": schema(RATES)}
        self.writers = {
            n: pq.ParquetWriter(to / f"{n}.parquet", s, compression="zstd") for n, s in self.schemas.items()
        }
        self.waiting: dict[str, list[dict[str, Any]]] = {"charges": [], "rates": []}
        self.numbers = {"charges": 0, "rates": 0}

    def add(self, name: str, row: dict[str, Any]) -> int:
        number = self.numbers[name]
        self.numbers[name] += 1
        self.waiting[name].append({"file_id": "0" * 64, "flags": [], **row})
        if len(self.waiting[name]) >= _BATCH:
            self.flush(name)
        return number

    def flush(self, name: str) -> None:
        self.writers[name].write_table(pa.Table.from_pylist(self.waiting[name], self.schemas[name]))
        self.waiting[name] = []

    def close(self) -> None:
        for name, writer in self.writers.items():
            self.flush(name)
            writer.close()


def item_row(codes: list[dict[str, str]], **rest: Any) -> dict[str, Any]:
    by_type = {code["type"]: code["code"] for code in reversed(codes)}
    first = codes[0] if codes else {"code": None, "type": None}
    return {
        "codes": codes,
        "code": first["code"],
        "code_type": first["type"],
        "hcpcs": by_type.get("CPT"),
        "rev_code": by_type.get("RC"),
        "records": 1,
        **rest,
    }


def parse_json(path: Path, to: Path) -> None:
    writer = Writer(to)
    for number, item in enumerate(json.loads(path.read_bytes(), parse_float=Decimal)["standard_charge_information"]):
        for at, charge in enumerate(item["standard_charges"]):
            payers = charge.get("payers_information", [])
            row = item_row(
                item["code_information"],
                description=item["description"],
                setting=charge["setting"],
                billing_class=charge.get("billing_class"),
                gross_charge=money(charge.get("gross_charge")),
                discounted_cash=money(charge.get("discounted_cash")),
                min_negotiated=money(charge.get("minimum")),
                max_negotiated=money(charge.get("maximum")),
                source_pos=f"/sci/{number}/sc/{at}",
                rates=len(payers),
            )
            row["charge_id"] = writer.numbers["charges"]
            charge_id = writer.add("charges", row)
            for index, payer in enumerate(payers):
                writer.add(
                    "rates",
                    {
                        "charge_id": charge_id,
                        "rate_id": writer.numbers["rates"],
                        "source_pos": f"/sci/{number}/sc/{at}/p/{index}",
                        "payer_name": payer["payer_name"],
                        "plan_name": payer["plan_name"],
                        "methodology": payer.get("methodology"),
                        "negotiated_dollar": money(payer.get("standard_charge_dollar")),
                        "negotiated_percentage": money(payer.get("standard_charge_percentage")),
                        "negotiated_algorithm": payer.get("standard_charge_algorithm"),
                        "median_amount": money(payer.get("median_amount")),
                        "p10_amount": money(payer.get("10th_percentile")),
                        "p90_amount": money(payer.get("90th_percentile")),
                        "payer_notes": payer.get("additional_payer_notes"),
                        **counts(payer.get("count", "")),
                    },
                )
    writer.close()


def records(path: Path) -> Iterator[tuple[int, list[str], list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader), next(reader)
        header = next(reader)
        for number, record in enumerate(reader, 4):
            yield number, header, record


def csv_charge(record: dict[str, str], number: int) -> dict[str, Any]:
    codes = [{"code": record[f"code|{i}"], "type": record[f"code|{i}|type"]} for i in (1, 2) if record[f"code|{i}"]]
    amounts = {name: money(record[key]) for key, name in _ITEM.items()}
    return item_row(
        codes,
        description=record["description"],
        setting=record["setting"],
        billing_class=record["billing_class"],
        source_pos=f"R{number}",
        rates=0,
        **amounts,
    )


def parse_tall(path: Path, to: Path) -> None:
    writer = Writer(to)
    last: list[str] | None = None
    open_row: dict[str, Any] = {}
    for number, header, cells in records(path):
        record = dict(zip(header, cells, strict=True))
        own = cells[:14]
        if own != last:
            if last is not None:
                writer.add("charges", open_row)
            last = own
            open_row = csv_charge(record, number)
            open_row |= {"charge_id": writer.numbers["charges"], "records": 0}
        open_row["records"] += 1
        if any(cells[14:-1]):
            open_row["rates"] += 1
            writer.add(
                "rates",
                {
                    "charge_id": open_row["charge_id"],
                    "rate_id": writer.numbers["rates"],
                    "source_pos": f"R{number}",
                    "payer_name": record["payer_name"],
                    "plan_name": record["plan_name"],
                    "negotiated_algorithm": record["standard_charge|negotiated_algorithm"] or None,
                    "methodology": record["standard_charge|methodology"],
                    "payer_notes": record["additional_generic_notes"] or None,
                    **{name: money(record[key]) for key, name in _PAYER.items()},
                    **counts(record["count"]),
                },
            )
    writer.add("charges", open_row)
    writer.close()


def parse_wide(path: Path, to: Path) -> None:
    writer = Writer(to)
    groups: list[tuple[str, str, int]] = []
    for number, header, cells in records(path):
        if not groups:
            groups = [(*header[at].split("|")[1:3], at) for at in range(14, len(header) - 1, 9)]
        row = csv_charge(dict(zip(header[:14], cells, strict=False)), number)
        row["charge_id"] = writer.numbers["charges"]
        charge_id = writer.add("charges", row)
        for payer, plan, at in groups:
            group = cells[at : at + 9]
            if any(group):
                row["rates"] += 1
                writer.add(
                    "rates",
                    {
                        "charge_id": charge_id,
                        "rate_id": writer.numbers["rates"],
                        "source_pos": f"R{number}C{at + 1}",
                        "payer_name": payer,
                        "plan_name": plan,
                        "negotiated_dollar": money(group[0]),
                        "negotiated_percentage": money(group[1]),
                        "negotiated_algorithm": group[2] or None,
                        "methodology": group[3],
                        "median_amount": money(group[4]),
                        "p10_amount": money(group[5]),
                        "p90_amount": money(group[6]),
                        "payer_notes": group[8] or None,
                        **counts(group[7]),
                    },
                )
    writer.close()


PARSERS = {"json": parse_json, "tall": parse_tall, "wide": parse_wide}
