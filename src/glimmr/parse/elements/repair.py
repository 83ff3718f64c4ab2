"""JSON that is not quite JSON, made so: stray commas, bare words, odd numbers and escapes."""

import json
import re
from typing import Any

# RFC 8259's pieces, and whatever else stands between them.
_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"'  # a string
    r"|,(?=\s*(?:[,\]}]|$))"  # a comma with nothing behind it
    r"|:(?=\s*[,\]}])"  # a key without a value
    r"|(?<=[\[{])\s*,"  # a comma with nothing before it
    r'|[^\s"{}\[\],:]++',  # a number or a word
    re.DOTALL,
)
_LITERAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity", re.ASCII)
_BAD_ESCAPE = re.compile(r'\\(?!u[0-9a-fA-F]{4}|["\\/bfnrt])(.?)', re.DOTALL)
_GOOD_ESCAPE = re.compile(r'\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\.?', re.DOTALL)


class Number(str):
    """A JSON number as its text, every digit kept."""

    __slots__ = ()


def decoded(data: bytes) -> Any:
    """One JSON value, as leniently as can be without guessing: numbers are `Number`.

    Control characters may stand in strings, commas may be too many, NaN and words are taken as text. Raises ValueError
    (RecursionError when nested too deep) for what has no JSON structure.
    """
    text = data.decode("utf-8", "replace")
    try:
        return _loads(text)
    except json.JSONDecodeError:
        return _loads(_TOKEN.sub(_repaired, text))


def _loads(text: str) -> Any:
    return json.loads(text, strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)


def _repaired(found: re.Match[str]) -> str:
    piece = found[0]
    if piece.startswith('"'):
        return _GOOD_ESCAPE.sub(_escape, piece) if "\\" in piece else piece
    if piece == ":":
        return ": null"
    if piece.strip() == ",":
        return ""
    return piece if _LITERAL.fullmatch(piece) else json.dumps(piece)


def _escape(found: re.Match[str]) -> str:
    r"""`\x` and the like mean the backslash itself."""
    return "\\" + found[0] if _BAD_ESCAPE.fullmatch(found[0]) else found[0]
