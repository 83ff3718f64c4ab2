"""One table written as JSON, tall CSV and wide CSV, in any container, gives the same charges and rates."""

# ruff: noqa: RUF001 - dashes and odd letters are what is tested

import gzip
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .papers import Read, csv_text, read

PLANS = [("Aetna", "PPO"), ("Cigna", "HMO"), ("Öst", "Plan, B")]
WORD = st.text(st.sampled_from(list('abé",\n–x')), min_size=1, max_size=8).filter(lambda w: w.strip() == w and w != "")
MONEY = st.one_of(st.none(), st.integers(1, 10**6), st.decimals("0.01", "99999", places=4).map(float))
PAYER = st.fixed_dictionaries(
    {
        "dollar": st.integers(1, 9999).map(lambda cents: cents / 100),
        "percentage": st.one_of(st.none(), st.integers(2, 100)),
        "methodology": st.sampled_from(["fee schedule", "case rate", "other"]),
        "count": st.sampled_from([None, "0", "1 through 10", "42"]),
        "median": MONEY,
        "notes": st.one_of(st.none(), WORD),
    }
)
ITEM = st.fixed_dictionaries(
    {
        "description": WORD,
        "code": st.sampled_from(["70551", "99213", "0394T"]),
        "setting": st.sampled_from(["inpatient", "both"]),
        "gross": MONEY,
        "cash": MONEY,
        "payers": st.dictionaries(st.sampled_from(range(3)), PAYER, max_size=3),
    }
)
TABLE = st.lists(ITEM, min_size=1, max_size=6).map(
    lambda items: [{**item, "description": f"{at} {item['description']}"} for at, item in enumerate(items)]
)
BLANK = {None: ""}


def as_json(table: list[dict[str, Any]]) -> str:
    items = []
    for row in table:
        payers = [
            {
                "payer_name": PLANS[at][0],
                "plan_name": PLANS[at][1],
                "standard_charge_dollar": p["dollar"],
                "standard_charge_percentage": p["percentage"],
                "methodology": p["methodology"],
                "count": p["count"],
                "median_amount": p["median"],
                "additional_payer_notes": p["notes"],
            }
            for at, p in sorted(row["payers"].items())
        ]
        charge = {
            "setting": row["setting"],
            "gross_charge": row["gross"],
            "discounted_cash": row["cash"],
            "payers_information": payers,
        }
        items.append(
            {
                "description": row["description"],
                "code_information": [{"code": row["code"], "type": "CPT"}],
                "standard_charges": [charge],
            }
        )
    return json.dumps(
        {
            "hospital_name": "H",
            "last_updated_on": "2026-01-01",
            "version": "3.0.0",
            "standard_charge_information": items,
        }
    )


def cells(row: dict[str, Any]) -> list[Any]:
    return [
        row["description"],
        row["code"],
        "CPT",
        row["setting"],
        *(BLANK.get(row[k], row[k]) for k in ("gross", "cash")),
    ]


def payer_cells(payer: dict[str, Any] | None) -> list[Any]:
    keys = ("dollar", "percentage", "methodology", "count", "median", "notes")
    return ["" if payer is None or payer[key] is None else payer[key] for key in keys]


ITEM_HEADER = [
    "description",
    "code|1",
    "code|1|type",
    "setting",
    "standard_charge|gross",
    "standard_charge|discounted_cash",
]


def as_tall(table: list[dict[str, Any]]) -> str:
    header = [
        *ITEM_HEADER,
        "payer_name",
        "plan_name",
        "standard_charge|negotiated_dollar",
        "standard_charge|negotiated_percentage",
        "standard_charge|methodology",
        "count",
        "median_amount",
        "additional_generic_notes",
    ]
    rows = []
    for row in table:
        rows += [[*cells(row), *PLANS[at], *payer_cells(payer)] for at, payer in sorted(row["payers"].items())]
        if not row["payers"]:
            rows.append([*cells(row), "", "", *payer_cells(None)])
    return csv_text([header, *rows])


def as_wide(table: list[dict[str, Any]]) -> str:
    header = [*ITEM_HEADER]
    for payer, plan in PLANS:
        at = f"{payer}|{plan}"
        header += [
            f"standard_charge|{at}|negotiated_dollar",
            f"standard_charge|{at}|negotiated_percentage",
            f"standard_charge|{at}|methodology",
            f"count|{at}",
            f"median_amount|{at}",
            f"additional_payer_notes|{at}",
        ]
    return csv_text(
        [header, *([*cells(row), *(c for at in range(3) for c in payer_cells(row["payers"].get(at)))] for row in table)]
    )


def said(got: Read) -> tuple[list[Any], list[Any]]:
    aside = {"file_id", "member", "source_pos", "records"}
    return tuple(
        [{k: v for k, v in row.items() if k not in aside} for row in rows] for rows in (got.charges, got.rates)
    )  # type: ignore[return-value]


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._a.csv", b"noise")
        archive.writestr("folder/a.csv", data)
    return out.getvalue()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TABLE, st.sampled_from([40, 500, 4 * 2**20]))
def test_json_tall_and_wide_say_the_same(table: list[dict[str, Any]], block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder)
        from_json = said(read(to / "j", as_json(table), block_bytes=block_bytes))
        assert said(read(to / "t", as_tall(table), block_bytes=block_bytes)) == from_json
        assert said(read(to / "w", as_wide(table), block_bytes=block_bytes)) == from_json
        assert len(from_json[0]) == len(table)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TABLE)
def test_container_and_encoding_change_nothing(table: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder)
        for text in (as_tall(table), as_json(table)):
            plain = said(read(to / "p", text))
            for data in (
                gzip.compress(text.encode()),
                zipped(text.encode("utf-8-sig")),
                gzip.compress(zipped(text.encode("utf-16"))),
                zipped(gzip.compress(text.encode())),
                text.replace("\n", "\r\n").encode() if "\\n" in text else text.encode(),
            ):
                assert said(read(to / "c", data)) == plain
