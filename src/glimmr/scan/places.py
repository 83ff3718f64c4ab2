"""A place as a person or a list names it: by code or by name, near misses told."""

import difflib
import re
import unicodedata

from glimmr.errors import UsageError
from glimmr.places import PLACES

_NO_LETTER = re.compile(r"[^a-z]+")
_APOSTROPHE = re.compile("['\u2018\u2019\u02bb]")
_TITLES = re.compile(
    r"^(the )?((u s|us|united states|commonwealth of( the)?|state of|republic of( the)?|territory of) )?"
)
_POINTS = {"n": "north", "s": "south", "w": "west"}
# What people also call them, folded.
_OTHER_NAMES = {
    "dc": "DC",
    "washington dc": "DC",
    "washington d c": "DC",
    "washington district of columbia": "DC",
    "washington state": "WA",
    "usvi": "VI",
    "virgin islands of the united states": "VI",
    "cnmi": "MP",
    "northern marianas": "MP",
    "saipan": "MP",
    "micronesia": "FM",
    "fsm": "FM",
    "rmi": "MH",
    "samoa": "AS",
    "amerika samoa": "AS",
}


def _folded(text: str) -> str:
    plain = _APOSTROPHE.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return _NO_LETTER.sub(" ", "".join(letter for letter in plain if not unicodedata.combining(letter))).strip()


_CODES = {_folded(name): code for code, name in PLACES.items()} | _OTHER_NAMES


def place_code(text: str) -> str:
    """The two-letter code of a place given as code or name. Raises UsageError with the near miss.

    Case, accents, dots and `State of` count for nothing: `n.y.`, `Washington D.C.`, `U.S. Virgin Islands`, `N. Dakota`.
    """
    wanted = _folded(text)
    code = wanted.replace(" ", "").upper()
    if code in PLACES:
        return code
    first, _, rest = wanted.partition(" ")
    for name in (wanted, _TITLES.sub("", wanted), f"{_POINTS.get(first, first)} {rest}"):
        if name in _CODES or name.upper() in PLACES:
            return _CODES.get(name, name.upper())
    raise UsageError(f"no state or territory is called {text!r}{_hint(wanted)}")


def _hint(wanted: str) -> str:
    near = difflib.get_close_matches(wanted, list(_CODES), n=1) or difflib.get_close_matches(
        wanted.upper(), list(PLACES), n=1
    )
    return f"; did you mean {_CODES.get(near[0], near[0])}?" if near else "; use a code like VT"
