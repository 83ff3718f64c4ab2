"""Small price lists as the parser leaves them, made of plain values."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.price_table import CHARGES, RATES, schema


def file_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def charge(
    code: str = "99213", code_type: str = "CPT", rates: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A charge with its rates under `_rates`."""
    return {
        "records": 1,
        "description": f"item {code}",
        "code": code,
        "code_type": code_type,
        "codes": [{"code": code, "type": code_type}],
        "hcpcs": code if code_type in {"CPT", "HCPCS"} else None,
        "ms_drg": code if code_type == "MS-DRG" else None,
        "setting": "outpatient",
        "gross_charge": Decimal("100.5"),
        "flags": [],
        **more,
        "_rates": list(rates),
    }


def rate(payer: str = "Aetna", dollar: str | None = "80", **more: Any) -> dict[str, Any]:
    return {
        "payer_name": payer,
        "plan_name": "PPO",
        "negotiated_dollar": Decimal(dollar) if dollar else None,
        "methodology": "fee schedule",
        "flags": [],
        **more,
    }


def write_price_list(folder: Path, of: str, charges: Sequence[dict[str, Any]]) -> Path:
    """charges.parquet and, when there are any, rates.parquet in `folder`; ids and positions are given out here."""
    folder.mkdir(parents=True, exist_ok=True)
    left: list[dict[str, Any]] = []
    right: list[dict[str, Any]] = []
    for number, one in enumerate(charges):
        own = {"file_id": of, "charge_id": number, "source_pos": f"R{number + 4}", "rates": len(one["_rates"])}
        left.append({**own, **{name: value for name, value in one.items() if name != "_rates"}})
        for term in one["_rates"]:
            place = {"file_id": of, "charge_id": number, "rate_id": len(right), "source_pos": f"R{number + 4}C9"}
            right.append({**place, **term})
    pq.write_table(pa.Table.from_pylist(left, schema=schema(CHARGES)), folder / "charges.parquet", row_group_size=50)
    if right:
        pq.write_table(pa.Table.from_pylist(right, schema=schema(RATES)), folder / "rates.parquet", row_group_size=70)
    return folder


def file_row(of: str, charges: Sequence[dict[str, Any]], parser_version: str = "1", **more: Any) -> dict[str, Any]:
    """The row of `files` for a price list."""
    return {
        "file_id": of,
        "url": f"https://h.example/{of[:6]}.csv",
        "format": "csv",
        "template_version": "2.0.0",
        "hospital_name": "General",
        "last_updated_on": "2025-07-01",
        "fetched_at": "2025-08-01T10:00:00+00:00",
        "charges": len(charges),
        "rates": sum(len(one["_rates"]) for one in charges),
        "parser_version": parser_version,
        **more,
    }


def hospital_row(hospital_id: str = "470001", **more: Any) -> dict[str, Any]:
    """A row of `file_hospitals`."""
    return {
        "hospital_id": hospital_id,
        "ccn": hospital_id,
        "name": f"Hospital {hospital_id}",
        "city": "Burlington",
        "state": "VT",
        "zip": "05401",
        "current": True,
        **more,
    }
