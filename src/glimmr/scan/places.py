"""A place as a person names it: by code or by name, near misses told."""

import difflib

from glimmr.errors import UsageError
from glimmr.places import PLACES

_CODES = {name.casefold(): code for code, name in PLACES.items()}


def place_code(text: str) -> str:
    """The two-letter code of a place given as code or name. Raises UsageError with the near miss."""
    wanted = " ".join(text.split())
    if wanted.upper() in PLACES:
        return wanted.upper()
    if wanted.casefold() in _CODES:
        return _CODES[wanted.casefold()]
    near = difflib.get_close_matches(wanted.casefold(), list(_CODES), n=1) or difflib.get_close_matches(
        wanted.upper(), list(PLACES), n=1
    )
    hint = f"; did you mean {_CODES.get(near[0], near[0])}?" if near else "; use a code like VT, or --all"
    raise UsageError(f"no state or territory is called {text!r}{hint}")
