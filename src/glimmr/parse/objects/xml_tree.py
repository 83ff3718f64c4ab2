"""XML elements as objects, like JSON's: attributes and children by name, repeated children as lists."""

import re
from functools import lru_cache
from typing import Any

from glimmr.parse.objects.signs import has_payer

Element = Any  # lxml ships no types
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NUMERIC = re.compile(r"^_(?=\d)")
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@lru_cache(maxsize=4096)
def name_of(tag: str) -> str:
    """A readable name: without namespace, `_x0020_` (Access's escape) and the `_` before a digit undone."""
    local = tag.rpartition("}")[2]
    return _NUMERIC.sub("", _ESCAPED.sub(lambda found: chr(int(found[1], 16)), local))


def attributes(element: Element) -> dict[str, str]:
    """The attributes by readable name, but for those of XML Schema."""
    return {name_of(key): value for key, value in element.attrib.items() if not key.startswith(_XSI)}


def children(element: Element) -> list[Element]:
    """The child elements, without comments."""
    return [child for child in element if isinstance(child.tag, str)]


def as_object(element: Element) -> dict[str, Any]:
    """An element as an object. Text beside children is kept under `text`, that of a leaf under the element's name."""
    said: dict[str, Any] = {}
    inner = children(element)
    tags = {name_of(child.tag) for child in inner}
    for name, value in attributes(element).items():
        said[f"@{name}" if name in tags else name] = value
    for child in inner:
        _add(said, name_of(child.tag), _value(child))
    text = _text(element, inner)
    if text is not None:
        own = "text" if inner else name_of(element.tag)
        said[f"{own} (text)" if own in said else own] = text
    return said


def _value(element: Element) -> Any:
    """A leaf's text, or an object."""
    return as_object(element) if len(element) or element.attrib else _text(element, [])


def _add(said: dict[str, Any], name: str, value: Any) -> None:
    if name in said:
        before = said[name]
        if isinstance(before, list):
            before.append(value)
        else:
            said[name] = [before, value]
    elif isinstance(value, dict) and name in value and not has_payer(value) and _is_flat(value):
        said[name] = value.pop(name)  # text with attributes: `<Price currency="USD">5</Price>`
        said.update({f"{name}.{key}": one for key, one in value.items()})
    else:
        said[name] = value


def _is_flat(value: dict[str, Any]) -> bool:
    return not any(isinstance(one, dict | list) for one in value.values())


def _text(element: Element, inner: list[Element]) -> str | None:
    parts = [element.text or "", *(child.tail or "" for child in inner)]
    return " ".join(part for part in map(str.strip, parts) if part) or None
