"""A small price table: two hospitals in Vermont, one in New Hampshire, one price list that is not current any more."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from glimmr.publish import publish
from glimmr.query import PriceTable, query
from glimmr.stores.lake import Lake
from tests.support.price_lists import charge, file_id, file_row, hospital_row, rate, write_price_list

VT, NH, OLD = file_id("vt"), file_id("nh"), file_id("old")


def put(lake: Lake, scratch: Path, of: str, charges: list[dict[str, Any]], hospitals: list[dict[str, Any]]) -> None:
    folder = write_price_list(scratch / of, of, charges)
    publish(lake, file_row(of, charges), hospitals, fence=lambda: None, folder=folder)


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Made once; no test changes it."""
    tmp_path = tmp_path_factory.mktemp("query")
    lake = Lake(tmp_path / "lake")
    by_percent = rate("Cigna", None, negotiated_percentage=Decimal("70.5"), plan_name=None, flags=["header_no_plan"])
    vermont = [
        charge(
            "99213", rates=[rate("Aetna", "80"), by_percent], flags=["header_alias"], extra=[("Room", "7"), ("a", "b")]
        ),
        charge(
            "470",
            "MS-DRG",
            setting="inpatient",
            codes=[{"code": "470", "type": "MS-DRG"}, {"code": "x1", "type": "CDM"}],
        ),
        charge("0450", "RC", rev_code="0450", gross_charge=None),
    ]
    put(lake, tmp_path, VT, vermont, [hospital_row("470001"), hospital_row("470002")])
    new_hampshire = [charge("99213", rates=[rate("Aetna", "90", estimated_amount=Decimal("91.25"))], setting="both")]
    put(lake, tmp_path, NH, new_hampshire, [hospital_row("300001", state="NH")])
    put(
        lake,
        tmp_path,
        OLD,
        [charge("99213"), charge("D0120", "CDT")],
        [hospital_row("300001", state="NH", current=False)],
    )
    return lake


@pytest.fixture(scope="package")
def table(lake: Lake) -> Iterator[PriceTable]:
    with query(lake) as opened:
        yield opened
