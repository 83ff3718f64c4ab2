"""What must be true and is looked after: how a breach of it is found, and how it is made true again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from glimmr.stores.database import Connection, Database

_PAGE, _SHELF_PAGE = 100, 10_000


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach. `subject` names what is concerned, for ever the same; `text` says what is wrong with it."""

    subject: str
    text: str


Count = Callable[[Connection], None]
"""Counts a repair; called in the repair's own transaction."""
Find = Callable[[str, int], Sequence[Violation]]
"""`find(after, most)`: the first `most` breaches after the subject `after`, in order; fewer when there are no more."""
Repair = Callable[[Violation, Count], bool]
"""Makes it true again, doing it twice being harmless, after having looked again. False: nothing was wrong any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """Something that must be true. `find` and `repair` raise a LocalFault when what they need does not answer.

    `by_time`: it judges by clocks who is alive, so that it may be trusted only while the database has been steady.
    `lists_a_shelf`: each `find` costs a listing of a whole shelf. It finds more breaches at once, and looks more seldom
    than `every_seconds` where that takes long. (The next page begins after the last of this one, so that breaches that
    cannot be repaired block nothing.)
    """

    name: str
    text: str  # what must be true
    cure: str  # what `repair` does
    find: Find
    repair: Repair
    every_seconds: float = 30.0
    by_time: bool = False
    lists_a_shelf: bool = False

    @property
    def at_a_time(self) -> int:
        """How many breaches are found at once."""
        return _SHELF_PAGE if self.lists_a_shelf else _PAGE


def breaches(invariant: Invariant) -> Iterator[Violation]:
    """All that is found, page by page. Raises what `find` raises."""
    after, full = "", True
    while full:
        page = invariant.find(after, invariant.at_a_time)
        yield from page
        full = len(page) >= invariant.at_a_time
        after = page[-1].subject if page else after


def reading(database: Database, find: Callable[[Connection, str, int], Sequence[Violation]]) -> Find:
    """A `find` that needs nothing but one view of the database."""
    return lambda after, most: database.read(lambda connection: find(connection, after, most))


def writing(database: Database, restore: Callable[[Connection, str], bool]) -> Repair:
    """A `repair` that is one transaction. `restore(connection, subject)` looks again; whether anything was wrong."""

    def repair(violation: Violation, count: Count) -> bool:
        def work(connection: Connection) -> bool:
            restored = restore(connection, violation.subject)
            if restored:
                count(connection)
            return restored

        return database.write(work)

    return repair
