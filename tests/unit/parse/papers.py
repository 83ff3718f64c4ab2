"""Small price files written by hand, and how they are read back."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glimmr.model import FileReport
from glimmr.parse import Limits, parse

PREAMBLE = (
    "hospital_name,last_updated_on,version,location_name,hospital_address,license_number|CA,"
    '"To the best of its knowledge and belief, this hospital has …",attester_name\n'
    "West Mercy,4/1/2026,3.0.0,West Mercy|East Mercy,1 Main St,50056,TRUE,Leigh\n"
)
TALL = (
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|methodology,additional_generic_notes\n"
)
WIDE = (
    "description,code|1,code|1|type,setting,standard_charge|gross,"
    "standard_charge|Aetna|PPO|negotiated_dollar,standard_charge|Aetna|PPO|methodology,additional_payer_notes|Aetna|PPO,"
    "standard_charge|Cigna|negotiated_dollar,count|Cigna,standard_charge|min\n"
)
BLOCKS = (1, 2, 3, 7, 64, 1000, 4 * 2**20)  # bytes: block boundaries everywhere


class Read:
    """A parsed file: its report and rows as dictionaries."""

    def __init__(self, report: FileReport, folder: Path) -> None:
        self.report = report
        self.charges, self.rates, self.rejects = (
            pq.read_table(folder / f"{name}.parquet").to_pylist() if (folder / f"{name}.parquet").exists() else []
            for name in ("charges", "rates", "rejects")
        )

    @property
    def ended(self) -> tuple[str, str]:
        return self.report.outcome, self.report.reason

    @property
    def member(self) -> Any:
        (member,) = self.report.members
        return member

    def findings(self) -> dict[str, int]:
        return {finding.code: finding.count for member in self.report.members for finding in member.findings}


def read(folder: Path, content: bytes | str, **limits: Any) -> Read:
    """Parse `content` in `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / "paper"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    to = folder / "out"
    return Read(parse(path, to, limits=Limits(**limits)), to)


def document(items: list[Any], **root: Any) -> str:
    """A CMS JSON document."""
    head = {"hospital_name": "West Mercy", "last_updated_on": "2026-04-01", "version": "3.0.0"}
    return json.dumps(head | root | {"standard_charge_information": items})


def item(description: str = "MRI", *payers: dict[str, Any], **charge: Any) -> dict[str, Any]:
    """A JSON item with one charge."""
    more = {"payers_information": list(payers)} if payers else {}
    return {
        "description": description,
        "code_information": [{"code": "70551", "type": "CPT"}],
        "standard_charges": [{"setting": "outpatient", **charge, **more}],
    }


def csv_text(rows: list[list[Any]], **options: Any) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **options).writerows(rows)
    return out.getvalue()
