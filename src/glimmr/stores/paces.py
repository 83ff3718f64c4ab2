"""When what has a pace was asked, for all processes that work together: a `scan.pace.Diary`."""

from collections.abc import Callable

from sqlalchemy import Connection, Double, bindparam, literal, select, update

from glimmr.stores.catalog import upsert
from glimmr.stores.clock import moment
from glimmr.stores.database import Database
from glimmr.stores.tables import paces

Moments = tuple[float, ...]

_LOCKED = select(paces.c.moments).where(paces.c.name == bindparam("of")).with_for_update()
_NOW = select(moment(literal(0.0, Double())))


class PaceBook:
    """The table `paces`, with the database's clock. Any thread may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, name: str, change: Callable[[Moments, float], Moments]) -> tuple[Moments, float]:
        """Apply a pure change to what is written under `name`: what is there then, and now. Raises DatabaseFault."""

        def work(connection: Connection) -> tuple[Moments, float]:
            upsert(connection, paces, [{"name": name, "moments": []}])
            before = tuple(connection.execute(_LOCKED, {"of": name}).scalar_one())
            now = connection.execute(_NOW).scalar_one().timestamp()  # read once nobody else is before us
            after = change(before, now)
            connection.execute(update(paces).where(paces.c.name == name).values(moments=list(after)))
            return after, now

        return self._database.write(work)
