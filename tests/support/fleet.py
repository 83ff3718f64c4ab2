"""A fleet as processes: `glimmr worker`s and `glimmr run`s on one PostgreSQL, one Redis (or none) and one folder."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from glimmr.stores.database import Database, migrate
from glimmr.world import Server
from tests.support import line
from tests.support.audit import audit, rows
from tests.support.servers import PostgreSql, RedisServer


def until(condition: Callable[[], Any], seconds: float = 120.0) -> float:
    """Wait for it; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come to pass"
        time.sleep(0.05)
    return time.monotonic() - began


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Whether it was stopped by a signal, and is not dead."""
    return Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


class Fleet:
    """Use with `with`; whatever still runs at its end is killed."""

    def __init__(
        self,
        folder: Path,
        server: Server | None,
        postgresql: PostgreSql,
        redis_server: RedisServer | None,
        **settings: str,
    ) -> None:
        self.folder, self.store, self.url = folder, folder / "store", postgresql.url()
        given = {"GLIMMR_DATABASE_URL": self.url, "GLIMMR_STORE_URL": str(self.store)} | settings
        if redis_server is not None:
            redis_server.run("FLUSHALL")
            given["GLIMMR_REDIS_URL"] = redis_server.url
        self.env = line.environment(server, **given)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.database = Database(self.url)
        migrate(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self.database.close()

    def start(self, *words: str | Path, **settings: str) -> subprocess.Popen[bytes]:
        """A process of the fleet; all have one data folder on this host."""
        command = line.command(*words, "--data", self.folder / "data")
        log = (self.folder / f"process-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(command, env=self.env | settings, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def end(self, *processes: subprocess.Popen[bytes]) -> None:
        """SIGTERM, and they go home in good order."""
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(30) for process in processes] == [0] * len(processes)

    def kill(self, process: subprocess.Popen[bytes]) -> list[int]:
        """SIGKILL. Returns the jobs it had."""
        process.kill()
        process.wait()
        return [
            row["id"] for row in self.rows("SELECT id, owner FROM jobs WHERE state = 'running'") if _is_of(row, process)
        ]

    def rows(self, query: str) -> list[dict[str, Any]]:
        return rows(self.database, query)

    def count(self, query: str) -> int:
        return next(iter(self.rows(query)[0].values()))

    def is_idle(self) -> bool:
        live = "SELECT count(*) FROM jobs WHERE state IN ('ready', 'running') AND step <> 'upkeep'"
        return not self.count(live)  # a schedule always waits

    def audit(self, **expected: Any) -> list[str]:
        return audit(self.store, self.database, scratch=[self.folder / "data" / "scratch"], **expected)


def _is_of(row: dict[str, Any], process: subprocess.Popen[bytes]) -> bool:
    return row["owner"].split("-")[-2] == str(process.pid)


def words_of(server: Server) -> Iterator[str]:
    """The options of `glimmr run` for every state of a world."""
    for state in sorted({hospital.state for hospital in server.world.hospitals}):
        yield from ("--state", state)


def told(log: Path) -> list[str]:
    """What a process with GLIMMR_CRASH_AT=log:… told so far."""
    return log.read_text(encoding="ascii").split() if log.exists() else []


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def thaw(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGCONT)
