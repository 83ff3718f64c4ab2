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
MORE = "more"  # what cannot be learned is kept under this key, as one JSON object
# Known keys by level; those with None hold objects of another level.
_KNOWN: dict[str, dict[str, Any]] = {
    "item": _ITEM | dict.fromkeys(("code_information", "drug_information", "standard_charges")),
    "charge": _CHARGE | dict.fromkeys(("payers_information",)),
    "payer": _PAYER,
    "code": _CODE,
    "drug": _DRUG,
}


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
        self.learned: dict[str, list[str]] = {level: [] for level in _KNOWN}
        self._build()

    def _build(self) -> None:
        self._code = _struct("Code", _CODE, self.learned["code"])
        self._drug = _struct("Drug", _DRUG, self.learned["drug"])
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
            items = _dicts(msgspec.json.decode(whole))
        except (msgspec.DecodeError, RecursionError):
            return False
        charges = _inside(items, "standard_charges")
        objects = {
            "item": items,
            "charge": charges,
            "payer": _inside(charges, "payers_information"),
            "code": _inside(items, "code_information"),
            "drug": [item["drug_information"] for item in items if isinstance(item.get("drug_information"), dict)],
        }
        before = {level: list(keys) for level, keys in self.learned.items()}
        for level, known in _KNOWN.items():
            found = dict.fromkeys(self.learned[level])
            for key in dict.fromkeys(key for one in objects[level] for key in one):
                if key not in known and key not in found:
                    found[key if self._can_learn(key) else MORE] = None
                    self.learned[level] = list(found)
        if self.learned == before:
            return False
        self._build()
        return True

    def _can_learn(self, key: str) -> bool:
        """Not too many keys, and only such as msgspec takes for a field; the others are kept together as `more`."""
        room = sum(map(len, self.learned.values())) < _MAX_LEARNED
        return room and key.isprintable() and not set('"\\') & set(key)

    def one(self, data: bytes) -> Any:
        """One element that `many` refused, whatever is odd about it: every digit of its numbers is kept.

        Raises UnreadableError when it gives no charge.
        """
        try:
            raw = json.loads(data, strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)
        except (ValueError, RecursionError) as error:
            raise UnreadableError("malformed") from error
        return self._of_object(raw)

    def _of_object(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise UnreadableError("no_object")
        charges = [self._charge_of(one) for one in _dicts(raw.get("standard_charges"))]
        if not charges:
            raise UnreadableError("no_charges")
        item = self._filled("item", self._item, raw, standard_charges=charges)
        codes = [self._filled("code", self._code, one) for one in _dicts(raw.get("code_information"))]
        item.code_information = codes or None
        drug = raw.get("drug_information")
        item.drug_information = self._filled("drug", self._drug, drug) if isinstance(drug, dict) else None
        return item

    def _charge_of(self, raw: dict[str, Any]) -> Any:
        charge = self._filled("charge", self._charge, raw)
        payers = _dicts(raw.get("payers_information"))
        charge.payers_information = [self._filled("payer", self._payer, one) for one in payers]
        return charge

    def _filled(self, level: str, kind: Any, raw: dict[str, Any], **given: Any) -> Any:
        """A struct from an object of any shape: what does not fit its type is written as text."""
        made = kind(**given)
        known, learned = _KNOWN[level], self.learned[level]
        for key, want in known.items():
            value = raw.get(key)
            if value is None or want is None:
                continue
            if want is Names and isinstance(value, list):
                setattr(made, attribute(key), [_plain(one) for one in value])
            else:
                setattr(made, attribute(key), _plain(value))
        rest = {key: value for key, value in raw.items() if key not in known and key not in learned}
        for index, key in enumerate(learned):
            value = rest if key == MORE and rest else raw.get(key)
            if value is not None:
                setattr(made, f"u{index}", msgspec.Raw(_as_json(value).encode("utf-8", "replace")))
        return made


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


def _inside(objects: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [inner for one in objects for inner in _dicts(one.get(key))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; an object that should have been in a list counts as one."""
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _plain(value: Any) -> str:
    """A text, or anything else as JSON. Half a surrogate pair, which no text may hold, becomes `?`."""
    text = str(value) if isinstance(value, str) else _as_json(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_json(value: Any) -> str:
    """JSON again, numbers digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_as_json(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
