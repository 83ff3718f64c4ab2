"""What `glimmr health` says of a real data folder in which one thing after the other is broken and mended."""

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glimmr import app, fleet, watching
from glimmr.errors import UsageError
from glimmr.settings import Settings, load
from glimmr.stores.database import Database, sqlite_url
from glimmr.watch import health_json
from glimmr.watch.checks import stores
from glimmr.watch.health import COMPONENTS, Checkup
from glimmr.watch.lookout import Lookout
from tests.support import line
from tests.support.servers import RedisServer, free_port
from tests.support.shop import Shop, open_shop, table

NOBODY = "INSERT INTO workers VALUES ('h-1-a', 'h', 1, '0', '2020-01-01', '2020-01-01', '{\"download\": 1}')"


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which one file was published."""
    folder = tmp_path_factory.mktemp("worked")
    with open_shop() as shop:
        walk(settings_of(folder / "data"), shop, {"/a": table(20)})
    return folder / "data"


@pytest.fixture
def settings(worked: Path, tmp_path: Path) -> Settings:
    """A copy of it."""
    return settings_of(Path(shutil.copytree(worked, tmp_path / "data")))


def settings_of(data: Path, **more: Any) -> Settings:
    given: dict[str, Any] = {"min_free_bytes": 1, "retry_scale": 0.001, "max_attempts": 2, "patience_seconds": 5.0}
    return load(data=data, allow_addresses=("127.0.0.1",), **(given | more))


def walk(settings: Settings, shop: Shop, files: dict[str, bytes]) -> None:
    shop.files |= files
    rows = [(f"Hospital {n}", "VT", f"47000{n}", shop.base + path) for n, path in enumerate(files)]
    settings.data.parent.mkdir(exist_ok=True)
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))


def unwell(settings: Settings) -> dict[str, tuple[str, str]]:
    """The components that are not well: how they are and why."""
    return {one.component: (one.status, one.why) for one in watching.health(settings) if one.status != "pass"}


@contextmanager
def changed(settings: Settings, *statements: str) -> Iterator[Database]:
    database = Database(sqlite_url(settings.data / "glimmr.sqlite"))
    for statement in statements:
        database.write(lambda c, text=statement: c.exec_driver_sql(text))
    yield database
    database.close()


def test_all_is_well_where_all_is(settings: Settings) -> None:
    found = watching.health(settings)
    assert {one.component: one.status for one in found} == {
        part.name: "pass" for part in COMPONENTS if part.name != "redis"
    }
    seen = {one.component: one.observed for one in found}
    assert seen["jobs"]["last_15_minutes"]["by_fault"] == {"ok": 4}
    assert seen["files"] == {"read": 1, "without_prices": 0, "by_fault": {"ok": 1}, "by_outcome": {"ok": 1}}
    assert seen["disk"]["data"]["free_bytes"] > 0


def test_a_database_that_is_no_database_is_named_and_what_is_asked_of_it_is_unknown(settings: Settings) -> None:
    for name in ("glimmr.sqlite", "glimmr.sqlite-wal", "glimmr.sqlite-shm"):
        (settings.data / name).unlink(missing_ok=True)
    (settings.data / "glimmr.sqlite").write_bytes(b"not a database at all" * 1000)
    found = unwell(settings)
    assert {name for name, (status, _) in found.items() if status == "fail"} == {"database"}
    assert "not a database" in found["database"][1]
    assert found["queues"] == ("warn", "not known while the database is down")


def test_an_empty_database_says_what_makes_its_schema(settings: Settings) -> None:
    (settings.data / "glimmr.sqlite").unlink()
    (settings.data / "glimmr.sqlite").touch()
    assert unwell(settings)["database"] == ("fail", "there is no schema in it yet")


def test_a_shelf_of_bytes_that_takes_none_is_named_and_is_well_again(settings: Settings) -> None:
    blobs = settings.data / "blobs"
    blobs.rename(settings.data / "away")
    blobs.write_text("no folder")
    found = unwell(settings)
    assert found.keys() == {"blobs"}
    assert found["blobs"][0] == "fail"
    blobs.unlink()
    (settings.data / "away").rename(blobs)
    assert unwell(settings) == {}


def test_a_table_of_the_price_table_that_is_gone_is_named(settings: Settings) -> None:
    shutil.rmtree(settings.data / "lake" / "rates")
    assert unwell(settings) == {"lake": ("fail", "there is no table rates")}


def test_due_jobs_without_a_worker_and_a_worker_that_says_nothing_are_named(settings: Settings) -> None:
    due = "UPDATE jobs SET state = 'ready', run_at = '2026-01-01', finished_at = NULL WHERE step = 'download'"
    with changed(settings, due):
        assert unwell(settings) == {"workers": ("fail", "no worker lives, and 1 jobs are due")}
    with changed(settings, NOBODY):
        status, why = unwell(settings)["workers"]
        assert status == "fail"
        assert "h-1-a on h has said nothing for" in why
    alive = NOBODY.replace("h-1-a", "h-2-b").replace("2020-01-01", datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))
    with changed(settings, alive, "UPDATE jobs SET started_at = '2026-01-01'"):
        found = unwell(settings)
    assert found["workers"][0] == "warn"
    assert found["engine"] == ("fail", "due jobs wait although slots are free: 1 download")


def test_a_paused_step_with_jobs_and_a_backlog_are_worth_a_look(settings: Settings) -> None:
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)"
        " INSERT INTO jobs"
        " (step, key, args, state, priority, attempt, stalls, epoch, run_at, cancel_requested, created_at)"
        " SELECT 'parse', 'k' || i, '{}', 'ready', 0, 1, 0, 0, '2026-01-01', 0, '2026-01-01' FROM n"
    )
    with changed(settings, many, "INSERT INTO steps (step, paused) VALUES ('parse', 1)"):
        status, why = unwell(settings)["queues"]
    assert status == "warn"
    assert why.startswith("parse is paused, and 1,001 of its jobs wait; 1,001 jobs are due; the oldest waits ")


def test_faults_of_ours_are_counted_apart_from_those_of_publishers(settings: Settings) -> None:
    theirs = "UPDATE jobs SET outcome = 'blocked', reason = 'forbidden' WHERE step = 'download'"
    with changed(settings, theirs):
        assert unwell(settings) == {}
    with changed(
        settings, "UPDATE jobs SET outcome = 'poison', reason = 'stalled', state = 'dead' WHERE step = 'parse'"
    ):
        assert unwell(settings) == {"jobs": ("warn", "1 of 4 jobs of the last 24 hours failed by our fault")}
    columns = (
        "step, args, state, priority, attempt, stalls, epoch, run_at, cancel_requested, created_at, outcome, reason,"
        " finished_at"
    )
    more = f"INSERT INTO jobs (key, {columns}) SELECT key || a.id, {columns} FROM jobs, (SELECT id FROM jobs) AS a"
    with changed(settings, more):
        assert unwell(settings)["jobs"][0] == "fail"


def test_a_file_without_a_price_is_red_although_its_job_ended_well(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "new" / "data")
    with open_shop() as shop:
        walk(settings, shop, {"/a": b"name,town\nGeneral,Burlington\nOther,Rutland\n" * 50})
    with changed(settings) as database:
        states = "SELECT DISTINCT state FROM jobs WHERE step = 'parse'"
        assert database.read(lambda c: c.exec_driver_sql(states).scalars().all()) == ["done"]
    assert unwell(settings) == {"files": ("fail", "1 of 1 files read in the last 24 hours gave no price")}


def test_a_redis_that_may_throw_messages_away_is_worth_a_look(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.run("FLUSHALL")
    fleets = load(database_url="postgresql://h/d", store_url=str(tmp_path), redis_url=redis_server.url)
    look = partial(stores.redis, partial(fleet.redis_status, fleets))
    seen = look()
    assert (seen.status, seen.observed["role"], seen.observed["policy"]) == ("pass", "master", "noeviction")
    assert seen.observed["connections"] >= 1
    redis_server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        seen = look()
    finally:
        redis_server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert (seen.status, "set it to noeviction" in seen.why) == ("warn", True)


def test_a_fleet_whose_servers_are_all_away_is_told_at_once_and_no_password_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter23")
    away = settings_of(
        tmp_path,
        database_url=f"postgresql://u:hunter22@127.0.0.1:{free_port()}/d",
        redis_url=f"redis://u:hunter22@127.0.0.1:{free_port()}/0",
        store_url=str(tmp_path / "hunter23"),
    )
    (tmp_path / "hunter23").write_text("no folder")
    found = watching.health(away)
    assert {one.component for one in found if one.status == "fail"} == {"database", "redis", "blobs", "lake"}
    told = health_json.text(health_json.told(found))
    assert b"***" in told
    assert b"hunter" not in told


def test_a_disk_with_too_little_space_is_named(settings: Settings) -> None:
    full = settings.model_copy(update={"min_free_bytes": 2**52})
    status, why = unwell(full)["disk"]
    assert (status, "are to stay free" in why) == ("fail", True)


def test_a_clock_that_was_set_back_is_named(settings: Settings) -> None:
    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with changed(settings, f"UPDATE jobs SET created_at = '{future}'"):
        status, why = unwell(settings)["clock"]
    assert (status, "the clock was set back" in why) == ("warn", True)


def test_the_command_ends_with_the_status_and_says_what_to_do(settings: Settings) -> None:
    env = line.environment(GLIMMR_DATA=str(settings.data))
    assert json.loads(line.glimmr("health", "--json", env=env).stdout)["status"] == "pass"
    with changed(settings, NOBODY.replace("h-1-a", "h-2-b").replace("2020-01-01", "2199-01-01"), NOBODY):
        said = line.glimmr("health", env=env, exit_code=1).stdout
    assert "`glimmr jobs --state running` says what the silent one had" in said
    shutil.rmtree(settings.data / "lake" / "rates")
    told = json.loads(line.glimmr("health", "--json", env=env, exit_code=2).stdout)
    assert (told["status"], told["checks"]["lake"][0]["status"]) == ("fail", "fail")
    assert "doctor --fix" in told["checks"]["lake"][0]["action"]
    nothing = line.environment(GLIMMR_DATA=str(settings.data / "none"))
    assert "there is nothing in" in line.glimmr("health", env=nothing, exit_code=2).stderr


def test_the_port_is_the_first_free_one_or_exactly_the_one_that_was_asked_for(settings: Settings) -> None:
    with watching.ops(settings) as first, watching.ops(settings) as second:
        assert first
        assert second
        assert first.url != second.url
    exact = f"127.0.0.1:{free_port()}"
    with watching.ops(settings.model_copy(update={"ops_address": exact})) as watch:
        assert watch
        assert watch.url == f"http://{exact}"
        with (
            pytest.raises(UsageError, match=r"cannot be had .* name another"),
            watching.ops(settings.model_copy(update={"ops_address": exact})),
        ):
            pass
    with watching.ops(settings.model_copy(update={"ops_address": "off"})) as none:
        assert none is None
    for wrong in ("9470", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"):
        with (
            pytest.raises(UsageError, match="GLIMMR_OPS_ADDRESS"),
            watching.ops(settings.model_copy(update={"ops_address": wrong})),
        ):
            pass


def test_who_looks_out_for_alerts_asks_no_part_a_second_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookouts = list[Checkup]()

    class Kept(Lookout):
        def __init__(self, database: Database, settings: Settings, channels: Any, checkup: Checkup) -> None:
            super().__init__(database, settings, channels, checkup)
            lookouts.append(checkup)

    async def worked(parts: Any, watch: watching.Watch) -> None:
        async with watch.over():
            await app.serve(parts, drain=True, stop=asyncio.Event(), watch=watch)

    monkeypatch.setattr(app, "Lookout", Kept)
    with app.working(settings) as parts, watching.ops(settings) as watch:
        assert watch is not None
        asyncio.run(worked(parts, watch))
        assert lookouts == [watch.checkup]


def test_a_client_that_says_nothing_holds_up_nobody(settings: Settings) -> None:
    with watching.ops(settings) as watch:
        assert watch
        host, port = watch.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))), socket.create_connection((host, int(port))) as other:
            other.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200")


# What takes a whole server away is in tests/chaos/test_health.py.
PROOFS = {
    test_a_database_that_is_no_database_is_named_and_what_is_asked_of_it_is_unknown: ("database",),
    test_a_redis_that_may_throw_messages_away_is_worth_a_look: ("redis",),
    test_a_shelf_of_bytes_that_takes_none_is_named_and_is_well_again: ("blobs",),
    test_a_table_of_the_price_table_that_is_gone_is_named: ("lake",),
    test_due_jobs_without_a_worker_and_a_worker_that_says_nothing_are_named: ("engine", "workers"),
    test_a_paused_step_with_jobs_and_a_backlog_are_worth_a_look: ("queues",),
    test_faults_of_ours_are_counted_apart_from_those_of_publishers: ("jobs",),
    test_a_file_without_a_price_is_red_although_its_job_ended_well: ("files",),
    test_a_disk_with_too_little_space_is_named: ("disk",),
    test_a_clock_that_was_set_back_is_named: ("clock",),
}


def test_every_component_is_documented_and_broken_by_a_test() -> None:
    assert {name for names in PROOFS.values() for name in names} == {part.name for part in COMPONENTS}
    page = (Path(__file__).parents[2] / "docs" / "reference" / "health.md").read_text(encoding="utf-8")
    for part in COMPONENTS:
        assert f"`{part.name}`" in page
