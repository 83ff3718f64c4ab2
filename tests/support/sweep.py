"""The line disturbed at one crash point after the other, and audited after it went on."""

import shutil
import signal
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from glimmr.stores.database import Database
from glimmr.world import File, Server
from tests.support import line
from tests.support.audit import audit, half_published
from tests.support.prefork import Prefork
from tests.support.servers import PostgreSql, RedisServer

BY_THE_CLOCK = {"job.progressed"}  # how often these are told is for the clock to say: only the first is a point
Point = tuple[str, int]


def points_of(log: Path, *, all_of_them: bool) -> list[Point]:
    """Every (event, n) that a run told, or the first and the last of each event."""
    counts = Counter(log.read_text(encoding="ascii").split())
    times = {name: 1 if name in BY_THE_CLOCK else count for name, count in counts.items()}
    return [
        (name, n)
        for name, count in sorted(times.items())
        for n in (range(1, count + 1) if all_of_them else sorted({1, count}))
    ]


class Sweep:
    """One machine: `glimmr run` over some files, begun in an empty folder or in a copy of `before`."""

    def __init__(
        self, program: Prefork, server: Server, folder: Path, files: Sequence[File], before: Path | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.program, self.server, self.folder, self.before = program, server, folder, before
        rows = [("H", "VT", ccn, file.url) for file in files for ccn in file.hospitals]
        self.listed = line.write_list(folder / "list.csv", rows)
        self.urls: Collection[str] = {file.url for file in files}
        self.digest: str | None = None

    def run(self, data: Path, crash_at: str = "", exit_code: int = 0) -> None:
        env = line.environment(self.server, GLIMMR_CRASH_AT=crash_at, **self.settings(data))
        words = ("--from", self.listed, "--refresh", "--downloads", "1")
        self.program.run("run", *words, "--data", data, env=env, exit_code=exit_code)

    def settings(self, data: Path) -> dict[str, str]:
        return {}

    def fresh(self, name: str) -> Path:
        data = self.folder / name
        if self.before is not None:
            shutil.copytree(self.before, data)
        return data

    def audit(self, data: Path) -> list[str]:
        return audit(data, urls=self.urls, digest=self.digest)

    def points(self, *, all_of_them: bool) -> list[Point]:
        """Those of an undisturbed run, whose tables are the measure of all others."""
        log, quiet = self.folder / "told", self.fresh("quiet")
        self.server.reset()
        self.run(quiet, f"log:{log}")
        assert self.audit(quiet) == []
        self.digest = line.whole_digest(self.store(quiet))
        return points_of(log, all_of_them=all_of_them)

    def die_and_go_on(self, name: str, n: int) -> list[str]:
        """What is wrong after a death at this point and an undisturbed run."""
        data = self.fresh(f"{name}-{n}")
        self.server.reset()
        self.run(data, f"{name}:{n}", exit_code=-signal.SIGKILL)
        violations = half_published(self.store(data))
        self.run(data)
        wrong = [f"{name}:{n}: {violation}" for violation in (*violations, *self.audit(data))]
        shutil.rmtree(data)
        return wrong

    def store(self, data: Path) -> Path:
        return data


class FleetSweep(Sweep):
    """A fleet's process on PostgreSQL, Redis and a shared folder: its jobs are found again when their leases end."""

    def __init__(
        self,
        program: Prefork,
        server: Server,
        folder: Path,
        files: Sequence[File],
        servers: tuple[PostgreSql, RedisServer],
    ) -> None:
        super().__init__(program, server, folder, files)
        self.postgresql, self.redis = servers
        self.database_urls: dict[Path, str] = {}

    def settings(self, data: Path) -> dict[str, str]:
        return {
            "GLIMMR_DATABASE_URL": self.database_urls[data],
            "GLIMMR_REDIS_URL": self.redis.url,
            "GLIMMR_STORE_URL": str(self.store(data)),
            "GLIMMR_LEASE_SECONDS": "2",
        }

    def fresh(self, name: str) -> Path:
        data = super().fresh(name)
        self.database_urls[data] = self.postgresql.url()
        self.redis.run("FLUSHALL")
        return data

    def audit(self, data: Path) -> list[str]:
        database = Database(self.database_urls[data])
        try:
            return audit(self.store(data), database, urls=self.urls, digest=self.digest, scratch=[data / "scratch"])
        finally:
            database.close()

    def store(self, data: Path) -> Path:
        return data / "store"
