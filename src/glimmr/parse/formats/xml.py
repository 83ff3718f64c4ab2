"""XML of any shape that repeats: flat rows, Access exports, nested items with attributes."""

import itertools

from glimmr.errors import CutShort, NoPriceTable, Unparseable
from glimmr.parse.intake import Intake
from glimmr.parse.objects.facts import header_of, merged
from glimmr.parse.objects.reading import ObjectList
from glimmr.parse.objects.xml_choice import record_tags
from glimmr.parse.objects.xml_records import XmlRecords
from glimmr.parse.objects.xml_text import pieces
from glimmr.parse.text import Readable, Text

_HEAD_BYTES = 1 << 20
_MOST_RUNS = 5000  # of records of one name


def read(stream: Readable, intake: Intake) -> None:
    """Read XML by its repeated elements; positions are `/Item/12` and `/Item/12/p/3`, counted from 0.

    Raises ForbiddenDtd for a document type, NoPriceTable when no element repeats or none has a price, Unparseable when
    it is no XML, CutShort when it ends early.
    """
    text = Text(stream, min(intake.limits.block_bytes, _HEAD_BYTES), tells_places=True)
    facts = intake.facts
    facts.format = "xml"
    try:
        _read(text, intake)
    finally:
        facts.encoding = "cp1252" if text.recoded_lines else text.encoding
        intake.findings.add_spots("GL-ENCODING", text.odd)
        intake.findings.add_spots("GL-XML-BROKEN", text.nuls)


def _read(text: Text, intake: Intake) -> None:
    parts = pieces(iter(text))
    head: list[bytes] = []
    while sum(map(len, head)) < _HEAD_BYTES and (part := next(parts, None)) is not None:
        head.append(part)
    tags = record_tags(head)
    if not tags:
        raise NoPriceTable("XML without an element that repeats", reason="no_header")
    records = XmlRecords(itertools.chain(head, parts), tags)
    lists = ObjectList(intake)
    for number, (name, runs) in enumerate(itertools.groupby(records.read(), key=lambda run: run.name)):
        if number > _MOST_RUNS:
            raise Unparseable("XML whose elements change their name all the time", reason="broken_structure")
        lists.read((run.part for run in runs), f"/{name}/", {})
    if lists.has_table:
        intake.facts.header = merged(header_of(records.said), intake.facts.header)
    elif records.broken and not intake.rows_in:
        raise Unparseable(f"the XML is broken: {records.broken[0]}", reason="broken_structure")
    elif lists.refused is not None or not (records.cut or intake.rows_in):
        raise lists.refused or NoPriceTable("XML without records", reason="no_header")
    for place in records.broken:
        intake.findings.add("GL-XML-BROKEN", place)
    if records.cut:
        byte = text.read_bytes
        message = f"the XML ends too early, at byte {byte}; every whole element was read"
        raise CutShort(message, reason="truncated", position=f"byte {byte}")
