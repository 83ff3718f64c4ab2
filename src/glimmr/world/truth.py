"""What a right reading of a simulated file gives, told by the table it was written from and by no parser."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from glimmr.world.prices import SLOT_CLOSE, SLOT_OPEN, Charge, Item, Rate, Shape, blocks

DIGEST_COLUMNS: tuple[str, ...] = (
    "description", "code", "code_type", "setting", "gross_charge", "discounted_cash", "min_negotiated",
    "max_negotiated", "payer_name", "plan_name", "negotiated_dollar", "negotiated_percentage", "negotiated_algorithm",
    "methodology", "estimated_amount", "median_amount", "p10_amount", "p90_amount", "allowed_count_min",
    "allowed_count_max", "payer_notes",
)  # fmt: skip

# The primary code is the first of these types that the item has (PRICE_TABLE.md, `charges.code`).
_PRIORITY = ("HCPCS", "CPT", "MS-DRG", "APR-DRG", "APC", "NDC", "CDT", "RC", "CDM", "LOCAL")
_RANK = {kind: max(1, rank) for rank, kind in enumerate(_PRIORITY)}  # HCPCS and CPT rank the same
_MICRO = Decimal("0.000001")
_SLOT = re.compile(f"{SLOT_OPEN}(\\d+){SLOT_CLOSE}")
Row = tuple[str | Decimal | int | None, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a file holds: items as read (CSV records, JSON elements), charges, rates, and the digest of its rows."""

    rows_in: int
    charges: int
    rates: int
    digest: str


def digest(rows: Iterable[Sequence[object]]) -> str:
    """The digest of a price list: the same for the same rows in any order.

    `rows` are charges left-joined with their rates, one sequence per row in the order of `DIGEST_COLUMNS`, which are
    columns of the view `prices`. Each value becomes a text: None is empty, a Decimal is rounded half-even to 6 places
    and written plainly (`12.500000`), an int is written in decimal, a text stays as it is. A row is its values joined
    by U+001F; the digest is the sha256 (hex) of the rows, sorted by code point, joined by a newline, in UTF-8.
    """
    lines = sorted("\x1f".join(_text(value) for value in row) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.quantize(_MICRO, ROUND_HALF_EVEN):f}"
    return str(value)


def counts(shapes: Iterable[Shape]) -> Counts:
    """The truth of a file with these tables (several: the members of an archive)."""
    several = list(shapes)
    rows_in = charges = rates = 0
    for shape in several:
        for block, _ in blocks(shape):
            for item in block.items:
                charges += len(item.charges)
                rates += sum(len(charge.rates) for charge in item.charges)
                rows_in += records(shape, item)
    return Counts(rows_in, charges, rates, digest(row for shape in several for row in rows(shape)))


def records(shape: Shape, item: Item) -> int:
    """Items of the published file: a JSON element, a wide record for each charge, a tall one for each rate."""
    if shape.kind == "json":
        return 1
    if shape.kind == "wide":
        return len(item.charges)
    return sum(tall_records(shape, charge) for charge in item.charges)


def tall_records(shape: Shape, charge: Charge) -> int:
    """Tall records of one charge: one per rate, one at least, and in the quirk `lead_record` one before the payers."""
    lead = "lead_record" in shape.quirks and bool(charge.rates)
    return max(1, len(charge.rates)) + lead


def rows(shape: Shape) -> Iterator[Row]:
    """Every row of the view `prices` that the file must give, in the order of `DIGEST_COLUMNS`."""
    for block, turn in blocks(shape):
        numbers = block.numbers(turn)
        for item in block.items:
            code, kind = _primary(item)
            for charge in item.charges:
                head = (
                    item.description, _fill(code, numbers) or None, kind or None, charge.setting.lower(),
                    amount(_fill(charge.gross, numbers)), amount(charge.cash), amount(charge.low), amount(charge.high),
                )  # fmt: skip
                if not charge.rates:
                    yield (*head, *(None,) * (len(DIGEST_COLUMNS) - len(head)))
                for rate in charge.rates:
                    yield (*head, *_rate_values(rate))


def _rate_values(rate: Rate) -> Row:
    least, most = _count(rate.count)
    return (
        rate.payer, rate.plan or None, amount(rate.dollar), amount(rate.percentage), rate.algorithm or None,
        rate.methodology.lower() or None, amount(rate.estimated), amount(rate.median), amount(rate.p10),
        amount(rate.p90), least, most, rate.notes or None,
    )  # fmt: skip


def _primary(item: Item) -> tuple[str, str]:
    pairs = [(code, kind.upper()) for code, kind in item.codes]
    return min(pairs, key=lambda pair: _RANK[pair[1]], default=("", ""))


def _fill(text: str, numbers: list[str]) -> str:
    return _SLOT.sub(lambda slot: numbers[int(slot.group(1))], text) if SLOT_OPEN in text else text


@lru_cache(maxsize=100_000)
def amount(text: str) -> Decimal | None:
    """The value of a published amount: no number and the sentinel 999999999 are None (PRICE_TABLE.md, Rules)."""
    plain = text.replace("$", "").replace(",", "")
    if plain in ("", "N/A", "999999999"):
        return None
    return Decimal(plain).quantize(_MICRO, ROUND_HALF_EVEN)


def _count(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    least, _, most = text.partition(" through ")
    return int(least), int(most or least)
