"""Text that is no clear table: read as delimited text first, then as JSON behind whatever stands before it."""

from glimmr.errors import ContentError, NoPriceTable
from glimmr.parse.formats import FORMATS
from glimmr.parse.intake import Facts, Intake
from glimmr.parse.unpack import Stream
from glimmr.sniff import Kind
from glimmr.sniff.writing import json_inside


def read_text(stream: Stream, intake: Intake) -> None:
    """Read a table of delimited text, or JSON with a title, a key or other words before its first bracket.

    Raises what the first reader says (NoPriceTable, CutShort …) when the second finds nothing either.
    """
    begins_at = json_inside(stream.peek())
    if begins_at is None:
        FORMATS[Kind.DELIMITED](stream, intake)
        return
    stream.seekable()  # to begin again
    try:
        FORMATS[Kind.DELIMITED](stream, intake)
    except NoPriceTable as nothing:
        if intake.rows_in:
            raise
        intake.facts = Facts(begins=begins_at)
        stream.seekable().seek(begins_at)
        _read_json(stream, intake, nothing)


def _read_json(stream: Stream, intake: Intake, nothing: NoPriceTable) -> None:
    try:
        FORMATS[Kind.JSON](stream, intake)
    except ContentError:
        if intake.rows_in:
            raise
        intake.facts = Facts(format=str(Kind.DELIMITED))
        raise NoPriceTable(f"{nothing}; and no JSON", reason=nothing.reason) from nothing
    finally:  # even when it ends early
        if intake.facts.format == Kind.JSON:
            intake.findings.add("GL-JSON-BROKEN", "byte 0", value="words stand before the document")
