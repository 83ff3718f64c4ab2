"""A header record: which column is what, in either CMS layout, however it was spelled."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# CMS data dictionary 2.0-3.0, CSV: item and charge columns, then the payer columns of the tall layout.
_ITEM = {
    "description": "description",
    "setting": "setting",
    "billing_class": "billing_class",
    "modifiers": "modifiers",
    "drug_unit_of_measurement": "drug_unit",
    "drug_type_of_measurement": "drug_type",
    "standard_charge|gross": "gross_charge",
    "standard_charge|discounted_cash": "discounted_cash",
    "standard_charge|min": "min_negotiated",
    "standard_charge|max": "max_negotiated",
    "additional_generic_notes": "generic_notes",
}
_PAYER = {
    "payer_name": "payer_name",
    "plan_name": "plan_name",
    "standard_charge|negotiated_dollar": "negotiated_dollar",
    "standard_charge|negotiated_percentage": "negotiated_percentage",
    "standard_charge|negotiated_algorithm": "negotiated_algorithm",
    "standard_charge|methodology": "methodology",
    "estimated_amount": "estimated_amount",
    "median_amount": "median_amount",
    "10th_percentile": "p10_amount",
    "90th_percentile": "p90_amount",
    "count": "allowed_count",
    "additional_payer_notes": "payer_notes",
}
_ALIASES = {
    "modifier": "modifiers",
    "drug_unit_of_measure": "drug_unit_of_measurement",
    "drug_type_of_measure": "drug_type_of_measurement",
    "standard_charge|gross_charge": "standard_charge|gross",
    "standard_charge|cash": "standard_charge|discounted_cash",
    "standard_charge|minimum": "standard_charge|min",
    "standard_charge|maximum": "standard_charge|max",
    "count_of_allowed_amounts": "count",
    "methodology": "standard_charge|methodology",
}
TALL_PAYER_COLUMNS = frozenset(_PAYER.values())
TEMPLATE_NAMES = {
    column: name for name, column in (_ITEM | _PAYER).items()
}  # of the price table → in the tall template
_METRICS = {
    "negotiated_dollar": "negotiated_dollar",
    "negotiated_percentage": "negotiated_percentage",
    "negotiated_algorithm": "negotiated_algorithm",
    "methodology": "methodology",
}
_LEADING_METRICS = {
    "estimated_amount": "estimated_amount",
    "median_amount": "median_amount",
    "10th_percentile": "p10_amount",
    "90th_percentile": "p90_amount",
    "count": "allowed_count",
    "additional_payer_notes": "payer_notes",
}
_CODE = re.compile(r"code\|(\d+|\[i\])(\|type)?", re.ASCII)
_PLACEHOLDER = re.compile(r"\[(i|payer_?name|plan_?name|payer|plan)\]", re.IGNORECASE)
MOST_CELLS = 16_384  # the columns of a spreadsheet
_MOST_COLUMNS = 65_536  # cells beyond are kept as those beyond the header are


@dataclass(slots=True)
class Group:
    """The columns of one payer-plan in a wide header: metric → column index."""

    payer: str
    plan: str | None
    metrics: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several prices a legacy record has for the same item: column by role, and what sets it apart."""

    money: dict[str, int]
    setting: str | None = None
    note: str | None = None


@dataclass(slots=True)
class Columns:
    """What a header says. Indices count columns from 0.

    A legacy table is not CMS's: `code_types` are the types its column names tell ("" where only the code itself does),
    `variants` the prices of one record that are charges of their own.
    """

    names: list[str]  # as published, outer blanks removed
    known: dict[str, int] = field(default_factory=dict[str, int])
    codes: dict[str, tuple[int | None, int | None]] = field(default_factory=dict[str, tuple[int | None, int | None]])
    groups: list[Group] = field(default_factory=list[Group])
    unknown: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    aliased: list[int] = field(default_factory=list[int])
    duplicates: list[int] = field(default_factory=list[int])
    placeholders: list[int] = field(default_factory=list[int])
    legacy: bool = False
    told: bool = True  # False when no record names the columns
    code_types: dict[str, str] = field(default_factory=dict[str, str])
    variants: list[Variant] = field(default_factory=list[Variant])

    @property
    def layout(self) -> str:
        """`wide` when payers stand in the header, else `tall`; `legacy` when it is not CMS's at all."""
        return "legacy" if self.legacy else "wide" if self.groups else "tall"


def fold(cell: str) -> str:
    """A header cell in one spelling: lower case, no blanks round `|`, `_` for inner blanks."""
    return "|".join(["_".join(part.split()) for part in cell.replace("\ufeff", "").casefold().split("|")])


def is_header(cells: Sequence[str]) -> bool:
    """Whether a record is the header of a CMS table: at least one `standard_charge|…` cell, and a second column."""
    folded = [fold(cell) for cell in cells[:MOST_CELLS] if cell and not cell.isspace()]
    return len(folded) > 1 and any(cell.startswith("standard_charge|") for cell in folded)


def within_limit(cells: Sequence[str]) -> Sequence[str]:
    """A header without what no table has: blank cells beyond the columns of a spreadsheet, or a whole book of names."""
    filled = max((at for at, cell in enumerate(cells) if cell and not cell.isspace()), default=0) + 1
    return cells[: min(filled, _MOST_COLUMNS)] if len(cells) > MOST_CELLS else cells


def read_header(cells: Sequence[str]) -> Columns:
    """Which column is what. Of a column that occurs twice the first counts; the other is kept as `name (2)`.

    A payer's column that occurs twice is published twice: each makes a rate, in groups of the same payer and plan.
    """
    columns = Columns([cell.replace("\ufeff", "").strip() for cell in cells])
    groups: dict[tuple[str, str | None, int], Group] = {}
    repeats: Counter[tuple[str, str | None, str]] = Counter()
    seen: dict[str, int] = {}
    understood: set[str] = set()
    for index, name in enumerate(columns.names):
        folded = fold(name)
        if _PLACEHOLDER.search(folded):
            columns.placeholders.append(index)
        if _take_known(columns, index, folded) or _take_code(columns, index, folded):
            understood.add(folded)
            continue
        group = _payer_group(name, folded)
        if group is not None:
            _take_group(groups, group, repeats[group], index)
            if repeats[group]:
                columns.duplicates.append(index)
            repeats[group] += 1
            continue
        label = name or f"column {index + 1}"
        seen[label] = seen.get(label, 0) + 1
        again = seen[label] + (folded in understood)
        if name and again > 1:
            columns.duplicates.append(index)
        columns.unknown.append((index, label if again == 1 else f"{label} ({again})"))
    columns.groups = list(groups.values())
    if columns.groups:
        _give_up_tall_columns(columns)
    return columns


def _take_known(columns: Columns, index: int, folded: str) -> bool:
    name = _ALIASES.get(folded, folded)
    canonical = _ITEM.get(name) or _PAYER.get(name)
    if canonical is None or canonical in columns.known:
        return False
    columns.known[canonical] = index
    if name != folded:
        columns.aliased.append(index)
    return True


def _take_code(columns: Columns, index: int, folded: str) -> bool:
    found = _CODE.fullmatch(folded)
    if not found:
        return False
    code, kind = columns.codes.get(found[1], (None, None))
    if (kind if found[2] else code) is not None:
        return False
    columns.codes[found[1]] = (code, index) if found[2] else (index, kind)
    return True


def _payer_group(name: str, folded: str) -> tuple[str, str | None, str] | None:
    """`standard_charge|P|PLAN|metric`, or `metric|P|PLAN`, with or without PLAN → (payer, plan, metric)."""
    parts = [part.strip() for part in name.split("|")]
    keys = folded.split("|")
    if keys[0] == "standard_charge" and len(parts) >= 3:
        if keys[-1] in _METRICS:
            return _named(parts[1:-1], _METRICS[keys[-1]])
        if keys[1] in _METRICS:
            return _named(parts[2:], _METRICS[keys[1]])
    if keys[0] in _LEADING_METRICS and len(parts) >= 2:
        return _named(parts[1:], _LEADING_METRICS[keys[0]])
    if keys[-1] in _LEADING_METRICS and len(parts) >= 2:
        return _named(parts[1:-1] if keys[0] == "standard_charge" else parts[:-1], _LEADING_METRICS[keys[-1]])
    return None


def _named(names: list[str], metric: str) -> tuple[str, str | None, str] | None:
    if not names or not names[0]:
        return None
    plan = "|".join(names[1:]) or None
    return names[0], plan, metric


def _take_group(
    groups: dict[tuple[str, str | None, int], Group], named: tuple[str, str | None, str], before: int, index: int
) -> None:
    """A column of a payer group; the n-th of the same name goes to that payer-plan's n-th group."""
    payer, plan, metric = named
    groups.setdefault((payer, plan, before), Group(payer, plan)).metrics[metric] = index


def _give_up_tall_columns(columns: Columns) -> None:
    """A wide table has no payer columns of the tall kind; what is called so is kept in `extra`."""
    for canonical in [name for name in columns.known if name in TALL_PAYER_COLUMNS]:
        index = columns.known.pop(canonical)
        columns.unknown.append((index, columns.names[index]))
    columns.unknown.sort()
