"""The rules for a table's column names (CSV row 3), and the way of every header through the rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glimmr.model import Header
from glimmr.parse.batch import Places
from glimmr.parse.findings import Findings
from glimmr.parse.rules import edition as editions
from glimmr.parse.rules import header as general_rules
from glimmr.parse.rules.cells import Cells
from glimmr.parse.tables.header import TEMPLATE_NAMES, Columns, fold

_ITEM = (
    "description", "setting", "gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "generic_notes",
)  # fmt: skip
_FROM_2_2 = ("drug_unit", "drug_type", "modifiers")
_PAYER = ("negotiated_dollar", "negotiated_percentage", "negotiated_algorithm", "methodology")
_ALLOWED = ("median_amount", "p10_amount", "p90_amount", "allowed_count")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the header's rules leave for the rows: which edition's rules hold, and where columns stand."""

    edition: str | None
    cells: Cells


def check_table(
    columns: Columns,
    above: Sequence[Sequence[str]],
    header: Header,
    findings: Findings,
    *,
    number: int,
    places: Places,
    first: int = 1,
) -> Judged:
    """The rules for the header of a table: general data elements above it (`above`), column names in record `number`.

    `above` begins with record `first`. A table that is not CMS's is only told which columns nobody knows.
    """
    row = f"{places.prefix}{number}"
    _tell_columns(columns, findings, lambda index: row + places.of_column(index, columns.names[index]))
    if columns.legacy or places.by_name:
        return Judged(None, Cells())

    def place(row: int, index: int | None = None) -> str:
        return f"{places.prefix}{first - 1 + row}" + ("" if index is None else f"C{index + 1}")

    general = general_rules.General(above)
    elements = general.elements | editions.elements_of(columns)
    edition = editions.edition_of(header.version, header.last_updated_on, elements)
    general_rules.check_general(general, edition, findings, place)
    at = place(general.row + 1, general.cells["version"][0]) if "version" in general.cells else place(1)
    general_rules.check_version(header.version, findings, at, elements)
    if general.row and (general.row, number - first) != (1, 2):
        where = f"general data in row {first - 1 + general.row}, column names in row {number}"
        findings.add("GL-HEADER-ROW", row, value=where)
    _check_layout(columns, edition, findings, row)
    if edition == "3.0":
        _check_estimates(columns, findings, lambda index: row + places.of_column(index, columns.names[index]))
    return Judged(edition, Cells(columns, places))


def check_document(root: Mapping[str, Any], header: Header, elements: set[str], findings: Findings) -> Judged:
    """The rules for the root of a JSON document; `elements` are the columns its items filled."""
    told = editions.ELEMENTS_2_2 | editions.ELEMENTS_3_0 | editions.ELEMENTS_BEFORE_3_0
    elements = elements | (set(root) & told)
    edition = editions.edition_of(header.version, header.last_updated_on, elements)
    general_rules.check_root(root, edition, findings)
    general_rules.check_version(header.version, findings, "/version", elements)
    return Judged(edition, Cells())


def _tell_columns(columns: Columns, findings: Findings, place: Callable[[int], str]) -> None:
    for code, indices in (
        ("GL-PLACEHOLDER", columns.placeholders),
        ("GL-DUPLICATE-COLUMN", columns.duplicates),
        ("GL-UNKNOWN-COLUMN", [i for i, _ in columns.unknown if columns.names[i] and i not in columns.duplicates]),
    ):
        for index in indices:
            findings.add(code, place(index), name=columns.names[index])
    for group in () if columns.legacy else columns.groups:
        if group.plan is None:
            first = min(group.metrics.values())
            findings.add("GL-HEADER-NO-PLAN", place(first), name=columns.names[first])
    if not columns.legacy:
        for index in sorted({*columns.aliased, *_misspelled(columns)}):
            findings.add("GL-HEADER-ALIAS", place(index), name=columns.names[index])


def _misspelled(columns: Columns) -> Iterator[int]:
    """Known columns with blanks where CMS has `_`: its validator does not know them."""
    pairs = (index for pair in columns.codes.values() for index in pair if index is not None)
    for index in (*columns.known.values(), *pairs):
        parts = [part.strip().casefold() for part in columns.names[index].split("|")]
        if "|".join(parts) != fold(columns.names[index]):
            yield index


def _check_estimates(columns: Columns, findings: Findings, place: Callable[[int], str]) -> None:
    inside = [group.metrics.get("estimated_amount") for group in columns.groups]
    for index in (columns.known.get("estimated_amount"), *inside):
        if index is not None:
            findings.add("GL-ESTIMATE-IN-3", place(index), name=columns.names[index])


def _check_layout(columns: Columns, edition: str, findings: Findings, row: str) -> None:
    """Tall or wide, and every column that the layout requires, said once for each that is missing."""
    folded = {fold(name) for name in columns.names}
    tall = {"payer_name", "plan_name"} <= folded
    if tall == bool(columns.groups):
        what = "both payer_name, plan_name and payers in the header" if tall else "no payer_name and plan_name"
        findings.add("GL-LAYOUT", row, value=what)
    for name in _missing(columns, edition, tall=tall):
        findings.add("GL-COLUMN-MISSING", row, name=name)


def _missing(columns: Columns, edition: str, *, tall: bool) -> Iterator[str]:
    required = _ITEM + (_FROM_2_2 if edition >= "2.2" else ())
    amounts = _ALLOWED if edition == "3.0" else ("estimated_amount",) if edition == "2.2" else ()
    if tall and not columns.groups:
        required += ("payer_name", "plan_name", *_PAYER, *amounts)
    yield from (TEMPLATE_NAMES[name] for name in required if name not in columns.known)
    yield from _missing_codes(columns)
    for group in columns.groups:
        names = "|".join(filter(None, (group.payer, group.plan or "[plan_name]")))
        yield from (f"standard_charge|{names}|{name}" for name in _PAYER if name not in group.metrics)
        leading = (*amounts, "payer_notes")
        yield from (f"{TEMPLATE_NAMES[name]}|{names}" for name in leading if name not in group.metrics)


def _missing_codes(columns: Columns) -> Iterator[str]:
    """`code|1` to the highest number there is, each with its type."""
    numbers = [int(key) for key in columns.codes if key.isdigit()]
    wanted = {str(number) for number in range(1, min(max(numbers, default=1), len(columns.names) + 1) + 1)}
    if "[i]" in columns.codes and not numbers:
        return  # told as a placeholder
    for key in sorted(wanted | set(columns.codes), key=lambda key: (not key.isdigit(), len(key), key)):
        code, kind = columns.codes.get(key, (None, None))
        yield from (name for name, index in ((f"code|{key}", code), (f"code|{key}|type", kind)) if index is None)
