"""JSON of any shape: CMS's template (2.0 to 3.0, and its first one), or any document with lists of priced items."""

from glimmr.errors import CutShort, NoPriceTable
from glimmr.parse.elements.columns import read_items
from glimmr.parse.elements.document import Document, Section
from glimmr.parse.elements.listing import Rejected
from glimmr.parse.intake import Intake
from glimmr.parse.objects.facts import header_of, merged
from glimmr.parse.objects.reading import ObjectList
from glimmr.parse.tables import preamble
from glimmr.parse.text import Readable, Text


def read(stream: Readable, intake: Intake) -> None:
    """Read a JSON document, JSON lines, or several documents in a row.

    CMS's items are read as its data dictionary has them (positions `/sci/12`), other lists of objects as records with
    named columns (positions are JSON pointers, `/charges/12`). Raises NoPriceTable when no list has a price,
    Unparseable when malformed, CutShort when it ends early.
    """
    facts = intake.facts
    text = Text(stream, intake.limits.block_bytes, tells_places=True, begins=facts.begins)
    document = Document(iter(text), intake.limits.max_element_bytes)
    facts.format = "json"
    lists = ObjectList(intake)
    try:
        _read_lists(document, lists, intake)
    finally:
        facts.encoding = "cp1252" if text.recoded_lines else text.encoding
        if document.has_table:
            facts.layout = "json"
        if not lists.has_table:  # even when the reading ends early: what the root has said so far
            facts.header = preamble.of_document(document.root)
            facts.template_version = facts.header.version
        if intake.rows_in or document.has_table:  # of what is no price list nobody wants to know more
            _tell_of_text(intake, document, text)
    if document.has_table:
        _tell_of_header(intake, document)
    elif lists.has_table:
        facts.header = merged(header_of(document.root), facts.header)
    elif lists.refused is not None or not (document.cut or intake.rows_in):
        raise lists.refused or NoPriceTable("JSON without a list of priced items", reason="foreign_json")
    if document.cut:
        byte = facts.begins + text.read_bytes
        message = f"the JSON ends too early, at byte {byte}, {document.cut}; every whole element was read"
        raise CutShort(message, reason="truncated", position=f"byte {byte}")


def _read_lists(document: Document, lists: ObjectList, intake: Intake) -> None:
    for part in document.read():
        if isinstance(part, Section):
            lists.read(part, f"{part.path}/", part.context)
        elif isinstance(part, Rejected):
            raw = part.raw[:4096].decode("utf-8", "replace")
            intake.reject(f"/sci/{part.number}", part.reason, raw)
        else:
            numbers, items = part
            intake.take(read_items(numbers, items, document.shapes))


def _tell_of_text(intake: Intake, document: Document, text: Text) -> None:
    """What was mended, and which characters."""
    intake.findings.add_spots("GL-ENCODING", text.odd)
    intake.findings.add_spots("GL-JSON-BROKEN", document.flaws)
    intake.findings.add_spots("GL-JSON-BROKEN", text.nuls)
    intake.findings.add_spots("GL-OTHER-HEADER", document.headings.others)


def _tell_of_header(intake: Intake, document: Document) -> None:
    intake.rules.document(document.root, intake.facts.header)
    for level, key in document.shapes.unknown:
        intake.findings.add("GL-UNKNOWN-COLUMN", level, name=key)
