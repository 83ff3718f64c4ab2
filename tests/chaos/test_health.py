"""Each component is broken for real under a worker: health names it, all else answers, and it turns back."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from glimmr.stores.database import Database, migrate
from tests.support import line
from tests.support.fleet import Fleet, thaw, until
from tests.support.ops import OpsPort
from tests.support.servers import PostgreSql, RedisServer, S3Server

WITHIN_SECONDS = 10.0  # looks are made 50 times as often as by default, and given a second instead of five
QUICK = {"GLIMMR_LEASE_SECONDS": "3", "GLIMMR_REDIS_TIMEOUT_SECONDS": "0.5", "GLIMMR_STORE_TIMEOUT_SECONDS": "2"}
ESSENTIAL = {"database", "blobs", "lake", "disk"}


@contextmanager
def at_work(*words: str | Path, env: dict[str, str], log: Path) -> Iterator[tuple[OpsPort, subprocess.Popen[bytes]]]:
    """A worker whose parts are all well."""
    ops = OpsPort()
    with log.open("wb") as file:
        process = subprocess.Popen(line.command(*words), env=env | ops.settings, stdout=file, stderr=file)
    try:
        until(ops.is_up, 60)
        ops.seconds_until(lambda told: set(told.values()) == {"pass"})
        yield ops, process
    finally:
        process.kill()
        process.wait()


def broken(told: dict[str, str]) -> set[str]:
    return {name for name, status in told.items() if status == "fail"}


def breaks(
    ops: OpsPort, named: set[str], fault: AbstractContextManager[object], *, more: frozenset[str] = frozenset()
) -> None:
    """While the fault lasts just these parts are down, and every answer comes within a second; then all is well."""
    ops.slowest_seconds = 0.0
    with fault:
        ops.seconds_until(lambda told: named <= broken(told) <= named | more, WITHIN_SECONDS)
        status, told = ops.health()
        assert (status, told["status"]) == (503, "fail")
        for name in named:
            (check,) = told["checks"][name]
            assert f"{name}: {check['output']}" in told["output"]
            assert check["action"]
            assert check["since"] <= check["time"]
        assert ops.health("/readyz")[0] == (503 if named & ESSENTIAL else 200)
        assert ops.get("/livez")[0] == 200
        up = {labels[0][1]: value for (name, labels), value in scraped(ops) if name == "glimmr_component_up"}
        assert {name for name, value in up.items() if value == 0} >= named
    ops.seconds_until(lambda told: set(told.values()) == {"pass"}, WITHIN_SECONDS)
    assert ops.health()[0] == ops.health("/readyz")[0] == 200
    assert ops.slowest_seconds < 1.0


def scraped(ops: OpsPort) -> list[tuple[tuple[str, tuple[tuple[str, str], ...]], float]]:
    """A scrape may take as long as a database is given; it is not what must answer in a second."""
    slowest_seconds = ops.slowest_seconds
    samples = ops.samples()
    ops.slowest_seconds = slowest_seconds
    return list(samples.items())


@pytest.fixture
def fleet(
    tmp_path: Path, postgresql: PostgreSql, redis_server: RedisServer, bucket: str
) -> Iterator[tuple[dict[str, str], Database]]:
    """The environment of a fleet on all three servers, and its database."""
    url = postgresql.url()
    redis_server.run("FLUSHALL")
    database = Database(url)
    migrate(database)
    yield (
        line.environment(
            GLIMMR_DATABASE_URL=url,
            GLIMMR_STORE_URL=f"{bucket}/g",
            GLIMMR_REDIS_URL=redis_server.url,
            GLIMMR_DATA=str(tmp_path / "data"),
            **QUICK,
        ),
        database,
    )
    database.close()


@pytest.mark.timeout(120)
def test_a_server_that_hangs_is_named_while_everything_else_answers(
    fleet: tuple[dict[str, str], Database],
    postgresql: PostgreSql,
    redis_server: RedisServer,
    s3_server: S3Server,
    tmp_path: Path,
) -> None:
    with at_work("worker", env=fleet[0], log=tmp_path / "log") as (ops, process):
        breaks(ops, {"redis"}, redis_server.frozen())
        breaks(ops, {"blobs", "lake"}, s3_server.frozen())
        breaks(ops, {"database"}, postgresql.frozen(), more=frozenset({"workers"}))
        assert process.poll() is None


@pytest.mark.timeout(120)
def test_workers_that_are_frozen_are_named_and_beat_again(tmp_path: Path, postgresql: PostgreSql) -> None:
    with Fleet(tmp_path, None, postgresql, None, **QUICK) as fleet:
        ops = OpsPort()
        watched, other = fleet.start("worker", **ops.settings), fleet.start("worker")
        until(ops.is_up, 60)
        until(lambda: fleet.count("SELECT count(*) FROM workers") == 2, 60)
        os.kill(other.pid, signal.SIGSTOP)
        ops.seconds_until(lambda told: told["workers"] == "warn")
        status, told = ops.health()
        (check,) = told["checks"]["workers"]
        assert (status, told["status"]) == (200, "warn")
        assert [silent["pid"] for silent in check["observed"]["silent"]] == [other.pid]
        os.kill(watched.pid, signal.SIGSTOP)
        until(lambda: fleet.count("SELECT count(*) FROM workers WHERE beat_at > now() - interval '5 s'") == 0, 30)
        told = line.summary("health", "--data", tmp_path / "data", env=fleet.env, exit_code=2)
        assert "no worker lives" in told["checks"]["workers"][0]["output"]
        thaw(watched)
        thaw(other)
        ops.seconds_until(lambda told: set(told.values()) == {"pass"})
        fleet.end(watched, other)


@pytest.mark.timeout(120)
def test_one_machine_whose_shelf_takes_no_bytes_any_more_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    env = line.environment(GLIMMR_DATA=str(data), **QUICK)

    @contextmanager
    def in_the_way(folder: Path) -> Iterator[None]:
        """Root writes where it may not: so a file takes the folder's place."""
        folder.rename(tmp_path / "away")
        folder.write_text("no folder")
        yield
        folder.unlink()
        (tmp_path / "away").rename(folder)

    with at_work("serve", env=env, log=tmp_path / "log") as (ops, process):
        breaks(ops, {"blobs"}, in_the_way(data / "blobs"))
        breaks(ops, {"lake"}, in_the_way(data / "lake"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        said = (tmp_path / "log").read_text()
    assert f"health and metrics: http://127.0.0.1:{ops.port}/healthz" in said
    assert "blobs: fail" in said
    assert "Traceback" not in said


@contextmanager
def ended(server: PostgreSql | RedisServer) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,bind,rw", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
    yield
    (folder / "ballast").unlink()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_servers_that_end_are_named_until_they_are_back(tmp_path: Path) -> None:
    with PostgreSql() as postgresql, RedisServer() as redis_server:
        url = postgresql.url()
        env = line.environment(
            GLIMMR_DATABASE_URL=url,
            GLIMMR_REDIS_URL=redis_server.url,
            GLIMMR_STORE_URL=str(tmp_path / "store"),
            GLIMMR_DATA=str(tmp_path / "data"),
            **QUICK,
        )
        with at_work("worker", env=env, log=tmp_path / "log") as (ops, process):
            breaks(ops, {"redis"}, ended(redis_server))
            breaks(ops, {"database"}, ended(postgresql), more=frozenset({"workers"}))
            breaks(ops, {"database"}, postgresql.read_only())
            breaks(ops, {"database"}, postgresql.crowded())
            assert process.poll() is None


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_disk_that_is_read_only_or_full_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "t", data], check=False, capture_output=True
    ).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (data / "blobs").mkdir()
        subprocess.run(["mount", "--bind", data / "blobs", data / "blobs"], check=True)
        env = line.environment(GLIMMR_DATA=str(data), **(QUICK | {"GLIMMR_MIN_FREE_BYTES": str(16 * 2**20)}))
        with at_work("serve", env=env, log=tmp_path / "log") as (ops, process):
            breaks(ops, {"blobs"}, read_only(data / "blobs"))
            breaks(ops, {"disk"}, filled(data), more=frozenset({"blobs", "lake", "database", "workers"}))
            assert process.poll() is None
    finally:
        subprocess.run(["umount", "--lazy", data / "blobs"], check=False)
        subprocess.run(["umount", "--lazy", data], check=True)
