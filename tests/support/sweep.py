"""The line disturbed at one crash point after the other, and audited after it went on."""

import shutil
import signal
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glimmr import events
from glimmr.cli.interrupt import EXIT_INTERRUPTED
from glimmr.stores.database import Database
from glimmr.world import File, Server, World
from tests.support import line
from tests.support.audit import audit, half_published
from tests.support.fleet import told
from tests.support.prefork import Prefork
from tests.support.servers import PostgreSql, RedisServer

BY_THE_CLOCK = {"job.progressed"}  # how often these are told is for the clock to say: only the first is a point
# What an undisturbed run over one good file tells, and what only other runs do.
LINE = {
    "database.migrated", "table.made", "worker.started", "worker.left", "request.sent", "request.answered",
    "scan.found", "fetch.started", "fetch.begun", "fetch.ended", "object.synced", "object.named", "object.placed",
    "parse.started", "parse.read", "parse.ended", "publish.started", "change.decided", "change.logged",
    "publish.committed", "publish.ended", "job.enqueued", "job.offered", "job.claimed", "job.progressed",
    "job.written", "job.finished",
}  # fmt: skip
LARGE = {"fetch.advanced"}
REPLACED = {"publish.retracted", "job.retried", "job.gave_up"}
AGAIN = {"job.handed_back", "object.swept"}
RESCUED = {"job.rescued", "invariant.repaired"}
ZOMBIE = {"lease.lost"}
_PLACES = {event.name: place for place, event in enumerate(events.CATALOGUE)}
Point = tuple[str, int]


def names(points: Collection[Point]) -> set[str]:
    return {name for name, _ in points}


def chunk_of(points: Sequence[Point], chunk: int, chunks: int) -> list[Point]:
    """One of `chunks` parts; which, is a point's own: so each is in one, although each part's test lists them anew."""
    return [(name, n) for name, n in points if (_PLACES[name] + n) % chunks == chunk]


def file_of(server: Server, kind: str, container: str = "plain", place: int = 0) -> File:
    """A good file of that kind."""
    found = (f for f in server.world.files if f.kind == kind and f.content.container == container and f.expect.rates)
    return list(found)[place]


def large_file(built: World) -> File:
    """The largest good one."""
    return max((f for f in built.files if f.script == "ok"), key=lambda f: f.expect.size_bytes or 0)


def newer_files(server: Server) -> tuple[File, list[File], World]:
    """A file, then what is asked for later (a newer one in its place, one that fails once, one gone), and their world.

    What a run over the later ones tells beside LINE is REPLACED, if one over the first was made before.
    """
    old, other, ill = file_of(server, "tall"), file_of(server, "json"), file_of(server, "wide")
    new = replace(old, content=file_of(server, "tall", place=1).content)
    files = [new, replace(other, script="503, ok"), replace(ill, script="410")]
    later = replace(server.world, files=tuple({f.url: f for f in (*server.world.files, *files)}.values()))
    return old, files, later


def points_of(log: Path, *, all_of_them: bool) -> list[Point]:
    """Every (event, n) that a run told, or the last of each event."""
    counts = Counter(told(log))
    times = {name: 1 if name in BY_THE_CLOCK else count for name, count in counts.items()}
    return [(name, n) for name, count in sorted(times.items()) for n in range(1 if all_of_them else count, count + 1)]


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
        self.deaths: list[Point] = []  # at these it really died

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

    def points(self, *, all_of_them: bool, stop_at: str = "") -> list[Point]:
        """Those of an undisturbed run (or of one told to stop), whose tables are the measure of all others."""
        log, quiet = self.folder / "told", self.fresh("quiet")
        self.server.reset()
        if stop_at:
            self.run(quiet, f"log:{log},{stop_at}:TERM", exit_code=EXIT_INTERRUPTED)
        self.run(quiet, "" if stop_at else f"log:{log}")
        assert self.audit(quiet) == []
        self.digest = line.whole_digest(self.store(quiet))
        return points_of(log, all_of_them=all_of_them)

    def die_and_go_on(self, name: str, n: int, stop_at: str = "") -> list[str]:
        """What is wrong after a death at this point (perhaps while it stops) and an undisturbed run."""
        data, log = self.fresh(f"{name}-{n}"), self.folder / f"told-{name}-{n}"
        self.server.reset()
        stops = f"{stop_at}:TERM," if stop_at else ""
        self.run(data, f"log:{log},{stops}{name}:{n}", exit_code=-signal.SIGKILL)
        if told(log).count(name) >= n:
            self.deaths.append((name, n))
        violations = half_published(self.store(data))
        self.run(data)
        wrong = [f"{name}:{n}: {violation}" for violation in (*violations, *self.audit(data))]
        self.forget(data)
        return wrong

    def die_at_each(self, points: Sequence[Point], stop_at: str = "") -> list[str]:
        """What is wrong after a death at each of these points; at each of them it really died."""
        wrong = [found for name, n in points for found in self.die_and_go_on(name, n, stop_at)]
        assert self.deaths == list(points)
        return wrong

    def forget(self, data: Path) -> None:
        shutil.rmtree(data)

    def store(self, data: Path) -> Path:
        return data


@dataclass(frozen=True)
class Left:
    """What a fleet's process left: a data folder with the store in it, and its database."""

    data: Path
    database_url: str


class FleetSweep(Sweep):
    """A fleet's process on PostgreSQL, Redis and a shared folder: its jobs are found again when their leases end."""

    def __init__(
        self,
        program: Prefork,
        server: Server,
        folder: Path,
        files: Sequence[File],
        *,
        servers: tuple[PostgreSql, RedisServer],
        before: Left | None = None,
    ) -> None:
        super().__init__(program, server, folder, files, before.data if before else None)
        self.postgresql, self.redis = servers
        self.before_url = before.database_url if before else ""
        self.database_urls: dict[Path, str] = {}

    def leave(self, first_death: str = "") -> Left:
        """What a run leaves that dies there, or ends."""
        data = self.fresh("before")
        self.run(data, first_death, exit_code=-signal.SIGKILL if first_death else 0)
        return Left(data, self.database_urls[data])

    def settings(self, data: Path) -> dict[str, str]:
        return {
            "GLIMMR_DATABASE_URL": self.database_urls[data],
            "GLIMMR_REDIS_URL": self.redis.url,
            "GLIMMR_STORE_URL": str(self.store(data)),
            "GLIMMR_LEASE_SECONDS": "2",
        }

    def fresh(self, name: str) -> Path:
        data = super().fresh(name)
        self.database_urls[data] = self.postgresql.url(self.before_url)
        self.redis.run("FLUSHALL")
        return data

    def audit(self, data: Path) -> list[str]:
        database = Database(self.database_urls[data])
        try:
            return audit(self.store(data), database, urls=self.urls, digest=self.digest, scratch=[data / "scratch"])
        finally:
            database.close()

    def forget(self, data: Path) -> None:
        super().forget(data)
        self.postgresql.drop(self.database_urls.pop(data))

    def store(self, data: Path) -> Path:
        return data / "store"
