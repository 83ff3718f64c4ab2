"""Workbooks of Excel 95 to 2003: xls."""

from collections.abc import Iterator

from glimmr.errors import Encrypted, NotAPriceFile
from glimmr.parse.limits import Limits
from glimmr.parse.sheets import biff
from glimmr.parse.sheets.ole import Ole
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.unpack import Stream


def sheets(stream: Stream, limits: Limits) -> Iterator[Sheet]:
    """Every sheet. Raises Encrypted, NotAPriceFile (no workbook is inside), Unparseable, CutShort."""
    del limits
    ole = Ole(stream.seekable())
    if ole.size_bytes("EncryptedPackage") is not None:  # [MS-OFFCRYPTO] 1.3.3: an xlsx with a password
        raise Encrypted("the workbook needs a password", reason="encrypted")
    name = next((name for name in ("Workbook", "Book") if ole.size_bytes(name) is not None), None)
    if name is None:
        raise NotAPriceFile("a compound file without a workbook", reason="document")
    yield from biff.sheets(ole.open(name))
