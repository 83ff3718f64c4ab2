"""CMS's JSON template 2.0 to 3.0: one object with a header and the list `standard_charge_information`."""

import re

from glimmr.errors import CutShort, NoPriceTable
from glimmr.parse.elements.columns import read_items
from glimmr.parse.elements.document import Document, Rejected
from glimmr.parse.intake import Intake
from glimmr.parse.tables import preamble
from glimmr.parse.text import Readable, Text

_VERSION = re.compile(r"(2\.[0-2]|3\.0)(\.\d+)*")


def read(stream: Readable, intake: Intake) -> None:
    """Read a CMS JSON.

    Raises NoPriceTable for foreign JSON, Unparseable when malformed, CutShort when it ends early.
    """
    text = Text(stream, intake.limits.block_bytes)
    document = Document(iter(text), intake.limits.max_element_bytes)
    facts = intake.facts
    facts.format = "json"
    try:
        for part in document.read():
            if isinstance(part, Rejected):
                raw = part.raw[:4096].decode("utf-8", "replace")
                intake.reject(f"/sci/{part.number}", part.reason, raw)
            else:
                numbers, items = part
                intake.take(read_items(numbers, items, document.shapes))
    finally:
        facts.encoding = "cp1252" if text.recoded_lines else text.encoding
    if not document.has_table and not document.cut:
        raise NoPriceTable("JSON without CMS's list standard_charge_information", reason="foreign_json")
    facts.layout = "json"
    _tell_of_header(intake, document)
    if text.recoded_lines:
        intake.findings.add("GL-ENCODING", count=text.recoded_lines)
    if document.broken:
        intake.findings.add("GL-JSON-BROKEN", document.broken)
    if document.cut:
        raise CutShort("the JSON ends too early; every whole element was read", reason="truncated")


def _tell_of_header(intake: Intake, document: Document) -> None:
    facts, findings = intake.facts, intake.findings
    facts.header = header = preamble.of_document(document.root)
    facts.template_version = header.version
    for name in ("hospital_name", "last_updated_on", "version"):
        if not getattr(header, name):
            findings.add("GL-HEADER-MISSING", f"/{name}", name=name)
    if header.last_updated_on and not preamble.iso_date(header.last_updated_on)[1]:
        findings.add("GL-DATE", "/last_updated_on", name="last_updated_on", value=header.last_updated_on)
    if header.version and not _VERSION.fullmatch(header.version):
        findings.add("GL-UNKNOWN-VERSION", "/version", name="version", value=header.version)
    for level, keys in document.shapes.learned.items():
        for key in keys:
            findings.add("GL-UNKNOWN-COLUMN", level, name=key)
