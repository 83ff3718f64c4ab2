"""Workbooks of OpenDocument: ods."""

from collections.abc import Iterator

from glimmr.errors import Encrypted, NotAPriceFile
from glimmr.parse.limits import Limits
from glimmr.parse.sheets import ods
from glimmr.parse.sheets.parts import Parts
from glimmr.parse.sheets.pull import elements
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.unpack import Stream

_SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"  # or its template: `-template` (ODF part 2, 3.4)
_MANIFEST = "META-INF/manifest.xml"


def sheets(stream: Stream, limits: Limits) -> Iterator[Sheet]:
    """Every sheet. Raises NotAPriceFile for a text or slides, Encrypted, and CutShort for a damaged package."""
    parts = Parts(stream, limits)
    if not parts.open("mimetype").read(len(_SPREADSHEET)).startswith(_SPREADSHEET):
        raise NotAPriceFile("an OpenDocument text or presentation", reason="document")
    # The manifest stands at the end: a package that was cut short has none.
    if _MANIFEST in parts and any(True for _ in elements(parts.open(_MANIFEST), ("encryption-data",), limits)):
        raise Encrypted("the workbook needs a password", reason="encrypted")
    yield from ods.sheets(parts.open("content.xml"), limits, parts.budget)
    if parts.damage is not None:
        raise parts.damage
