"""Workbooks of Office Open XML: xlsx, xlsm, and the binary xlsb."""

from collections.abc import Iterator

from glimmr.errors import Unparseable
from glimmr.parse.limits import Limits
from glimmr.parse.sheets import xlsb, xlsx
from glimmr.parse.sheets.parts import Parts
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.unpack import Stream

_USUAL = ("xl/workbook.xml", "xl/workbook.bin")


def sheets(stream: Stream, limits: Limits) -> Iterator[Sheet]:
    """Every sheet. Raises CutShort for a damaged package, after all that is whole; Unparseable without a workbook."""
    parts = Parts(stream, limits)
    targets = [target for kind, target in parts.relations("").values() if kind == "officeDocument"]
    workbook = next((name for name in (*targets, *_USUAL) if name in parts), None)
    if workbook is None:
        raise parts.damage or Unparseable("the package holds no workbook", reason="broken_structure")
    read = xlsb.book if workbook.endswith(".bin") else xlsx.book
    yield from read(parts, workbook).sheets()
    if parts.damage is not None:
        raise parts.damage  # the package ends too early: a part that was not missed may have stood there
