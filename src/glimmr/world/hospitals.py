"""The hospitals of the simulated world: invented names in real towns, with CMS-like numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from glimmr.world.places import ENDINGS, FREELY_ASSOCIATED, NATURE, SAINTS, SPANISH, STATES, STREETS, Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """A place that must publish prices. `ccn` is zero-padded text; `host` is its own web site."""

    number: int
    ccn: str
    name: str
    address: str
    city: str
    state: str
    zip: str
    phone: str
    beds: int
    lat: float
    lon: float
    host: str

    @property
    def postal(self) -> str:
        """The address as price files write it."""
        return f"{self.address}, {self.city}, {self.state} {self.zip}"


def draw_hospitals(seed: int, n: int, states: Sequence[str]) -> tuple[Hospital, ...]:
    """`n` hospitals spread over the states in turn; the same for the same seed."""
    known = STATES | FREELY_ASSOCIATED
    random = Random(f"{seed}/hospitals")  # noqa: S311 - reproducible, not secret
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    drawn: list[Hospital] = []
    for number in range(n):
        state = known[states[number % len(states)]]
        town = state.towns[counts[state.code] % len(state.towns)]
        drawn.append(
            Hospital(
                number=number,
                ccn=_ccn(state.ccn_prefix, counts[state.code]),
                name=_name(random, state.code, town, taken),
                address=f"{random.randint(1, 990)} {random.choice(STREETS)}",
                city=town.name,
                state=state.code,
                zip=town.zip,
                phone=f"({random.randint(201, 989)}) 555-01{random.randint(0, 99):02d}",
                beds=random.choice((15, 25, 25, 48, 90, 132, 210, 340, 612)),
                lat=round(town.lat + random.uniform(-0.05, 0.05), 4),
                lon=round(town.lon + random.uniform(-0.05, 0.05), 4),
                host=f"h{number}.hospital.test",
            )
        )
        counts[state.code] += 1
    return tuple(drawn)


def _ccn(prefix: str, place: int) -> str:
    """State prefix and four digits: 0001-0879 short-term hospitals, 1300-1399 critical access ones (CMS, SOM 2779A)."""
    return f"{prefix}{1300 + place // 4 if place % 4 == 3 else 1 + place:04d}"


def _name(random: Random, state: str, town: Town, taken: set[str]) -> str:
    """A name nobody in this world has yet."""
    if state == "PR":
        first, ending = random.choice(SPANISH), f"de {town.name}"
    else:
        first = random.choice((f"St. {random.choice(SAINTS)}", random.choice(NATURE), town.name))
        ending = random.choice(ENDINGS)
    name = f"{first} {ending}"
    wings = iter(("North", "South", "East", "West"))
    again = 2
    while name in taken:
        wing = next(wings, None)
        name = f"{first} {ending} {wing or again}"
        again += wing is None
    taken.add(name)
    return name
