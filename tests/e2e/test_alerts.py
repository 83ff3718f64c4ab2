"""`glimmr alerts`, and a worker that tells."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from glimmr.jobs.appointments import now
from glimmr.outcomes import Outcome
from glimmr.stores.database import Database, migrate, sqlite_url
from glimmr.stores.lake import Lake
from tests.support import line
from tests.support.fleet import until
from tests.support.http_server import HttpServer, answer
from tests.unit.watch.alarmed import Watched


def planted(data: Path) -> int:
    """A job that took its workers along; its id."""
    data.mkdir()
    database = Database(sqlite_url(data / "glimmr.sqlite"))
    migrate(database)
    watched = Watched(database, data)
    watched.now = database.read(now)
    (job_id,) = watched.ended(Outcome.POISON, reason="stalled")
    database.close()
    Lake(data / "lake").create()
    return job_id


def test_what_wants_a_person_is_said_though_no_worker_ever_looked(tmp_path: Path) -> None:
    data, env = tmp_path / "data", line.environment()
    job_id = planted(data)
    said = line.glimmr("alerts", "--data", data, env=env, exit_code=1).stdout
    assert f"left alone: 1 (job {job_id})" in said
    assert "what to do: `glimmr logs ID`" in said
    told = json.loads(line.glimmr("alerts", "--data", data, "--json", env=env, exit_code=1).stdout)
    assert [(one["alert"], one["fired_at"]) for one in told["standing"]] == [("poison", None)]
    assert (told["over"], told["undelivered"]) == ([], [])


def test_a_test_says_for_each_channel_how_it_went(tmp_path: Path) -> None:
    with HttpServer({"/hook": answer(b"ok")}) as server:
        env = line.environment(GLIMMR_ALERT_WEBHOOK=server.url("/hook"))
        assert "webhook (127.0.0.1): sent" in line.glimmr("alerts", "test", env=env).stdout
        (request,) = server.requests
        assert json.loads(request.body)["state"] == "test"
        broken = env | {"GLIMMR_ALERT_MAIL": "ops@h.example", "GLIMMR_SMTP_URL": "smtp://127.0.0.1:1"}
        tried = json.loads(line.glimmr("alerts", "test", "--json", env=broken, exit_code=1).stdout)
    assert [(one["channel"], bool(one["fault"])) for one in tried] == [("webhook", False), ("mail", True)]


def test_what_cannot_be_is_refused_with_what_to_do(tmp_path: Path) -> None:
    env = line.environment()
    assert "set GLIMMR_ALERT_WEBHOOK" in line.glimmr("alerts", "test", env=env, exit_code=2).stderr
    assert "did you mean test?" in line.glimmr("alerts", "tst", env=env, exit_code=2).stderr
    wrong = env | {"GLIMMR_ALERT_MAIL": "ops@h.example"}
    assert "GLIMMR_SMTP_URL" in line.glimmr("serve", "--data", tmp_path / "data", env=wrong, exit_code=2).stderr


@pytest.mark.long
def test_a_worker_tells_within_two_minutes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    planted(data)
    with HttpServer({"/hook": answer(b"ok")}) as server:
        env = line.environment(GLIMMR_ALERT_WEBHOOK=server.url("/hook"))
        with subprocess.Popen(line.command("serve", "--data", data), env=env) as process:
            took_seconds = until(lambda: server.requests, 120)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert took_seconds < 60
