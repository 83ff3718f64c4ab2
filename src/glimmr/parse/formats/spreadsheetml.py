"""Workbooks of Excel 2002 and 2003 as one XML document."""

from collections.abc import Iterator

from glimmr.parse.limits import Limits
from glimmr.parse.sheets import spreadsheetml
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.unpack import Stream


def sheets(stream: Stream, limits: Limits) -> Iterator[Sheet]:
    """Every worksheet. Raises CutShort where the XML breaks, ForbiddenDtd for a document type."""
    yield from spreadsheetml.sheets(stream, limits)
    if stream.damage is not None:
        raise stream.damage
