"""Which of the hospitals an address is said to be of are believed."""

from sqlalchemy import ColumnElement, FromClause, and_, or_

from glimmr.stores.tables import price_file_hospitals

_LINKS = price_file_hospitals
OWN_WORD = ("ccn", "source")
"""How a source names a hospital itself, by its number or by all it says: there is no likeness to be doubted."""


def proven(links: FromClause) -> ColumnElement[bool]:
    """Who is meant by likeness alone is meant for sure, once the file's own header has agreed."""
    method = links.c.match_method
    return or_(method.is_(None), method.in_(OWN_WORD), links.c.verified_method.is_not(None))


TRUSTED = and_(proven(_LINKS), _LINKS.c.gave_way_at.is_(None))
"""Whether a link is believed: it is sure who is meant, and no other address has this hospital's prices now."""
