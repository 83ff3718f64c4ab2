"""The parts of a workbook that is a ZIP (OPC, ODF): found by name and read within limits."""

import posixpath

from glimmr.errors import CutShort, Unparseable
from glimmr.parse.limits import Limits
from glimmr.parse.sheets.pull import elements
from glimmr.parse.unpack.budget import Budget
from glimmr.parse.unpack.entry import Entry
from glimmr.parse.unpack.stream import Stream
from glimmr.parse.unpack.zips import Zip


class Parts:
    """The parts of a package, those before a cut included. Names are compared without case (ISO 29500-2 6.2.2.3)."""

    def __init__(self, stream: Stream, limits: Limits) -> None:
        file = stream.seekable()
        self.limits = limits
        self.budget = Budget(limits, file.seek(0, 2))
        self._entries: dict[str, Entry] = {}
        self.damage: CutShort | None = None
        try:
            for entry in Zip(file, limits).entries():
                self._entries.setdefault(_folded(entry.name), entry)
        except CutShort as damage:
            self.damage = damage

    def __contains__(self, name: str) -> bool:
        return _folded(name) in self._entries

    def open(self, name: str) -> Stream:
        """A part as a stream. Raises Encrypted or Unparseable; CutShort when the end of the package is missing."""
        entry = self._entries.get(_folded(name))
        if entry is None:
            missing = Unparseable(f"the workbook has no part {name!r}", reason="broken_structure")
            raise self.damage or missing
        if entry.failure is not None:
            raise entry.failure
        return Stream(entry.open(), self.budget)

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """What a part points to: id → (the last word of the relation's type, part name). `""` is the package."""
        folder, own = posixpath.split(name)
        rels = posixpath.join(folder, "_rels", f"{own}.rels")
        if rels not in self:
            return {}
        return {
            one.get("Id", ""): (
                one.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, one.get("Target", ""))).lstrip("/"),
            )
            for one in elements(self.open(rels), ("Relationship",), self.limits)
            if one.get("TargetMode") != "External"
        }


def _folded(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
