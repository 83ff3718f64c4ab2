"""What the columns of a free-form table from before CMS's template are."""

import re
from collections.abc import Sequence

from glimmr.parse.tables.header import Columns, Group, Variant
from glimmr.parse.tables.roles import Column, looked_at, payer_columns, roles
from glimmr.parse.tables.vocabulary import PRICES, Named, Role

_ITEM_PRICES = (Role.GROSS, Role.CASH, Role.MIN, Role.MAX)
_SINGLE = (Role.DESCRIPTION, Role.SETTING, Role.BILLING_CLASS, Role.MODIFIERS, Role.NOTES, Role.CODE_TYPE)
_TALL = (Role.PAYER, Role.PLAN, Role.METHODOLOGY, Role.NEGOTIATED)
_REPORT = re.compile(r"\b(revenue|rev|increase|change|variance|difference)\b", re.IGNORECASE)
_PAYER_PREFIX = re.compile(
    r"payer (?:specific )?negotiated charge:?\s+(?P<payer>.+?)\s*(?:\(plan:\s*(?P<plan>[^)]*)\))?", re.IGNORECASE
)


def columns_of(names: Sequence[str], sample: Sequence[Sequence[str]]) -> Columns | None:
    """What the columns of these names are, told by the names and a sample of records; None when it is no price list.

    A price list says what costs something (a description or a code) and has a price somewhere.
    """
    looked = [
        looked_at(index, name, [record[index] for record in sample if index < len(record)])
        for index, name in enumerate(names)
    ]
    found = roles(looked)
    if _is_revenue_report(looked, found):
        return None
    payers = payer_columns(looked, found)
    columns = _built(names, looked, found, payers)
    says_what = Role.DESCRIPTION in columns.known or columns.codes
    return columns if says_what and any(looked[index].numbers for index in price_columns(columns)) else None


def _is_revenue_report(columns: Sequence[Column], found: dict[int, Named]) -> bool:
    """A form on how prices changed: no codes, and columns of revenue, increase or change."""
    if any(is_a.role is Role.CODE for is_a in found.values()):
        return False
    return any(_REPORT.search(c.name.replace("_", " ")) and c.numbers for c in columns)


def _built(names: Sequence[str], looked: Sequence[Column], found: dict[int, Named], payers: Sequence[int]) -> Columns:
    columns = Columns([name.replace("\ufeff", "").strip() for name in names], legacy=True)
    taken = set(payers)
    columns.groups = [_group(columns.names[index], index) for index in payers]
    for role in (*_SINGLE, *(() if payers else _TALL)):
        best = _best(looked, found, taken, role)
        if best is not None:
            columns.known[role.value] = best
            taken.add(best)
    _take_lone_rate(columns, looked, found, taken)
    _take_prices(columns, looked, found, taken)
    _take_codes(columns, looked, found, taken)
    known = taken | set(columns.known.values())
    columns.unknown = unknown_columns(columns.names, known)
    columns.aliased = sorted(known)
    method = _best(looked, found, taken, Role.METHODOLOGY) if payers else None
    if method is not None:  # it stays in `extra` too, where it is shown
        columns.known[Role.METHODOLOGY.value] = method
    return columns


def _group(name: str, index: int) -> Group:
    prefixed = _PAYER_PREFIX.fullmatch(name)
    payer, plan = (prefixed["payer"], prefixed["plan"]) if prefixed else (name, None)
    return Group(payer, plan, {"negotiated_dollar": index})


def _best(looked: Sequence[Column], found: dict[int, Named], taken: set[int], role: Role) -> int | None:
    """The surest column of a role; the first of equally sure ones. An empty column comes last."""
    fit = [c for c in looked if c.index not in taken and found[c.index].role is role]
    return max(fit, key=lambda c: (c.filled > 0, found[c.index].weight, -c.index)).index if fit else None


def _take_lone_rate(columns: Columns, looked: Sequence[Column], found: dict[int, Named], taken: set[int]) -> None:
    """`Rate` beside `Payer` is what that payer pays."""
    if Role.PAYER not in columns.known or Role.NEGOTIATED in columns.known:
        return
    for column in looked:
        is_a = found[column.index]
        if is_a.role is Role.GROSS and is_a.weight <= 3 and column.index not in taken:
            columns.known[Role.NEGOTIATED.value] = column.index
            taken.add(column.index)
            return


def _take_prices(columns: Columns, looked: Sequence[Column], found: dict[int, Named], taken: set[int]) -> None:
    """Of each role the surest columns; several of them (IP and OP, two discounts) make several charges."""
    by_role: dict[Role, list[int]] = {}
    for role in _ITEM_PRICES:
        fit = [
            c for c in looked if c.index not in taken and found[c.index].role is role and (c.numbers or not c.filled)
        ]
        if not fit:
            continue
        if any(c.numbers for c in fit):
            fit = [c for c in fit if c.numbers]
        surest = max(_sureness(found[c.index]) for c in fit)
        by_role[role] = [c.index for c in fit if _sureness(found[c.index]) == surest]
        taken.update(by_role[role])
    columns.variants = _variants(columns, by_role, found)
    columns.known.update(columns.variants[0].money if columns.variants else {})
    if len(columns.variants) == 1 and not columns.variants[0].setting:
        columns.variants = []


def _sureness(is_a: Named) -> tuple[int, bool]:
    return is_a.weight, is_a.average


def _variants(columns: Columns, by_role: dict[Role, list[int]], found: dict[int, Named]) -> list[Variant]:
    """Prices without a setting belong to the first charge; equal names in a row make charges with a note each."""
    settings = list(
        dict.fromkeys(found[i].setting for indices in by_role.values() for i in indices if found[i].setting)
    )
    if Role.SETTING in columns.known and not any(
        len({found[i].setting for i in indices} - {None}) > 1 for indices in by_role.values()
    ):
        settings = []
    made: dict[tuple[str | None, int], dict[str, int]] = {}
    for role, indices in by_role.items():
        seen: dict[str | None, int] = {}
        for index in indices:
            setting = found[index].setting if settings else None
            setting = setting or (settings[0] if settings else None)
            nth = seen.get(setting, 0)
            seen[setting] = nth + 1
            made.setdefault((setting, nth), {})[role.value] = index
    ordered = sorted(made.items(), key=lambda pair: (pair[0][1], settings.index(pair[0][0]) if pair[0][0] else 0))
    return [
        Variant(money, setting, None if not nth else columns.names[min(money.values())])
        for (setting, nth), money in ordered
    ]


def _take_codes(columns: Columns, looked: Sequence[Column], found: dict[int, Named], taken: set[int]) -> None:
    kind = columns.known.pop(Role.CODE_TYPE.value, None)
    for column in looked:
        is_a = found[column.index]
        if is_a.role is not Role.CODE or column.index in taken:
            continue
        key = str(len(columns.codes) + 1)
        if is_a.code_type == "" and kind is not None:
            columns.codes[key] = (column.index, kind)
            kind = None
        else:
            columns.codes[key] = (column.index, None)
            columns.code_types[key] = is_a.code_type or ""
        taken.add(column.index)
    if kind is not None:
        taken.discard(kind)


def unknown_columns(names: Sequence[str], known: set[int]) -> list[tuple[int, str]]:
    """The columns not in `known`, under names of their own: a name that repeats becomes `name (2)`."""
    seen: dict[str, int] = {}
    unknown: list[tuple[int, str]] = []
    for index, name in enumerate(names):
        label = name or f"column {index + 1}"
        seen[label] = seen.get(label, 0) + 1
        if index not in known:
            unknown.append((index, label if seen[label] == 1 else f"{label} ({seen[label]})"))
    return unknown


def price_columns(columns: Columns) -> set[int]:
    """Which columns hold prices: the item's, those of its variants, and the payers'."""
    prices = {index for variant in columns.variants for index in variant.money.values()}
    prices |= {columns.known[role.value] for role in PRICES if role.value in columns.known}
    return prices | {index for group in columns.groups for index in group.metrics.values()}
