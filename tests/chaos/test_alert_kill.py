"""Who dies when an alert has fired or cleared has lost no notice, and nobody hears of it twice."""

import json
import signal
from pathlib import Path

import pytest

from glimmr.jobs.appointments import now
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database, migrate, sqlite_url
from tests.support import line
from tests.support.http_server import HttpServer, Request, Wire, answer
from tests.unit.watch.alarmed import Watched


@pytest.mark.parametrize("state", ["fired", "cleared"])
def test_a_death_before_the_notice_is_sent_delays_it_and_no_more(tmp_path: Path, state: str) -> None:
    data, heard = tmp_path / "data", list[str]()
    data.mkdir()

    async def hook(request: Request, wire: Wire) -> bool | None:
        told = json.loads(request.body)
        heard.append(f"{told['alert']} {told['state']}")
        return await answer(b"ok")(request, wire)

    with HttpServer({"/hook": hook}) as server:
        env = line.environment(GLIMMR_ALERT_WEBHOOK=server.url("/hook"))
        database = Database(sqlite_url(data / "glimmr.sqlite"))
        migrate(database)
        watched = Watched(database, data)
        watched.now = database.read(now)
        (job_id,) = watched.ended(Outcome.POISON, reason="stalled")
        if state == "cleared":
            line.glimmr("alerts", "look", "--data", data, env=env, exit_code=1)
            watched.forget(job_id)
        dies = env | {"GLIMMR_CRASH_AT": f"alert.{state}:1"}
        line.glimmr("alerts", "look", "--data", data, env=dies, exit_code=-signal.SIGKILL)
        for _ in range(2):
            line.glimmr("alerts", "look", "--data", data, env=env, exit_code=None)
        database.close()
    assert heard == ["poison fired", "poison cleared"][: 2 if state == "cleared" else 1]
