"""Tables written as CMS's JSON template: array first or last, pretty or minified, amounts as published."""

import json
from typing import Any

from glimmr.world.prices import SLOT_OPEN, Block, Charge, Item, Rate, Shape
from glimmr.world.publisher import Publisher, members

_ARRAY = '"standard_charge_information"'
_RAW_OPEN, _RAW_CLOSE = "\ue002", "\ue003"  # private-use characters round a number that must not be quoted


def head_text(publisher: Publisher, shape: Shape) -> str:
    """Everything before the first element."""
    if "array_first" in shape.quirks:
        return "{" + _ARRAY + ": [\n"
    return _dump(shape, members(publisher, shape))[:-1].rstrip() + f",\n{_ARRAY}: [\n"


def tail_text(publisher: Publisher, shape: Shape) -> str:
    """Everything after the last element."""
    if "array_first" in shape.quirks:
        return "],\n" + _dump(shape, members(publisher, shape))[1:] + "\n"
    return "]}\n"


def block_text(shape: Shape, block: Block) -> str:
    """The elements of a block with commas between them, slots still open."""
    return ",\n".join(_dump(shape, _element(shape, item)) for item in block.items)


def _dump(shape: Shape, value: dict[str, Any]) -> str:
    if "pretty" in shape.quirks:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace(f'"{_RAW_OPEN}', "").replace(f'{_RAW_CLOSE}"', "")


def _element(shape: Shape, item: Item) -> dict[str, Any]:
    element: dict[str, Any] = {
        "description": item.description,
        "code_information": [{"code": code, "type": kind} for code, kind in item.codes],
    }
    if item.drug_unit:
        unit = _raw(item.drug_unit) if shape.is_v3 else item.drug_unit  # a string in 2.2's schema, a number in 3.0's
        element["drug_information"] = {"unit": unit, "type": item.drug_type}
    return element | {"standard_charges": [_charge(charge) for charge in item.charges]}


def _charge(charge: Charge) -> dict[str, Any]:
    amounts = {
        "gross_charge": charge.gross,
        "discounted_cash": charge.cash,
        "minimum": charge.low,
        "maximum": charge.high,
    }
    published: dict[str, Any] = {"setting": charge.setting} | _numbers(amounts)
    if charge.billing_class:
        published["billing_class"] = charge.billing_class
    if charge.modifiers:
        published["modifier_code"] = [charge.modifiers]
    if charge.rates:
        published["payers_information"] = [_rate(rate) for rate in charge.rates]
    return published | _texts({"additional_generic_notes": charge.notes})


def _rate(rate: Rate) -> dict[str, Any]:
    numbers = {
        "standard_charge_dollar": rate.dollar,
        "standard_charge_percentage": rate.percentage,
        "estimated_amount": rate.estimated,
        "median_amount": rate.median,
        "10th_percentile": rate.p10,
        "90th_percentile": rate.p90,
    }
    texts = {
        "plan_name": rate.plan,
        "standard_charge_algorithm": rate.algorithm,
        "count": rate.count,
        "methodology": rate.methodology,
        "additional_payer_notes": rate.notes,
    }
    return {"payer_name": rate.payer} | _numbers(numbers) | _texts(texts)


def _numbers(texts: dict[str, str]) -> dict[str, str]:
    """Members that are published, as JSON numbers where the text is one (`$1,234.50` stays a string)."""
    return {name: _raw(text) for name, text in texts.items() if text}


def _raw(text: str) -> str:
    is_number = text.startswith(SLOT_OPEN) or text.replace(".", "", 1).isdigit()
    return f"{_RAW_OPEN}{text}{_RAW_CLOSE}" if is_number else text


def _texts(texts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
