"""The formats: which reader takes which kind of bytes. A new format is one module and one line here."""

from collections.abc import Callable, Iterator

from glimmr.parse.formats import delimited, json_text, ods, spreadsheetml, xls, xlsx, xml
from glimmr.parse.intake import Intake
from glimmr.parse.limits import Limits
from glimmr.parse.sheets.sheet import Sheet
from glimmr.parse.text import Readable
from glimmr.parse.unpack import Stream
from glimmr.sniff import Kind

# A reader turns a stream into batches for the intake. It raises a ContentError when the content as a whole is no price
# table (NoPriceTable, NotAPriceFile), is broken (Unparseable) or ends too early (CutShort, after all that is whole).
Read = Callable[[Readable, Intake], None]

FORMATS: dict[Kind, Read] = {
    Kind.DELIMITED: delimited.read,
    Kind.JSON: json_text.read,
    Kind.XML: xml.read,
}

# Kinds that hold several tables: the reader gives each with its rows of cells, and each is a member of its own. It
# raises a ContentError when the workbook as a whole cannot be read.
Open = Callable[[Stream, Limits], Iterator[Sheet]]

BOOKS: dict[Kind, Open] = {
    Kind.XLSX: xlsx.sheets,
    Kind.XLSB: xlsx.sheets,
    Kind.XLS: xls.sheets,
    Kind.OPENDOCUMENT: ods.sheets,
    Kind.SPREADSHEETML: spreadsheetml.sheets,
}
