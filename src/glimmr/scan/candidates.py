"""The hospitals that are known, found again by numbers, houses and the rare words of their names. Pure, in memory."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from glimmr.model import Hospital
from glimmr.places import PLACES
from glimmr.scan.names import name_words, street, zip_code

_RAREST = 3  # words of a name that are looked up
_MOST_NAMED = 60  # hospitals of one word; a commoner one tells nothing apart
_CUT_AT = 49  # letters: CMS's roster ends longer names in the middle of a word
_CUT_ALIKE = 0.97
_OF_THE_PLACE = 0.25  # what a word weighs that only names the town or the state


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A hospital that is known, with its other names and the licences (state and number) files stated of it."""

    hospital: Hospital
    other_names: tuple[str, ...] = ()
    licences: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the first one first."""
        return (self.hospital.name, *self.other_names)


@dataclass(frozen=True, slots=True)
class _Name:
    """A name in words and in letters, so that `Honor Health` and `HonorHealth` are alike."""

    words: frozenset[str]
    letters: str
    is_cut: bool

    @classmethod
    def of(cls, name: str) -> "_Name":
        words = name_words(name)
        return cls(frozenset(words), "".join(words), len(name) >= _CUT_AT)


# A name is compared with many hospitals, one after the other.
_asked = lru_cache(maxsize=256)(_Name.of)


def rarest(words: Iterable[str], common: Mapping[str, int]) -> list[str]:
    """The words by which a name is looked for, where `common` says how many hospitals have each: one at least."""
    known = sorted((word for word in words if word in common), key=lambda word: common[word])
    return [word for word in known[:_RAREST] if common[word] <= _MOST_NAMED] or known[:1]


class Candidates:
    """The hospitals that are known. What a look-up costs does not grow with their number.

    If they are chosen from more, `of` says from how many, and `common` how many of those have each of their words.
    """

    def __init__(
        self, known: Iterable[Candidate] = (), *, common: Mapping[str, int] | None = None, of: int = 0
    ) -> None:
        self._by_id: dict[str, Candidate] = {}
        self.states: set[str] = set()  # in which they are
        self._ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._common, self._of = common, of
        self._count: Counter[str] = Counter()
        self._named: dict[str, tuple[list[_Name], frozenset[str]]] = {}  # names in words; words of the place
        for one in known:
            self.add(one)

    def add(self, one: Candidate) -> None:
        """One more, or more of one: what its keys led to before, they lead to still."""
        key, hospital = one.hospital.hospital_id, one.hospital
        fresh = key not in self._by_id
        self._by_id[key] = one
        self.states.add(hospital.state)
        names = [_Name.of(name) for name in one.names]
        place = frozenset((*name_words(hospital.city or ""), *name_words(PLACES.get(hospital.state, ""))))
        self._named[key] = names, place
        words = frozenset[str]().union(*(name.words for name in names))
        if fresh:
            self._count.update(words)
        for state in ("", hospital.state):
            for word in words:
                self._ids["word", state, word].add(key)
            for name in names:
                self._ids["name", state, name.letters].add(key)
        for npi in (hospital.npis or "").split("|"):
            self._ids["npi", npi].add(key)
        for state, number in one.licences:
            self._ids["licence", state, number].add(key)
        house = street(hospital.address or "")
        if house:
            self._ids["house", hospital.state, *house].add(key)
            self._ids["house", "", *house].add(key)

    def __getitem__(self, hospital_id: str) -> Candidate:
        """The hospital of this id."""
        return self._by_id[hospital_id]

    def __contains__(self, hospital_id: str) -> bool:
        return hospital_id in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._by_id.values())

    def with_npi(self, npi: str) -> set[str]:
        """Those with this NPI."""
        return self._ids.get(("npi", npi), set()) if npi else set()

    def with_licence(self, licence: tuple[str, str]) -> set[str]:
        """Those with this licence."""
        return self._ids.get(("licence", *licence), set())

    def near(self, names: Iterable[str], address: str | None, state: str) -> set[str]:
        """Those in the same house, and those that share one of the rarest words. An empty `state` is any.

        Of a name of common words those that share them all, or where these are too many, those that are called just so.
        """
        house = street(address or "")
        found = set(self._ids.get(("house", state, *house), ())) if house else set[str]()
        for name in names:
            found |= self._with_words(name_words(name), state)
        return found

    def _with_words(self, words: tuple[str, ...], state: str) -> set[str]:
        lists = sorted((self._ids[key] for word in words if (key := ("word", state, word)) in self._ids), key=len)
        rare = [one for one in lists[:_RAREST] if len(one) <= _MOST_NAMED]
        if rare or not lists:
            return set[str]().union(*rare)
        called_so = self._ids.get(("name", state, "".join(words)), set[str]())
        alike = (set[str].intersection(*lists), called_so)
        return next((some for some in alike if len(some) <= _MOST_NAMED), set[str]())

    def likeness(self, names: Iterable[str], hospital_id: str) -> float:
        """How like the best pair of names is, 0 to 1: the weight of shared words in that of all; rare ones weigh more.

        Words of the hospital's town and state hardly count where only one of the two has them.
        """
        known, place = self._named[hospital_id]
        asked = [_asked(name) for name in names]
        return max((self._alike(ours, theirs, place) for ours in asked for theirs in known), default=0.0)

    def _alike(self, ours: _Name, theirs: _Name, place: frozenset[str]) -> float:
        if ours.letters == theirs.letters and ours.letters:
            return 1.0
        if theirs.is_cut and ours.letters.startswith(theirs.letters):
            return _CUT_ALIKE
        both, either = ours.words & theirs.words, ours.words ^ theirs.words
        if not both:
            return 0.0
        shared = sum(self._weight(word) for word in both)
        apart = sum(self._weight(word) * (_OF_THE_PLACE if word in place else 1.0) for word in either)
        return shared / (shared + apart)

    def _weight(self, word: str) -> float:
        if self._common is None:
            return math.log((len(self._by_id) + 1) / (self._count[word] + 0.5))
        return math.log((self._of + 1) / (self._common.get(word, 0) + 0.5))


def same_house(address: str | None, zip_text: str | None, hospital: Hospital) -> bool:
    """Whether an address is the hospital's: number and street agree, and the ZIP code where both have one."""
    ours, theirs = street(address or ""), street(hospital.address or "")
    if ours is None or ours != theirs:
        return False
    ours_zip, theirs_zip = zip_code(zip_text or address or ""), zip_code(hospital.zip or "")
    return ours_zip is None or theirs_zip is None or ours_zip == theirs_zip
