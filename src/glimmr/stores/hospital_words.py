"""Which words the names of hospitals have, and how common each is: plain functions of the caller's transaction."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, func, select

from glimmr.stores.catalog import upsert
from glimmr.stores.in_parts import in_parts
from glimmr.stores.tables import hospital_words

_AMONG = hospital_words.c.word.in_(bindparam("words", expanding=True))
_COUNT = select(hospital_words.c.word, func.count()).where(_AMONG).group_by(hospital_words.c.word)
_WITH = select(hospital_words.c.hospital_id).where(_AMONG).distinct()


def write(connection: Connection, words: Mapping[str, Collection[str]]) -> None:
    """The words of hospitals, by their ids. A name that a hospital had stays one of its own."""
    rows = ({"word": word, "hospital_id": key} for key, some in words.items() for word in some)
    upsert(connection, hospital_words, rows)


def count(connection: Connection, words: Collection[str]) -> dict[str, int]:
    """How many hospitals have each of these words; those that none has are left out."""
    return {word: of for part in in_parts(sorted(words)) for word, of in connection.execute(_COUNT, {"words": part})}


def with_any(connection: Connection, words: Collection[str]) -> set[str]:
    """The hospitals that have one of these words, or more."""
    return {key for part in in_parts(sorted(words)) for key in connection.execute(_WITH, {"words": part}).scalars()}
