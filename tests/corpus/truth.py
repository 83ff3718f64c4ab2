"""What was counted in a real price file by hand (TRUTH.jsonl), counted again in what we read of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glimmr.model import FileReport, MemberReport

Metrics = dict[str, Any]

AMOUNTS = {"gross": "gross_charge", "cash": "discounted_cash", "minimum": "min_negotiated", "maximum": "max_negotiated"}
# The truth of a legacy file counts only the code columns that its definition names; we keep every code column. The
# types under which the named columns are found among the others, where there are others:
TYPES_OF_COLUMN = {
    "CPTHCPCSCodes": {"CPT", "HCPCS"},
    "NDC": {"NDC"},
} | {
    name: {"CDM"}
    for name in ("Mnemonic", "Epic Charge Code ID", "Px Code", "CHARGE CODE/PACKAGE", "ID", "PROCEDURE", "Item No.")
}
# This file's truth names no columns: it counts `Charge Code` and `CPT Code`, and not `Revenue Code` (of its 62 codes 54
# stand in neither of the others).
TYPES_OF_FILE = {"dcdd9e13": {"CDM", "CPT", "HCPCS"}}
# `negotiated_columns` are those of the header; so many of them hold nothing but N/A and have no rate.
COLUMNS_WITHOUT_A_RATE = {"964d5034": 71}


@dataclass(frozen=True)
class Found:
    """What was read of the part of a file that its truth speaks of."""

    sha256: str
    definition: dict[str, Any]
    report: FileReport
    member: MemberReport
    charges: pa.Table
    rates: pa.Table | None
    columns: tuple[str, ...]

    def payers(self, *names: str) -> set[tuple[Any, ...]]:
        """Distinct values of columns of `rates`."""
        assert self.rates is not None
        return set(zip(*(self.rates[name].to_pylist() for name in names), strict=True))


def found(
    entry: dict[str, Any], report: FileReport, charges: pa.Table, rates: pa.Table | None, columns: tuple[str, ...]
) -> Found:
    """Where the truth names a member or sheet, its charges; else those of the only member with any."""
    truth = entry["metrics"]
    members = [member for member in report.members if member.charges]
    if "member" in truth:
        name = "!".join(filter(None, (truth["member"], truth.get("sheet"))))
        charges = charges.filter(pc.equal(charges["member"], name))
        members = [member for member in members if member.member == name]
    (member,) = members
    return Found(entry["sha256"], entry["definition"], report, member, charges, rates, columns)


def differences(truth: Metrics, got: Found) -> Iterator[str]:
    """Every metric that is not what the truth says."""
    for name, due in truth.items():
        if name in ABOUT_THE_TRUTH:
            continue
        said = METRICS[name](got, due)
        if said is not True:
            yield f"{name}: {said} instead of {due}"


def _amounts(column: str) -> Callable[[Found, Metrics], Any]:
    """Amounts of charges. The tall layout repeats them in every record, and the truth counts each."""

    def compare(got: Found, due: Metrics) -> Any:
        times = np.repeat(np.arange(got.charges.num_rows), got.charges["records"].to_numpy())
        return same(got.charges[column].take(pa.array(times)), due)

    return compare


def _rates(column: str) -> Callable[[Found, Metrics], Any]:
    def compare(got: Found, due: Metrics) -> Any:
        values = pa.chunked_array([], pa.decimal128(18, 6)) if got.rates is None else got.rates[column]
        return same(values, due)

    return compare


def same(values: pa.ChunkedArray, due: Metrics) -> Any:
    """True, or what was found. A sum over binary floats of a workbook differs a little; the truth says how much may.

    The least and largest are exact: the published text rounded half-even to 6 places, as amounts are.
    """
    told = {
        "n": len(values) - values.null_count,
        "n_zero": pc.sum(pc.equal(values, Decimal(0))).as_py() or 0,
        "sum": pc.sum(values.cast(pa.decimal128(38, 6))).as_py() or Decimal(0),
        "min": pc.min(values).as_py(),
        "max": pc.max(values).as_py(),
    }
    total = Decimal(due["sum"])
    is_same = (
        (told["n"], told["n_zero"]) == (due["n"], due["n_zero"])
        and abs(told["sum"] - total) <= max(Decimal("0.01"), abs(total) * Decimal("1e-9"))
        and all(told[end] == (due[end] and Decimal(due[end]).quantize(Decimal("1e-6"))) for end in ("min", "max"))
    )
    return is_same or told


def _count(values: Callable[[Found], int]) -> Callable[[Found, int], Any]:
    def compare(got: Found, due: int) -> Any:
        count = values(got)
        return count == due or count

    return compare


def _codes(got: Found) -> int:
    """Distinct codes of the columns that the truth counts."""
    named = (got.definition["columns"] or {}).get("code", ())
    types = next((TYPES_OF_COLUMN[name] for name in named if name in TYPES_OF_COLUMN), None)
    types = TYPES_OF_FILE.get(got.sha256[:8], types)
    return len({code for code, kind in _pairs(got) if types is None or kind in types})


def _pairs(got: Found) -> set[tuple[str, str]]:
    pairs = got.charges["codes"].combine_chunks().flatten()
    both = zip(pairs.field("code").to_pylist(), pairs.field("type").to_pylist(), strict=True)
    return {pair for pair in both if pair[0] is not None}


def _payer_plans(got: Found) -> int:
    """Distinct pairs; in a wide file only of groups with a dollar, percentage or algorithm."""
    plans = got
    if got.member.layout == "wide" and got.rates is not None:
        filled = [pc.is_valid(got.rates[f"negotiated_{name}"]) for name in ("dollar", "percentage", "algorithm")]
        plans = Found(**vars(got) | {"rates": got.rates.filter(pc.or_(pc.or_(filled[0], filled[1]), filled[2]))})
    return len(plans.payers("payer_name", "plan_name") - {(None, None)})


def _distinct_items(got: Found) -> dict[tuple[Any, ...], Decimal | None]:
    """Distinct tuples of all that is not the payer's, without the notes; and the gross charge of each."""
    rows = got.charges.select(
        ["description", "codes", "modifiers", "setting", "billing_class", "drug_unit", "drug_type", *AMOUNTS.values()]
    ).to_pylist()
    return {tuple(map(repr, row.values())): row["gross_charge"] for row in rows}


def _over_distinct_items(got: Found, due: Metrics) -> Any:
    return same(pa.chunked_array([list(_distinct_items(got).values())], pa.decimal128(18, 6)), due)


def _text(values: Callable[[Found], str]) -> Callable[[Found, str], Any]:
    def compare(got: Found, due: str) -> Any:
        return values(got) == due or values(got)

    return compare


def _header(got: Found, due: dict[str, str]) -> Any:
    """What the file says of itself; dates are ISO with us and as published in the truth."""
    header = got.member.header
    date = due["last_updated_on"]
    iso = datetime.strptime(date, "%m/%d/%Y").date().isoformat() if "/" in date else date  # noqa: DTZ007 - only a date
    return (header.hospital_name, header.last_updated_on, header.version) == (
        due["hospital_name"],
        iso,
        due["version"],
    ) or header


def _plans_of_header(got: Found) -> set[tuple[str, ...]]:
    """The payer-plans that the columns of a wide table name, or payers alone."""
    parts = [[part.strip() for part in name.split("|")] for name in got.columns]
    return {
        tuple(name[1:-1])
        for name in parts
        if name[0] == "standard_charge" and name[-1].startswith("negotiated_") and len(name) > 2
    }


def _filled_columns(got: Found, due: int) -> Any:
    """A column of a legacy table that has rates: the C of `R12C34`."""
    count = len({place.rpartition("C")[2] for (place,) in got.payers("source_pos")})
    return count == due - COLUMNS_WITHOUT_A_RATE.get(got.sha256[:8], 0) or count


def _of_width(got: Found) -> int:
    return sum(bool({"short_row", "long_row"} & set(flags)) for flags in got.charges["flags"].to_pylist())


# Which part of the file is meant.
ABOUT_THE_TRUTH = {"member", "sheet"}
METRICS: dict[str, Callable[[Found, Any], Any]] = {
    "item_rows": _count(lambda got: got.member.items_out),  # the truth leaves out lines of totals, which are rejected
    "layout": _text(lambda got: str(got.member.layout)),
    **{name: _amounts(column) for name, column in AMOUNTS.items()},
    "negotiated_dollar": _rates("negotiated_dollar"),
    "negotiated_percentage": _rates("negotiated_percentage"),
    "negotiated_algorithm_n": _count(
        lambda got: len(got.rates) - got.rates["negotiated_algorithm"].null_count if got.rates else 0
    ),
    "distinct_codes": _count(_codes),
    "distinct_code_pairs": _count(lambda got: len(_pairs(got))),
    "payer_plan": _count(_payer_plans),
    "distinct_payers": _count(lambda got: len(got.payers("payer_name") - {(None,)})),
    "payer_keys": lambda got, due: sorted(name for (name,) in got.payers("payer_name")) == due,
    "distinct_items": _count(lambda got: len(_distinct_items(got))),
    "gross_over_distinct_items": _over_distinct_items,
    "charge_rows": _count(lambda got: got.charges.num_rows),
    "payer_entries": _count(lambda got: got.rates.num_rows if got.rates else 0),
    "first_description": _text(lambda got: got.charges["description"][0].as_py()),
    "last_description": _text(lambda got: got.charges["description"][-1].as_py()),
    "meta": _header,
    "preamble_rows": _count(lambda got: (got.member.header_row or 0) - 1),
    # The truth names the codec it opened the file with, which drops a BOM where there is one.
    "encoding_used": lambda got, due: str(got.member.encoding).removesuffix("-sig") == due.removesuffix("-sig"),
    "columns": _count(lambda got: len(got.columns)),
    "records_with_wrong_width": _count(_of_width),
    "payer_plan_columns": _count(lambda got: len(_plans_of_header(got))),
    "payer_columns_without_plan": _count(lambda got: sum(len(plan) == 1 for plan in _plans_of_header(got))),
    "negotiated_columns": _filled_columns,
}
