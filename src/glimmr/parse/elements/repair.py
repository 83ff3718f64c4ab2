"""JSON that is not quite JSON, made so: stray commas, bare words, odd numbers and escapes."""

import json
import re
from typing import Any, NamedTuple

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

_SHOWN = 20


class Number(str):
    """A JSON number as its text, every digit kept."""

    __slots__ = ()


class Flaw(NamedTuple):
    """The first thing in a value that is no JSON: its offset, and what it is."""

    at: int
    what: str


class _ConstantError(ValueError):
    """NaN or an infinity: `str(error)`."""


def decoded(data: bytes) -> Any:
    """`mended`, whatever was wrong."""
    return mended(data)[0]


def mended(data: bytes) -> tuple[Any, Flaw | None]:
    """One JSON value, as leniently as can be without guessing, and what was wrong with it: numbers are `Number`.

    Control characters may stand in strings, commas may be too many, NaN and words are taken as text. Raises ValueError
    (RecursionError when nested too deep) for what has no JSON structure.
    """
    text = data.decode("utf-8", "replace")
    try:
        return _STRICT.decode(text), None
    except json.JSONDecodeError as error:
        flaw = _flaw(text, error.pos, error.msg.removesuffix(" at"))
    except _ConstantError as error:
        name = str(error)
        at = next((one.start() for one in _TOKEN.finditer(text) if one[0] == name), 0)
        flaw = _flaw(text, at, "no number")
    try:
        return _LENIENT.decode(text), flaw
    except json.JSONDecodeError:
        return _LENIENT.decode(_TOKEN.sub(_repaired, text)), flaw


def _flaw(text: str, at: int, what: str) -> Flaw:
    return Flaw(len(text[:at].encode("utf-8", "replace")), f"{what}: {text[at : at + _SHOWN]!r}")


def _refused(name: str) -> Any:
    raise _ConstantError(name)


_STRICT = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refused)
_LENIENT = json.JSONDecoder(strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)


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
