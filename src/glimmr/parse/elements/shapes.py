"""CMS's JSON item as typed structs, and how anything item-like becomes one."""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from glimmr.parse.elements.repair import Flaw, Number, mended
from glimmr.parse.elements.split import seam, with_exact_numbers

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
# What CMS's first template (2022-2023) and others call a key: level → their name → CMS's.
_SYNONYMS = {
    "item": {"billing_code_information": "code_information", "standard_charge": "standard_charges"},
    "charge": {},
    "payer": {
        "contracting_method": "methodology", "standard_charge": "standard_charge_dollar",
        "standard_charge_percent": "standard_charge_percentage", "negotiated_rate": "standard_charge_dollar",
    },
    "code": {"code_type": "type"},
    "drug": {},
}  # fmt: skip
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


class UnreadableError(Exception):
    """One element gives no charge. `str(error)` is the reject's reason."""


class Shapes:
    """Decoders of items. Keys nobody knows are learned from the first block that has them, so it stays fast."""

    start = re.compile(
        rb'\{\s*"(?:description|code_information|drug_information|standard_charges|billing_code_information)"\s*:'
    )

    def __init__(self) -> None:
        self.learned: dict[str, list[str]] = {level: [] for level in _KNOWN}
        self._build()

    def seam(self, data: bytes, at: int) -> int | None:
        """The end of the last item that another one follows."""
        return seam(data, at)

    def fits(self, data: bytes) -> bool:
        """Whether this is an item with charges."""
        try:
            self.one(data)
        except UnreadableError:
            return False
        return True

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
        kinds = {"code_information": list[self._code] | None, "type": Text} | _PAYER
        self._moves = [
            (level, f"u{index}", name, msgspec.json.Decoder(kinds[name]))
            for level, keys in self.learned.items()
            for index, key in enumerate(keys)
            if (name := _SYNONYMS[level].get(key)) in kinds
        ]

    def many(self, data: bytes) -> list[Any]:
        """Elements (comma-separated, without the list's brackets). Raises msgspec.DecodeError when any is odd."""
        whole = b"[" + with_exact_numbers(data) + b"]"
        try:
            return self._checked(self._many.decode(whole))
        except msgspec.ValidationError as error:
            if "unknown field" not in str(error) or not self._learn(whole):
                raise
        return self._checked(self._many.decode(whole))

    def _checked(self, items: list[Any]) -> list[Any]:
        if not all(item.standard_charges for item in items):
            raise msgspec.ValidationError("an item without charges")
        if self._moves:
            self._move(items)
        return items

    def _move(self, items: list[Any]) -> None:
        """Values under a synonym go where CMS's key would have put them, unless something is there."""
        charges = [charge for item in items for charge in item.standard_charges]
        payers = [payer for charge in charges for payer in charge.payers_information or ()]
        for level, taken, name, decoder in self._moves:
            # Codes may have been moved themselves.
            codes = [code for item in items for code in item.code_information or ()] if level == "code" else []
            for one in {"item": items, "payer": payers, "code": codes}[level]:
                raw = getattr(one, taken, None)
                if raw is not None and getattr(one, name) is None:
                    setattr(one, name, decoder.decode(raw))
                    setattr(one, taken, None)

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """The keys nobody knows: (level, key)."""
        return [(level, key) for level, keys in self.learned.items() for key in keys if key not in _SYNONYMS[level]]

    def _learn(self, whole: bytes) -> bool:
        """Learn the unknown keys of a block. False when there is nothing (or too much) to learn."""
        try:
            return self._learn_from(_dicts(msgspec.json.decode(whole)))
        except (msgspec.DecodeError, RecursionError):
            return False

    def _learn_from(self, items: list[dict[str, Any]]) -> bool:
        charges = _inside(items, "standard_charges")
        objects = {
            "item": items,
            "charge": charges,
            "payer": _inside(charges, "payers_information"),
            "code": _inside(items, "code_information") + _inside(items, "billing_code_information"),
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

    def one(self, data: bytes) -> tuple[Any, Flaw | None]:
        """One element that `many` refused, whatever is odd about it, and what was malformed: every digit is kept.

        Raises UnreadableError when it gives no charge.
        """
        try:
            raw, flaw = mended(data)
        except (ValueError, RecursionError) as error:
            raise UnreadableError("malformed") from error
        return self._of_object(raw), flaw

    def _of_object(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise UnreadableError("no_object")
        self._learn_from([raw])
        raw = _renamed("item", raw)
        charges = [self._charge_of(one) for one in _dicts(raw.get("standard_charges"))]
        if not charges:
            raise UnreadableError("no_charges")
        item = self._filled("item", self._item, raw, standard_charges=charges)
        coded = [_renamed("code", one) for one in _dicts(raw.get("code_information"))]
        codes = [self._filled("code", self._code, one) for one in coded]
        item.code_information = codes or None
        drug = raw.get("drug_information")
        item.drug_information = self._filled("drug", self._drug, drug) if isinstance(drug, dict) else None
        return item

    def _charge_of(self, raw: dict[str, Any]) -> Any:
        charge = self._filled("charge", self._charge, raw)
        payers = [_renamed("payer", one) for one in _dicts(raw.get("payers_information"))]
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


def _renamed(level: str, raw: dict[str, Any]) -> dict[str, Any]:
    """An object with CMS's keys in place of their synonyms."""
    names = {key: name for key, name in _SYNONYMS[level].items() if key in raw and raw.get(name) is None}
    return {names.get(key, key): value for key, value in raw.items() if key not in names.values()} if names else raw


def _inside(objects: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [inner for one in objects for inner in _dicts(one.get(key))]


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; an object that should have been in a list counts as one."""
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _plain(value: Any) -> str:
    """A text, or anything else as JSON. Half a surrogate pair, which no text may hold, becomes `?`."""
    if isinstance(value, Number):
        return value  # still known as what was published as a number
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
