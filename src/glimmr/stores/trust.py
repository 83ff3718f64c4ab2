"""Which of the hospitals an address is said to be of are believed."""

from sqlalchemy import or_

from glimmr.stores.tables import price_file_hospitals

_LINKS = price_file_hospitals
OWN_WORD = ("ccn", "source")
"""How a source names a hospital itself, by its number or by all it says: there is no likeness to be doubted."""

TRUSTED = or_(
    _LINKS.c.match_method.is_(None), _LINKS.c.match_method.in_(OWN_WORD), _LINKS.c.verified_method.is_not(None)
)
"""Whether a link is believed: who is meant by likeness alone is, once the file's own header has agreed."""
