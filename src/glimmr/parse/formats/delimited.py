"""CMS tables as delimited text (CSV): finds delimiter and header, then reads the tall or wide layout."""

import itertools
from collections.abc import Iterator

from glimmr.errors import CutShort, NoPriceTable
from glimmr.parse.intake import Intake
from glimmr.parse.tables import header as headers
from glimmr.parse.tables import preamble
from glimmr.parse.tables.records import Records, cells_of, record_spans
from glimmr.parse.tables.tall import read_tall
from glimmr.parse.tables.wide import read_wide
from glimmr.parse.text import Readable, Text, TextBlock

_DELIMITERS = ",\t|;"
_SEARCHED_RECORDS = 50
_VERSIONS = ("2.0", "2.1", "2.2", "3.0")


def read(stream: Readable, intake: Intake) -> None:
    """Read a CMS CSV. Raises NoPriceTable without a header, CutShort when the last record is cut."""
    text = Text(stream, intake.limits.block_bytes)
    blocks = iter(text)
    head = _head(blocks, intake.limits.max_record_bytes)
    found = _find_header(head.data)
    intake.facts.encoding = text.encoding
    intake.facts.format = "csv"
    if found is None:
        raise NoPriceTable("no record names its columns as CMS's template does", reason="no_header")
    delimiter, records, number, used = found
    columns = headers.read_header(headers.within_limit(records[-1]))
    intake.facts.delimiter = delimiter
    intake.facts.layout = columns.layout
    intake.facts.header_row = number
    _tell_of_header(intake, records, columns, number)
    reader = Records(delimiter, len(columns.names), number + 1, limit_bytes=intake.limits.max_record_bytes)
    rest = TextBlock(head.data[used:], tuple(at - used for at in head.recoded if at >= used))
    rows = reader.read(itertools.chain([rest] if rest.data else [], blocks))
    for batch in (read_wide if columns.groups else read_tall)(rows, columns):
        intake.take(batch)
    if text.recoded_lines:
        intake.facts.encoding = "cp1252"
        intake.findings.add("GL-ENCODING", count=text.recoded_lines)
    if reader.last_cut is not None:
        at, raw = reader.last_cut
        intake.reject(f"R{at}", "cut_short", raw)
        raise CutShort(f"the last record (R{at}) is cut short", reason="suspect_truncated")


def _head(blocks: Iterator[TextBlock], enough_bytes: int) -> TextBlock:
    """The first text: one block, or more when the records are very long."""
    head = next(blocks, TextBlock(b""))
    while head.data.count(b"\n") < 3 and len(head.data) < enough_bytes:
        block = next(blocks, None)
        if block is None:
            break
        shift = len(head.data)
        head = TextBlock(head.data + block.data, head.recoded + tuple(at + shift for at in block.recoded))
    return head


def _find_header(data: bytes) -> tuple[str, list[list[str]], int, int] | None:
    """(delimiter, the records up to and with the header, the header's number from 1, bytes used by them)."""
    spans = itertools.islice(record_spans(data, 0, final=True, limit_bytes=len(data)), _SEARCHED_RECORDS)
    texts = [(data[start:end].decode("utf-8", "replace"), end) for start, end, _ in spans]
    for at, (text, end) in enumerate(texts):
        if "standard" not in text.casefold():
            continue
        by_delimiter = {delimiter: cells_of(text, delimiter) for delimiter in _DELIMITERS}
        fit = {d: _known_cells(cells) for d, cells in by_delimiter.items() if headers.is_header(cells)}
        if fit:
            delimiter = max(fit, key=lambda d: fit[d])
            records = [cells_of(before, delimiter) for before, _ in texts[: at + 1]]
            return delimiter, records, at + 1, min(end + 1, len(data))
    return None


def _known_cells(cells: list[str]) -> int:
    columns = headers.read_header(cells)
    return len(cells) - len(columns.unknown)


def _tell_of_header(intake: Intake, records: list[list[str]], columns: headers.Columns, number: int) -> None:
    facts, findings = intake.facts, intake.findings
    facts.header = preamble.of_records(records[:-1])
    facts.template_version = facts.header.version
    for name, value in (("hospital_name", facts.header.hospital_name), ("version", facts.header.version)):
        if not value:
            findings.add("GL-HEADER-MISSING", "R2", name=name)
    if not facts.header.last_updated_on:
        findings.add("GL-HEADER-MISSING", "R2", name="last_updated_on")
    elif not preamble.iso_date(facts.header.last_updated_on)[1]:
        findings.add("GL-DATE", "R2", name="last_updated_on", value=facts.header.last_updated_on)
    if facts.template_version and not facts.template_version.startswith(_VERSIONS):
        findings.add("GL-UNKNOWN-VERSION", "R2", name="version", value=facts.template_version)
    for code, indices in (
        ("GL-PLACEHOLDER", columns.placeholders),
        ("GL-DUPLICATE-COLUMN", columns.duplicates),
        ("GL-UNKNOWN-COLUMN", [i for i, _ in columns.unknown if columns.names[i] and i not in columns.duplicates]),
    ):
        for index in indices:
            findings.add(code, f"R{number}C{index + 1}", name=columns.names[index])
