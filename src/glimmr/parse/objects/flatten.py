"""One nested item → flat records: what it says of itself, once for each payer (or setting) it has inside."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from glimmr.parse.elements.repair import Number
from glimmr.parse.objects.signs import has_payer, is_code, is_part, is_payer_map, is_priced, is_scalar

Flat = dict[str, Any]  # name → str, Number, int, bool or None
_MOST_CODES = 20
_MOST_PARTS = 100_000  # of one item: lists inside lists multiply


class Flattener:
    """Flattens items; remembers which names came from parts."""

    def __init__(self) -> None:
        self.part_names: dict[str, None] = {}

    def flat(self, item: Mapping[str, Any]) -> tuple[list[Flat], bool]:
        """The records of one item, and whether they are its parts.

        A nested object's values are named `outer.inner`. A list of objects with a payer or a price is a list of parts;
        a list of codes becomes `code|1`, `code|1|type`, …; any other list is kept as JSON text.
        """
        common: Flat = {}
        parts: list[Flat] = []
        self._spread(item, "", common, parts, of_priced=is_priced(item))
        if not parts:
            return [common], False
        for part in parts:
            self.part_names.update(dict.fromkeys(part))
        return [{**common, **part} for part in parts], True

    def _spread(self, one: Mapping[str, Any], prefix: str, common: Flat, parts: list[Flat], *, of_priced: bool) -> None:
        for key, value in one.items():
            name = f"{prefix}{key}"
            if is_scalar(value):
                _put(common, name, value)
            elif isinstance(value, dict):
                self._spread_object(value, name, common, parts, of_priced=of_priced)
            elif value:
                self._spread_list(value, name, common, parts, of_priced=of_priced)

    def _spread_object(
        self, one: Mapping[str, Any], name: str, common: Flat, parts: list[Flat], *, of_priced: bool
    ) -> None:
        if is_payer_map(name.rpartition(".")[2], one):
            for payer, rate in one.items():
                said = {f"{name}.{k}": v for k, v in rate.items()} if isinstance(rate, dict) else {f"{name}.rate": rate}
                parts.append({f"{name}.payer_name": payer, **said})
        elif has_payer(one):  # a lone object where others have a list
            self._add_part(one, name, parts)
        else:
            self._spread(one, f"{name}.", common, parts, of_priced=of_priced)

    def _spread_list(
        self, values: Sequence[Any], name: str, common: Flat, parts: list[Flat], *, of_priced: bool
    ) -> None:
        objects = [value for value in values if isinstance(value, dict)]
        if len(objects) == len(values):
            if any(is_part(one, of_priced=of_priced) for one in objects):
                for one in objects:
                    self._add_part(one, name, parts)
                return
            if all(map(is_code, objects)) and len(objects) <= _MOST_CODES and "code|1" not in common:
                _put_codes(common, objects)
                return
            if len(objects) == 1:
                self._spread(objects[0], f"{name}.", common, parts, of_priced=of_priced)
                return
        _put(common, name, values[0] if len(values) == 1 and is_scalar(values[0]) else as_json(values))

    def _add_part(self, one: Mapping[str, Any], name: str, parts: list[Flat]) -> None:
        own: Flat = {}
        inner: list[Flat] = []
        self._spread(one, f"{name}.", own, inner, of_priced=False)
        if len(parts) + len(inner) > _MOST_PARTS:
            parts.append({name: as_json(one)})
        else:
            parts += [{**own, **part} for part in inner] if inner else [own]


def _put_codes(record: Flat, codes: Sequence[Mapping[str, Any]]) -> None:
    """Codes get the names they have in CMS's CSV."""
    for number, code in enumerate(codes, 1):
        for field, value in code.items():
            kind = "|type" if "type" in field.casefold() or "system" in field.casefold() else ""
            _put(record, f"code|{number}{kind}", value if is_scalar(value) else as_json(value))


def _put(record: Flat, name: str, value: Any) -> None:
    """Set a value; a name that is taken becomes `name (2)`."""
    number = 1
    free = name
    while free in record:
        number += 1
        free = f"{name} ({number})"
    record[free] = value


def as_json(value: Any) -> str:
    """JSON again, numbers digit for digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    if isinstance(value, dict):
        inside = (f"{json.dumps(key, ensure_ascii=False)}: {as_json(one)}" for key, one in value.items())
        return "{" + ", ".join(inside) + "}"
    return json.dumps(value, ensure_ascii=False)
