"""The 59 places that are asked: 50 states, DC, five territories and three freely associated states."""

import difflib

from glimmr.errors import UsageError

# CMS JSON schema 3.0 `license_information.state` enumerates these 59 codes; CMS's CSV list has 56 (no FM, MH, PW).
_LIST = """
AL Alabama
AK Alaska
AS American Samoa
AZ Arizona
AR Arkansas
CA California
CO Colorado
CT Connecticut
DC District of Columbia
DE Delaware
FL Florida
FM Federated States of Micronesia
GA Georgia
GU Guam
HI Hawaii
IA Iowa
ID Idaho
IL Illinois
IN Indiana
KS Kansas
KY Kentucky
LA Louisiana
MA Massachusetts
MD Maryland
ME Maine
MH Marshall Islands
MI Michigan
MN Minnesota
MO Missouri
MP Northern Mariana Islands
MS Mississippi
MT Montana
NC North Carolina
ND North Dakota
NE Nebraska
NH New Hampshire
NJ New Jersey
NM New Mexico
NV Nevada
NY New York
OH Ohio
OK Oklahoma
OR Oregon
PA Pennsylvania
PR Puerto Rico
PW Palau
RI Rhode Island
SC South Carolina
SD South Dakota
TN Tennessee
TX Texas
UT Utah
VA Virginia
VI Virgin Islands
VT Vermont
WA Washington
WI Wisconsin
WV West Virginia
WY Wyoming
"""

PLACES: dict[str, str] = {line[:2]: line[3:] for line in _LIST.strip().splitlines()}

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
