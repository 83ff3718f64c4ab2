"""The table a simulated file is written from: charges and rates, drawn block by block from the seed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from glimmr.world.vocabulary import (
    ACCENTED,
    ALGORITHMS,
    COMMON,
    METHODOLOGIES,
    MODIFIERS,
    NOTES,
    PAYERS,
    PLAIN,
    VARIANTS,
    ZERO_COUNT_NOTE,
    Entry,
)

BLOCK_ITEMS = 100
_POOL_BLOCKS = 4  # distinct blocks of a file; further ones repeat them with other numbers
SLOT_OPEN, SLOT_CLOSE = "\ue000", "\ue001"  # private-use characters around the number of a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What decides a table: where its numbers come from, the layout, the CMS template version, and its quirks."""

    key: str
    kind: str  # tall, wide, json
    version: str  # 2.0.0, 2.1.0, 2.2.0, 2.2.1, 3.0.0
    items: int
    quirks: frozenset[str] = frozenset()

    @property
    def is_v3(self) -> bool:
        """Template 3.0 replaced the estimated amount by median, percentiles and count."""
        return self.version.startswith("3")

    @property
    def has_estimate(self) -> bool:
        """CMS's templates 2.0 and 2.2 have `estimated_amount`, 2.1 and 3.0 have not."""
        return self.version.startswith(("2.0", "2.2"))

    @property
    def has_drugs(self) -> bool:
        """Drug units stand in every CSV template, in JSON since 2.2."""
        return self.kind != "json" or not self.version.startswith(("2.0", "2.1"))

    @property
    def is_plain(self) -> bool:
        """Whether letters outside ASCII shall appear in the last block only."""
        return "late_accents" in self.quirks

    @property
    def has_modifiers(self) -> bool:
        """Modifiers stand in every CSV template, in a JSON charge since 3.0."""
        return self.kind != "json" or self.is_v3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one payer-plan negotiated. Every field is the text as published; empty means not published."""

    payer: str
    plan: str
    dollar: str = ""
    percentage: str = ""
    algorithm: str = ""
    methodology: str = ""
    estimated: str = ""
    median: str = ""
    p10: str = ""
    p90: str = ""
    count: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Item x setting, with what it costs whoever pays. Texts as published."""

    setting: str
    billing_class: str = ""
    modifiers: str = ""
    gross: str = ""
    cash: str = ""
    low: str = ""
    high: str = ""
    notes: str = ""
    rates: tuple[Rate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A description, its codes as (code, type), and its charges."""

    description: str
    codes: tuple[tuple[str, str], ...]
    drug_unit: str = ""
    drug_type: str = ""
    charges: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Items whose slots wait for numbers: slot i is a gross charge when `cents[i]` > 0, else a chargemaster number."""

    items: tuple[Item, ...]
    cents: tuple[int, ...]

    def numbers(self, turn: int) -> list[str]:
        """The texts of all slots when the block is used for the `turn`-th time."""
        shift = turn * 1009
        return [
            f"{(whole := cents + shift * (1 + slot % 7)) // 100}.{whole % 100:02d}"
            if cents
            else str(1000000 + shift + slot)
            for slot, cents in enumerate(self.cents)
        ]


def blocks(shape: Shape) -> Iterator[tuple[Block, int]]:
    """Every block of the file in order, each with its turn. The last one is cut to the items that are left."""
    left, number = shape.items, 0
    while left > 0:
        block, turn = block_at(shape, number)
        if left < len(block.items):
            block = replace(block, items=block.items[:left])
        yield block, turn
        left -= BLOCK_ITEMS
        number += 1


def block_at(shape: Shape, number: int) -> tuple[Block, int]:
    """Block `number` of the file and its turn. Only the first few are drawn; later ones repeat all but the first."""
    repeated = max(0, number - 1)
    turn, place = divmod(repeated, _POOL_BLOCKS - 1)
    return _draw_block(shape, place + 1 if number else 0), turn


@lru_cache(maxsize=32)
def _draw_block(shape: Shape, number: int) -> Block:
    random = Random(f"{shape.key}/{number}")  # noqa: S311 - reproducible, not secret
    cents: list[int] = []
    size = min(BLOCK_ITEMS, shape.items - number * BLOCK_ITEMS)
    entries = [entry for entry in COMMON if number == 0 and random.random() < 0.9][:size]
    entries += random.choices(_catalogue(shape, number), k=size - len(entries))
    drawn = [_item(shape, random, entry, cents, first=place == 0) for place, entry in enumerate(entries)]
    if shape.kind != "json" and number == 0 and size > 20 and shape.version.startswith(("2.2", "3")):
        drawn[20] = _modifier_item(shape, random)
    return Block(tuple(drawn), tuple(cents))


def _catalogue(shape: Shape, number: int) -> tuple[Entry, ...]:
    """What the block is drawn from. With `late_accents` only the last block has letters outside ASCII."""
    is_last = number == (shape.items - 1) // BLOCK_ITEMS
    return PLAIN if shape.is_plain and not is_last else PLAIN + ACCENTED * 2


@lru_cache(maxsize=512)
def payers(shape: Shape) -> tuple[tuple[str, str], ...]:
    """The payer-plan pairs of the file; the quirk `no_plan` leaves the first without a plan."""
    random = Random(f"{shape.key}/payers")  # noqa: S311 - reproducible, not secret
    pairs = [(payer, plan) for payer, plans in PAYERS for plan in plans]
    if shape.is_plain:
        pairs = [pair for pair in pairs if "".join(pair).isascii()]
    chosen = random.sample(pairs, k=random.randint(3, 9))
    return ((chosen[0][0], ""), *chosen[1:]) if "no_plan" in shape.quirks else tuple(chosen)


@lru_cache(maxsize=512)
def _price_level(key: str) -> float:
    return Random(f"{key}/level").uniform(0.55, 1.9)  # noqa: S311 - reproducible, not secret


def _item(shape: Shape, random: Random, entry: Entry, cents: list[int], *, first: bool) -> Item:
    codes = [(code or _slot(cents, 0), _case(shape, random, kind)) for kind, code in entry.codes]
    if entry.codes[0][1] and (first or random.random() < 0.4):
        codes.append((_slot(cents, 0), "CDM"))  # a chargemaster number also keeps neighbours apart
    description = entry.description if entry in COMMON else entry.description + random.choice(VARIANTS)
    if random.random() < 0.02:
        description = description.replace(", ", ",\n", 1)
    settings = [entry.setting]
    if entry.setting == "both" and random.random() < 0.3:
        settings = ["inpatient", "outpatient"]
    unit, unit_type = entry.drug if shape.has_drugs else ("", "")
    charges = tuple(_charge(shape, random, entry, setting, cents) for setting in settings)
    return Item(description=description, codes=tuple(codes), drug_unit=unit, drug_type=unit_type, charges=charges)


def _slot(cents: list[int], amount_cents: int) -> str:
    cents.append(amount_cents)
    return f"{SLOT_OPEN}{len(cents) - 1}{SLOT_CLOSE}"


def _case(shape: Shape, random: Random, word: str) -> str:
    """The word, in the quirk `mixed_case` sometimes written otherwise; readers fold it back."""
    if "mixed_case" not in shape.quirks or random.random() < 0.5:
        return word
    return word.lower() if word.isupper() else word.title()


def _charge(shape: Shape, random: Random, entry: Entry, setting: str, cents: list[int]) -> Charge:
    gross = max(0.0, entry.price * _price_level(shape.key) * random.uniform(0.7, 1.5))
    rates = tuple(_rate(shape, random, payer, plan, gross) for payer, plan in payers(shape) if random.random() < 0.8)
    dollars = [float(rate.dollar) for rate in rates if rate.dollar.replace(".", "").isdigit()]
    notes = _note(shape, random) if random.random() < 0.06 else ""
    if shape.kind == "tall" and rates:
        notes = ""  # the tall layout has one notes column, and with a payer it belongs to the rate
    return Charge(
        setting=_case(shape, random, setting),
        billing_class="facility" if "billing_class" in shape.quirks else "",
        modifiers=random.choice(MODIFIERS)[0] if shape.has_modifiers and random.random() < 0.03 else "",
        gross=_gross(shape, random, gross, cents),
        cash=_amount(shape, random, gross * random.choice((0.4, 0.5, 0.65))) if random.random() < 0.9 else "",
        low=f"{min(dollars):.2f}" if dollars else "",
        high=f"{max(dollars):.2f}" if dollars else "",
        notes=notes,
        rates=rates,
    )


def _gross(shape: Shape, random: Random, gross: float, cents: list[int]) -> str:
    if "messy" in shape.quirks and random.random() < 0.1:
        return random.choice((f"${gross:,.2f}", "N/A", "0", f"{gross:,.2f}", "0.00"))
    return _slot(cents, max(1, round(gross * 100))) if gross else "0"


def _amount(shape: Shape, random: Random, value: float) -> str:
    """A published amount: mostly two decimals, sometimes none, five, or the noise of a binary float."""
    draw = random.random()
    if draw < 0.86:
        return f"{value:.2f}"
    if draw < 0.93:
        return f"{value:.0f}"
    if draw < 0.97:
        return f"{value:.5f}"
    if "messy" in shape.quirks and draw < 0.99:
        return random.choice((f"${value:,.2f}", "N/A", "0"))
    return repr(value) if 1000 < value < 9000 else f"{value:.3f}"


def _rate(shape: Shape, random: Random, payer: str, plan: str, gross: float) -> Rate:
    share = random.uniform(0.2, 0.95)
    kind = random.choices(("dollar", "percentage", "algorithm", "both"), weights=(70, 15, 10, 5))[0]
    methodology = {"percentage": METHODOLOGIES[2], "algorithm": "other"}.get(kind) or random.choice(METHODOLOGIES)
    published = {"methodology": _case(shape, random, methodology)}
    if kind in ("dollar", "both"):
        published["dollar"] = _amount(shape, random, gross * share)
    if kind in ("percentage", "both"):
        published["percentage"] = random.choice((f"{share * 100:.0f}", f"{share * 100:.1f}", "70.5"))
    if kind == "algorithm":
        published["algorithm"] = random.choice(ALGORITHMS[:3] if shape.is_plain else ALGORITHMS)
    if methodology == "other" or random.random() < 0.04:
        published["notes"] = _note(shape, random)
    if kind != "dollar" or random.random() < 0.3:
        published |= _allowed(shape, random, gross * share)
    return Rate(payer=payer, plan=plan, **published)


def _allowed(shape: Shape, random: Random, value: float) -> dict[str, str]:
    """What was really paid: the estimate of templates 2.x, or median, percentiles and count of 3.0."""
    if shape.has_estimate:
        return {"estimated": "999999999" if random.random() < 0.1 else f"{value:.2f}"}
    if not shape.is_v3:
        return {}
    count = random.choice(("0", "1 through 10", str(random.randint(11, 4000))))
    if count == "0":
        return {"count": "0", "notes": ZERO_COUNT_NOTE}
    return {"count": count, "median": f"{value:.2f}", "p10": f"{value * 0.8:.2f}", "p90": f"{value * 1.3:.2f}"}


def _note(shape: Shape, random: Random) -> str:
    return random.choice(NOTES[:5] if shape.is_plain else NOTES)


def _modifier_item(shape: Shape, random: Random) -> Item:
    """A row without a code that says what a modifier does to prices (legal in CSV since template 2.2)."""
    code, description = random.choice(MODIFIERS)
    payer, plan = payers(shape)[-1]
    rate = Rate(payer=payer, plan=plan, percentage="50", methodology=METHODOLOGIES[2], notes="Applied to the rate")
    if shape.is_v3:
        rate = replace(rate, count="0", notes=ZERO_COUNT_NOTE)
    charge = Charge(setting="both", modifiers=code, rates=(rate,))
    return Item(description=description, codes=(), charges=(charge,))
