"""CMS's JSON item as typed structs, and how anything item-like becomes one."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

Amount = float | str | None
Text = str | int | float | None
Names = list[str] | str | None

# Published key → attribute. CMS data dictionary 2.0-3.0 (JSON), with the other spellings seen in real files.
_CODE = {"code": Text, "type": Text}
_DRUG = {"unit": Amount, "type": Text}
_PAYER = {
    "payer_name": Text, "plan_name": Text, "standard_charge_dollar": Amount, "standard_charge_percentage": Amount,
    "standard_charge_algorithm": Text, "methodology": Text, "estimated_amount": Amount, "median_amount": Amount,
    "10th_percentile": Amount, "90th_percentile": Amount, "count": Text, "additional_payer_notes": Text,
}  # fmt: skip
_CHARGE = {
    "gross_charge": Amount, "discounted_cash": Amount, "minimum": Amount, "maximum": Amount, "setting": Text,
    "billing_class": Text, "modifier_code": Names, "modifiers": Names, "additional_generic_notes": Text,
}  # fmt: skip
_ITEM = {"description": Text}
_MAX_LEARNED = 200
_NESTED = {"code_information", "drug_information", "standard_charges", "payers_information"}


def attribute(key: str) -> str:
    """The attribute of a published key."""
    return {"10th_percentile": "p10", "90th_percentile": "p90"}.get(key, key)


class Number(str):
    """A JSON number as its text, every digit kept."""

    __slots__ = ()


class UnreadableError(Exception):
    """One element gives no charge. `str(error)` is the reject's reason."""


class Shapes:
    """Decoders of items. Keys nobody knows are learned from the first block that has them, so it stays fast."""

    def __init__(self) -> None:
        self.learned: dict[str, list[str]] = {"item": [], "charge": [], "payer": []}
        self._build()

    def _build(self) -> None:
        self._code = _struct("Code", _CODE, [])
        self._drug = _struct("Drug", _DRUG, [])
        self._payer = _struct("Payer", _PAYER, self.learned["payer"])
        charge = _CHARGE | {"payers_information": list[self._payer] | None}
        self._charge = _struct("Charge", charge, self.learned["charge"])
        item = _ITEM | {
            "code_information": list[self._code] | None,
            "drug_information": self._drug | None,
            "standard_charges": list[self._charge],
        }
        self._item = _struct("Item", item, self.learned["item"], required="standard_charges")
        self._many = msgspec.json.Decoder(list[self._item])

    def many(self, data: bytes) -> list[Any]:
        """Elements (comma-separated, without the list's brackets). Raises msgspec.DecodeError when any is odd."""
        whole = b"[" + data + b"]"
        try:
            return self._checked(self._many.decode(whole))
        except msgspec.ValidationError as error:
            if "unknown field" not in str(error) or not self._learn(whole):
                raise
        return self._checked(self._many.decode(whole))

    @staticmethod
    def _checked(items: list[Any]) -> list[Any]:
        if all(item.standard_charges for item in items):
            return items
        raise msgspec.ValidationError("an item without charges")

    def _learn(self, whole: bytes) -> bool:
        """Learn the unknown keys of a block. False when there is nothing (or too much) to learn."""
        try:
            items = msgspec.json.decode(whole)
        except msgspec.DecodeError:
            return False
        charges = [c for item in _dicts(items) for c in _dicts(item.get("standard_charges"))]
        payers = [p for charge in charges for p in _dicts(charge.get("payers_information"))]
        found = False
        for level, known, objects in (
            ("item", _ITEM, _dicts(items)),
            ("charge", _CHARGE, charges),
            ("payer", _PAYER, payers),
        ):
            fresh = dict.fromkeys(key for one in objects for key in one)
            for key in fresh:
                if key not in known and key not in _NESTED and key not in self.learned[level]:
                    self.learned[level].append(key)
                    found = True
        if sum(map(len, self.learned.values())) > _MAX_LEARNED:
            self.learned = {level: keys[:0] for level, keys in self.learned.items()}
            found = False
        self._build()
        return found

    def one(self, data: bytes) -> Any:
        """One element, whatever is odd about it. Raises UnreadableError when it gives no charge."""
        try:
            return self.many(data)[0]
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            raw = json.loads(data, strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)
        except (ValueError, RecursionError) as error:
            raise UnreadableError("malformed") from error
        return self._of_object(raw)

    def _of_object(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise UnreadableError("no_object")
        charges = raw.get("standard_charges")
        charges = [charges] if isinstance(charges, dict) else charges
        charges = [self._charge_of(one) for one in _dicts(charges)]
        if not charges:
            raise UnreadableError("no_charges")
        drug = raw.get("drug_information")
        codes = [_fill(self._code, one, _CODE, []) for one in _dicts(raw.get("code_information"))]
        item = _fill(self._item, raw, _ITEM, self.learned["item"], standard_charges=charges)
        item.code_information = codes or None
        item.drug_information = _fill(self._drug, drug, _DRUG, []) if isinstance(drug, dict) else None
        return item

    def _charge_of(self, raw: dict[str, Any]) -> Any:
        charge = _fill(self._charge, raw, _CHARGE, self.learned["charge"])
        payers = raw.get("payers_information")
        payers = [payers] if isinstance(payers, dict) else payers
        charge.payers_information = [_fill(self._payer, one, _PAYER, self.learned["payer"]) for one in _dicts(payers)]
        return charge


def _struct(name: str, known: dict[str, Any], learned: Iterable[str], *, required: str = "") -> type[msgspec.Struct]:
    fields: list[Any] = []
    names: dict[str, str] = {}
    for key, kind in known.items():
        fields.append((attribute(key), kind) if key == required else (attribute(key), kind, None))
        names[attribute(key)] = key
    for index, key in enumerate(learned):
        fields.append((f"u{index}", msgspec.Raw, None))
        names[f"u{index}"] = key
    fields.sort(key=len)  # required ones first
    return msgspec.defstruct(name, fields, rename=names, gc=False, forbid_unknown_fields=True)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _fill(kind: Any, raw: dict[str, Any], known: dict[str, Any], learned: list[str], **given: Any) -> Any:
    """A struct from an object of any shape: what does not fit its type is written as text."""
    made = kind(**given)
    for key, want in known.items():
        value = raw.get(key)
        if value is None or attribute(key) in given:
            continue
        if want is Names and isinstance(value, list):
            setattr(made, attribute(key), [str(one) for one in value])
        else:
            setattr(made, attribute(key), str(value) if isinstance(value, str) else _as_json(value))
    for index, key in enumerate(learned):
        if raw.get(key) is not None:
            setattr(made, f"u{index}", msgspec.Raw(_as_json(raw[key]).encode("utf-8", "replace")))
    return made


def _as_json(value: Any) -> str:
    """JSON again, numbers digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_as_json(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
