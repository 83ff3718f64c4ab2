"""Which of the hospitals an address is said to be of are believed."""

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_

from glimmr.stores.tables import price_file_hospitals, price_files

_LINKS = price_file_hospitals
OWN_WORD = ("ccn", "source")
"""How a source names a hospital itself, by its number or by all it says: there is no likeness to be doubted."""

_INSTEAD, _NEWER = price_files.alias("instead"), price_file_hospitals.alias("newer")


def _proven(links: FromClause) -> ColumnElement[bool]:
    method = links.c.match_method
    return or_(method.is_(None), method.in_(OWN_WORD), links.c.verified_method.is_not(None))


GAVE_WAY = exists().where(
    _INSTEAD.c.price_file_id == _LINKS.c.moved_to,
    _INSTEAD.c.current_file_id.is_not(None),
    _NEWER.c.price_file_id == _LINKS.c.moved_to,
    _NEWER.c.hospital_id == _LINKS.c.hospital_id,
    _proven(_NEWER),
)
"""Whether a link is of the past: its hospital has another address now, and that has prices which are its own."""

TRUSTED = and_(_proven(_LINKS), ~GAVE_WAY)
"""Whether a link is believed: who is meant by likeness alone is, once the file's own header has agreed."""
