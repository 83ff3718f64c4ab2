"""Whatever ran runs again, three times and in any order: the tables stay what they are, row for row."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from glimmr import app
from glimmr.jobs import ledger
from glimmr.jobs.job import NewJob
from glimmr.settings import Settings, load
from glimmr.stores.database import Database, sqlite_url
from glimmr.world import serve_in_thread, world
from tests.support import line
from tests.support.audit import audit


def jobs_of(settings: Settings) -> list[NewJob]:
    """Every job there ever was, to be put again."""
    database = Database(sqlite_url(settings.data / "glimmr.sqlite"))
    found = database.read(lambda connection: ledger.listing(connection, most=100_000))
    database.close()
    return list(
        {
            new.key: new for new in (NewJob(step=job["step"], args=job["args"], host=job["host"]) for job in found)
        }.values()
    )


def replay(settings: Settings, jobs: list[NewJob], dice: random.Random) -> None:
    """All of them in a random order: what runs earlier has the higher priority, and a copy waits behind it."""
    places = dice.sample(range(len(jobs)), len(jobs))
    shuffled = [
        NewJob(step=jobs[place].step, args=jobs[place].args, host=jobs[place].host, priority=n)
        for n, place in enumerate(places)
    ]
    with app.working(settings) as parts:
        parts.database.write(lambda connection: ledger.enqueue(connection, shuffled + shuffled[::-1]))
        asyncio.run(app.serve(parts, drain=True, stop=asyncio.Event()))


@pytest.mark.parametrize("files", [4, pytest.param(60, marks=pytest.mark.long)])
def test_every_job_put_three_times_in_any_order_changes_no_row(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: object
) -> None:
    built, seed = world(seed=11, n=files, mix="demo" if files > 20 else "load"), os.getpid()
    dice = random.Random(seed)
    with serve_in_thread(built) as server:
        for name, value in {**line.HURRY, **server.settings}.items():
            monkeypatch.setenv(name, value)
        settings = load(data=tmp_path / "data")
        rows = [("H", "VT", ccn, file.url) for file in built.files for ccn in file.hospitals]
        listed = line.write_list(tmp_path / "list.csv", rows)
        with app.working(settings) as parts:
            asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
        jobs, digest = jobs_of(settings), line.whole_digest(settings.data)
        for _ in range(3):
            replay(settings, jobs, dice)
            assert audit(settings.data, urls={f.url for f in built.files}, digest=digest) == [], seed
