"""An address that is gone: who named it is asked again, once, for where the file is now."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from glimmr.jobs.job import Ending, Job
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import DownloadStep, download_job
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.scan.sources import enabled
from glimmr.stores import sightings
from glimmr.stores.database import Database
from tests.support.audit import rows
from tests.unit.pipeline import stage


@pytest.fixture
def parts(sqlite_database_url: str, tmp_path: Path) -> Iterator[Parts]:
    database = Database(sqlite_database_url)
    made = stage.parts_of(database, tmp_path)
    made.sources.update(enabled(made.settings))
    yield made
    database.close()
    made.client.close()


@pytest.fixture
def job(parts: Parts) -> Job:
    """The download of an address that PRA's answer about Vermont named long ago."""
    (key,) = stage.remember(parts.database, "a")
    parts.database.write(lambda c: c.exec_driver_sql("UPDATE sightings SET source = 'pra'"))
    answered(parts, hours=100)
    return stage.running(parts.database, download_job(stage.address(parts.database, key)))


def answered(parts: Parts, *, hours: float) -> None:
    then = utcnow() - timedelta(hours=hours)
    parts.database.write(lambda c: sightings.answered(c, "pra", "VT", then, outcome="ok"))


def asked(parts: Parts) -> list[dict[str, Any]]:
    jobs = [args for step, args in stage.live(parts.database) if step == "scan"]
    return [{name: value for name, value in args.items() if name != "since"} for args in jobs]


def ends(parts: Parts, job: Job, outcome: Outcome) -> None:
    ending = Ending(state="dead", ended_as=outcome, outcome=outcome, reason="http_404", message="nothing there")
    parts.database.write(lambda c: DownloadStep(parts).gave_up(c, job, outcome, ending))


def test_who_named_an_address_that_is_gone_is_asked_again_once(parts: Parts, job: Job) -> None:
    ends(parts, job, Outcome.GONE)
    ends(parts, job, Outcome.GONE)
    assert asked(parts) == [{"source": "pra", "place": "VT", "refresh": False}]
    changes = rows(parts.database, "SELECT what FROM address_changes")
    assert [row["what"] for row in changes] == ["new", "gone"]


def test_who_was_asked_a_moment_ago_is_not_asked_again(parts: Parts, job: Job) -> None:
    answered(parts, hours=0)
    ends(parts, job, Outcome.GONE)
    assert asked(parts) == []


def test_of_a_server_that_is_away_nobody_is_asked(parts: Parts, job: Job) -> None:
    ends(parts, job, Outcome.UNREACHABLE)
    assert asked(parts) == []
