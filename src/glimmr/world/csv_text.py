"""Tables written as CMS's tall and wide CSV templates, every quirk of writing included."""

import csv
import io
from collections.abc import Iterable, Iterator
from functools import lru_cache
from random import Random

from glimmr.world.prices import Block, Charge, Item, Rate, Shape, payers
from glimmr.world.publisher import Publisher, preamble

_CODE_PAIRS = 3


def head_text(publisher: Publisher, shape: Shape) -> str:
    """Everything before the first record: the two preamble rows (if any) and the header row."""
    header = [_written(shape, name) for name in columns(shape)]
    rows: list[list[str]] = []
    if "no_preamble" not in shape.quirks:
        rows = [list(row) for row in preamble(publisher, shape)]
        if "ragged" not in shape.quirks:
            rows = [row + [""] * (len(header) - len(row)) for row in rows]
    return _csv(shape, [*rows, header])


def block_text(shape: Shape, block: Block) -> str:
    """The records of a block, slots still open."""
    names = columns(shape)
    record = _tall_records if shape.kind == "tall" else _wide_records
    records = (values for item in block.items for charge in item.charges for values in record(shape, item, charge))
    return _csv(shape, ([values.get(name, "") for name in names] for values in records))


def _csv(shape: Shape, rows: Iterable[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n" if "crlf" in shape.quirks else "\n").writerows(rows)
    return out.getvalue()


@lru_cache(maxsize=512)
def columns(shape: Shape) -> tuple[str, ...]:
    """The published columns in CMS's spelling, in the file's order (the order is free)."""
    names = ["description"]
    for pair in range(1, _CODE_PAIRS + 1):
        names += [f"code|{pair}", f"code|{pair}|type"]
    names += ["modifiers", "setting"]
    names += ["billing_class"] if "billing_class" in shape.quirks else []
    names += ["drug_unit_of_measurement", "drug_type_of_measurement"]
    names += ["standard_charge|gross", "standard_charge|discounted_cash"]
    if shape.kind == "tall":
        names += ["payer_name", "plan_name", *_rate_columns(shape, ""), "standard_charge|min", "standard_charge|max"]
    else:
        for payer, plan in payers(shape):
            names += _rate_columns(shape, _whose(payer, plan))
        names += ["standard_charge|min", "standard_charge|max"]
    names += ["additional_generic_notes"]
    if "shuffled" in shape.quirks:
        Random(f"{shape.key}/columns").shuffle(names)  # noqa: S311 - reproducible, not secret
    return tuple(names)


def _whose(payer: str, plan: str) -> str:
    return f"|{payer}|{plan}" if plan else f"|{payer}"


def _rate_columns(shape: Shape, whose: str) -> list[str]:
    """The columns of one payer-plan. In wide headers the payer stands inside `standard_charge`, but after a metric."""
    names = [f"standard_charge{whose}|negotiated_{kind}" for kind in ("dollar", "percentage", "algorithm")]
    if shape.is_v3:
        names += [f"{metric}{whose}" for metric in ("median_amount", "10th_percentile", "90th_percentile", "count")]
    elif shape.has_estimate:
        names += [f"estimated_amount{whose}"]
    names += [f"standard_charge{whose}|methodology"]
    return [*names, f"additional_payer_notes{whose}"] if whose else names


def _written(shape: Shape, name: str) -> str:
    """The header as this file spells it: blanks round the pipes, capitals."""
    if "spaced" in shape.quirks:
        name = name.replace("|", " | ")
    if "mixed_case" in shape.quirks and "|" not in name:
        name = name.title()
    return name


def _charge_values(item: Item, charge: Charge) -> dict[str, str]:
    values = {
        "description": item.description,
        "modifiers": charge.modifiers,
        "setting": charge.setting,
        "billing_class": charge.billing_class,
        "drug_unit_of_measurement": item.drug_unit,
        "drug_type_of_measurement": item.drug_type,
        "standard_charge|gross": charge.gross,
        "standard_charge|discounted_cash": charge.cash,
        "standard_charge|min": charge.low,
        "standard_charge|max": charge.high,
        "additional_generic_notes": charge.notes,
    }
    for pair, (code, kind) in enumerate(item.codes, start=1):
        values[f"code|{pair}"], values[f"code|{pair}|type"] = code, kind
    return values


def _rate_values(rate: Rate, whose: str) -> dict[str, str]:
    return {
        f"standard_charge{whose}|negotiated_dollar": rate.dollar,
        f"standard_charge{whose}|negotiated_percentage": rate.percentage,
        f"standard_charge{whose}|negotiated_algorithm": rate.algorithm,
        f"median_amount{whose}": rate.median,
        f"10th_percentile{whose}": rate.p10,
        f"90th_percentile{whose}": rate.p90,
        f"count{whose}": rate.count,
        f"estimated_amount{whose}": rate.estimated,
        f"standard_charge{whose}|methodology": rate.methodology,
        f"additional_payer_notes{whose}": rate.notes,
    }


def _tall_records(shape: Shape, item: Item, charge: Charge) -> Iterator[dict[str, str]]:
    values = _charge_values(item, charge)
    if not charge.rates or "lead_record" in shape.quirks:
        yield values
    for rate in charge.rates:
        named = {"payer_name": rate.payer, "plan_name": rate.plan, "additional_generic_notes": rate.notes}
        yield values | _rate_values(rate, "") | named


def _wide_records(shape: Shape, item: Item, charge: Charge) -> Iterator[dict[str, str]]:
    del shape
    values = _charge_values(item, charge)
    for rate in charge.rates:
        values |= _rate_values(rate, _whose(rate.payer, rate.plan))
    yield values
