"""Many, some at a time: SQLite takes a limited number of parameters in one statement, and rows wait in memory."""

from collections.abc import Iterator, Sequence

MOST = 500


def in_parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in their order, at most `MOST` of them in each part."""
    return (ids[at : at + MOST] for at in range(0, len(ids), MOST))
