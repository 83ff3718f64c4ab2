"""Which layout a table has, and its way into batches: CMS's tall and wide, or a legacy table of any shape."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glimmr.errors import NoPriceTable
from glimmr.parse.batch import Places
from glimmr.parse.intake import Intake
from glimmr.parse.tables import header as headers
from glimmr.parse.tables import legacy, legacy_header, preamble, sections
from glimmr.parse.tables.grid import cells_of_rows, rows_of
from glimmr.parse.tables.records import Rows
from glimmr.parse.tables.tall import read_tall
from glimmr.parse.tables.wide import read_wide

SEARCHED_RECORDS = legacy_header.SEARCHED_RECORDS
SAMPLE_RECORDS = SEARCHED_RECORDS + 1000
_SAMPLE_CELLS = 400_000
_PAYER_COLUMNS = frozenset(("payer_name", "plan_name", "negotiated_dollar"))


@dataclass(frozen=True, slots=True)
class Found:
    """A header: the record it ends in (index from 0; without one, the record before the table), and its columns."""

    at: int
    columns: headers.Columns
    score: float


def find(records: Sequence[Sequence[str]]) -> Found | None:
    """The header among the first records: CMS's wherever it stands, else the best of a legacy table.

    A whole table of another kind above CMS's comes first, though.
    """
    for at, cells in enumerate(records[:SEARCHED_RECORDS]):
        if headers.is_header(cells):
            columns = headers.read_header(headers.within_limit(cells))
            return table_above(records[:at]) or Found(at, columns, float("inf"))
    found = legacy_header.find_header(records) or legacy_header.headerless(records)
    return None if found is None else Found(found.last, found.columns, found.score)


def table_above(records: Sequence[Sequence[str]]) -> Found | None:
    """The header of a legacy table among what stands above a header of CMS's and its general data."""
    general = next((at for at, cells in enumerate(records) if preamble.names_general_data(cells)), len(records))
    found = legacy_header.find_header(records[:general]) if general > 1 else None
    return None if found is None else Found(found.last, found.columns, found.score)


def no_table(records: Sequence[Sequence[str]]) -> NoPriceTable:
    """Why records without a header hold no price table."""
    if any(legacy_header.names_items(cells) for cells in records[:SEARCHED_RECORDS]):
        return NoPriceTable("a table without a column of prices", reason="no_price_column")
    return NoPriceTable("no record names its columns, or none of them holds prices", reason="no_header")


def read_grid(records: Iterator[Sequence[str]], intake: Intake, *, prefix: str = "R") -> None:
    """Read a grid of cells (a sheet): finds the header, the table under it, and every further section.

    `records` are all records from the first on, blank ones included (as an empty sequence or blank cells). Positions
    are `prefix` and the record's number from 1. Raises NoPriceTable without a header or without a price column.
    """
    sample: list[Sequence[str]] = []
    cells = 0
    for record in itertools.islice(records, SAMPLE_RECORDS):
        sample.append(record)
        cells += len(record)
        if cells > _SAMPLE_CELLS and len(sample) > SEARCHED_RECORDS:
            break
    found = find(sample)
    if found is None:
        raise no_table(sample)
    width = len(found.columns.names)
    rows = rows_of(itertools.chain(sample[found.at + 1 :], records), width, found.at + 2)
    read_under(found.columns, sample[: found.at], rows, intake, Places(prefix), number=found.at + 1)


def read_named(names: Sequence[str], rows: Iterable[Rows], intake: Intake, *, prefix: str) -> None:
    """Read records whose columns have names (JSON objects, XML elements).

    Positions are `prefix` and the number of the record (its item), and `/p/` with its part where it has one. Records of
    one item stand in one block. Raises NoPriceTable without a price column.
    """
    blocks = iter(rows)
    first = next(blocks, None)
    if headers.is_header(names):
        columns = headers.read_header(names)
    else:
        sample = [] if first is None else cells_of_rows(first, 0, min(len(first), SAMPLE_RECORDS))
        found = legacy.columns_of(names, sample)
        if found is None:
            raise NoPriceTable("none of the names is that of a price", reason="no_price_column")
        columns = found
    chained = blocks if first is None else itertools.chain([first], blocks)
    intake.facts.layout = columns.layout
    places = Places(prefix, by_name=True)
    intake.rules.table(columns, (), intake.facts.header, number=1, places=places)
    _read(columns, chained, intake, places)


def read_under(
    columns: headers.Columns,
    above: Sequence[Sequence[str]],
    rows: Iterable[Rows],
    intake: Intake,
    places: Places,
    *,
    number: int,
) -> None:
    """Read the records under a header (record `number` from 1), section after section; `above` is what precedes it."""
    intake.facts.layout = columns.layout
    intake.facts.header_row = number
    intake.facts.columns = tuple(columns.names)
    if columns.legacy:
        intake.facts.header = preamble.of_prose(above)
    else:
        intake.facts.header = preamble.of_records(above)
        intake.facts.template_version = intake.facts.header.version
    if not columns.told:
        intake.facts.header_row = None
        intake.findings.add("GL-NO-HEADER", f"{places.prefix}{number + 1}")
    else:
        intake.rules.table(columns, above, intake.facts.header, number=number, places=places)
    pieces = sections.of(columns, rows, intake, places, number=number)
    for _, section in itertools.groupby(pieces, key=lambda piece: id(piece[0])):
        under, block = next(section)
        _read(under, itertools.chain([block], (rest for _, rest in section)), intake, places)  # noqa: B031 - one stream


def _read(columns: headers.Columns, rows: Iterable[Rows], intake: Intake, places: Places) -> None:
    if columns.legacy:
        columns, rows = sections.prepared(columns, rows)
    rows = (block for block in rows if len(block))
    tall = not columns.groups and (not columns.legacy or bool(_PAYER_COLUMNS & columns.known.keys()))
    for batch in (read_tall if tall else read_wide)(rows, columns, places):
        intake.take(batch)
