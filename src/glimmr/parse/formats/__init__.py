"""The formats: which reader takes which kind of bytes. A new format is one module and one line here."""

from collections.abc import Callable

from glimmr.parse.formats import cms_json, delimited
from glimmr.parse.intake import Intake
from glimmr.parse.text import Readable
from glimmr.sniff import Kind

# A reader turns a stream into batches for the intake. It raises a ContentError when the content as a whole is no price
# table (NoPriceTable, NotAPriceFile), is broken (Unparseable) or ends too early (CutShort, after all that is whole).
Read = Callable[[Readable, Intake], None]

FORMATS: dict[Kind, Read] = {
    Kind.DELIMITED: delimited.read,
    Kind.JSON: cms_json.read,
}
