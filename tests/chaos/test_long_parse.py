"""A worker reads a file that takes long, in earnest, while its Redis is killed or its PostgreSQL restarted."""

import mmap
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.files import parts
from glimmr.pipeline.scan_job import scan_job
from tests.support import line
from tests.support.fleet import Fleet, until
from tests.support.servers import PostgreSql, RedisServer
from tests.support.shop import open_shop
from tests.unit.jobs.toys import put

WORKERS, LEASE_SECONDS = 2, 6.0
FILE_BYTES, ITEMS_ONCE = 1_500_000_000, 5_000
PARSE_SECONDS = 20.0
PARSES = "SELECT id FROM jobs WHERE step = 'parse' AND state = 'running'"


@contextmanager
def large_csv(path: Path) -> Iterator[mmap.mmap]:
    """A tall CSV whose middle is repeated."""
    begin, items, end = parts("tall")
    middle = "".join(islice(items, ITEMS_ONCE)).encode()
    with path.open("wb+") as file:
        file.write(begin.encode())
        while file.tell() < FILE_BYTES:
            file.write(middle)
        file.write(end.encode())
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
    path.unlink()


def redis_is_killed(postgresql: PostgreSql, redis_server: RedisServer) -> None:
    redis_server.kill()
    time.sleep(1.5 * LEASE_SECONDS)
    redis_server.start()  # empty


def postgresql_is_restarted_twice(postgresql: PostgreSql, redis_server: RedisServer) -> None:
    for _ in range(2):
        postgresql.restart()
        time.sleep(LEASE_SECONDS / 2)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", [redis_is_killed, postgresql_is_restarted_twice], ids=lambda fault: fault.__name__)
def test_a_file_that_is_read_for_long_is_read_once_whatever_happens_to_the_servers_meanwhile(
    tmp_path: Path,
    fault: Callable[[PostgreSql, RedisServer], None],
    record_property: Callable[[str, object], None],
) -> None:
    with (
        PostgreSql() as postgresql,
        RedisServer() as redis_server,
        open_shop() as shop,
        large_csv(tmp_path / "prices.csv") as data,
        Fleet(
            tmp_path, None, postgresql, redis_server,
            GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_LEASE_SECONDS=str(LEASE_SECONDS),
        ) as fleet,
    ):  # fmt: skip
        shop.files["/prices.csv"] = data
        url = f"{shop.base}/prices.csv"
        listed = line.write_list(tmp_path / "list.csv", [("H", "VT", "470001", url)])
        for _ in range(WORKERS):
            fleet.start("worker")
        until(lambda: fleet.count("SELECT count(*) FROM workers") == WORKERS)
        put(fleet.database, scan_job("listing", str(listed), refresh=False))
        until(lambda: fleet.rows(f"{PARSES} AND progress IS NOT NULL"))
        (parse,) = fleet.rows(PARSES)
        fault(postgresql, redis_server)
        assert fleet.rows(PARSES) == [parse], "it was over before the servers were well again"
        until(fleet.is_idle, 400)
        fleet.end(*fleet.processes)
        runs: list[dict[str, Any]] = fleet.rows("SELECT *, ended_at - started_at AS took FROM attempts ORDER BY job_id")
        (read,) = [run for run in runs if run["job_id"] == parse["id"]]
        record_property("file, bytes", len(data))
        record_property("read for, s", read["took"].total_seconds())
        assert (read["ended_as"], read["number"]) == ("ok", 1)
        assert read["took"].total_seconds() >= PARSE_SECONDS
        assert {run["ended_as"] for run in runs} == {"ok"}
        assert fleet.rows("SELECT step FROM jobs WHERE stalls > 0 OR attempt > 1") == []
        assert fleet.audit(urls={url}) == []
        shutil.rmtree(fleet.store)  # pytest would keep it
