"""The lookout beside a worker's work: who leads looks, a fleet tells once, of the database's own outage, too."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glimmr.errors import DatabaseFault
from glimmr.jobs.appointments import now
from glimmr.outcomes import Outcome
from glimmr.stores import alerts as book
from glimmr.stores.database import Database, migrate
from glimmr.watch.channels import channels
from glimmr.watch.health import Checkup
from glimmr.watch.lookout import Lookout
from tests.support.http_server import HttpServer, Request, Wire, answer
from tests.support.servers import PostgreSql
from tests.unit.jobs.toys import Toy, work_off
from tests.unit.watch.alarmed import Kept, Watched


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]], threading.Event]]:
    """An address that keeps what is posted to it, and says when something was."""
    heard, any_heard = list[dict[str, Any]](), threading.Event()

    async def hook(request: Request, wire: Wire) -> bool | None:
        assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
        heard.append(json.loads(request.body))
        any_heard.set()
        return await answer(b"ok")(request, wire)

    with HttpServer({"/hooks/SECRET": hook}) as server:
        yield server.url("/hooks/SECRET"), heard, any_heard


def test_of_two_workers_at_work_one_tells(
    postgresql_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as (url, heard, any_heard):
        monkeypatch.setenv("GLIMMR_ALERT_WEBHOOK", url)
        database = Database(postgresql_database_url)
        watched = Watched(database, tmp_path)
        watched.now = database.read(now)
        watched.ended(Outcome.POISON, reason="stalled")
        lookouts = [
            Lookout(database, watched.settings, channels(watched.settings), Checkup(watched.asked), every_seconds=0.05)
            for _ in range(2)
        ]

        async def work() -> None:
            stop = asyncio.Event()
            at_work = [
                asyncio.create_task(work_off(database, {"toy": Toy()}, stop=stop, until_idle=False, beside=lookout))
                for lookout in lookouts
            ]
            assert await asyncio.to_thread(any_heard.wait, 20)
            for lookout in lookouts:  # nobody has anything to add
                await asyncio.to_thread(lookout.look)
            stop.set()
            await asyncio.gather(*at_work)

        asyncio.run(work())
        for lookout in lookouts:
            lookout.join(10)
            assert not lookout.is_alive()
        database.close()
    assert [(told["alert"], told["state"]) for told in heard] == [("poison", "fired")]


def test_a_database_that_is_away_is_told_by_who_led_last_and_written_down_afterwards(tmp_path: Path) -> None:
    with PostgreSql() as server:
        database = Database(server.url(), patience_seconds=5.0)
        migrate(database)
        watched = Watched(database, tmp_path)
        leader, follower = watched.lookout, watched.another(Kept(name="never"))
        clock = [0.0]
        for lookout in (leader, follower):
            lookout._outage._elapsed = lambda: clock[0]
        assert watched.look() == []
        follower.look(everything=False)
        server.kill()
        for clock[0] in (0.0, 30.0, 60.0, 90.0):
            for lookout in (leader, follower):
                with pytest.raises(DatabaseFault):
                    lookout.look(everything=False)  # nobody leads while the database is away
        (told,) = watched.kept.notices
        assert (told["alert"], told["subject"], told["state"]) == ("component_down", "database", "fired")
        server.start()
        assert watched.look() == [("component_down", "cleared")]
        (past,) = database.read(lambda connection: book.past(connection, 9))
        assert (past.name, past.subject) == ("component_down", "database")
        assert watched.look() == []
        assert follower._outage._channels[0].notices == []
        database.close()
