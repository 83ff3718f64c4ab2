import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.stores.database import Database, migrate, sqlite_url
from tests.support.chaos_report import ChaosReport
from tests.support.servers import PostgreSql, RedisServer, S3Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what is slow, large or needs root")


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: much of the time is waiting (562 s with 2 on 2, 453 s with 3)."""
    return math.ceil(1.5 * len(os.sched_getaffinity(0)))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not in a process of pytest-xdist
        config.pluginmanager.register(ChaosReport())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="only with --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in a folder of its own, without the settings of whoever runs it."""
    for name in os.environ:
        if name.startswith("GLIMMR_") and name != "GLIMMR_CORPUS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A real PostgreSQL, started once; each test has a database of its own in it."""
    with PostgreSql() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real Redis, started once; a test that uses it empties it first."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 API, started once; each test has a bucket of its own in it."""
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket; the environment says how to reach it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.bucket()


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema and nothing in it, to be copied: faster than a new one."""
    path = tmp_path_factory.mktemp("schema") / "glimmr.sqlite"
    database = Database(sqlite_url(path))
    migrate(database)
    database.close()
    return path


@pytest.fixture
def sqlite_database_url(schema: Path, tmp_path: Path) -> str:
    """A new SQLite file with the schema."""
    return sqlite_url(shutil.copy(schema, tmp_path))


@pytest.fixture
def postgresql_database_url(postgresql: PostgreSql) -> str:
    """A PostgreSQL database with the schema and nothing in it."""
    return postgresql.emptied_url()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the schema and nothing in it, of either kind."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql").emptied_url()
    return request.getfixturevalue("sqlite_database_url")
