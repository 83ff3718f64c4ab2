"""A link that is cut again and again and a process that is killed twice: one snapshot, and hardly a byte twice."""

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from glimmr.stores.blobs import blob_key
from glimmr.stores.database import Database, sqlite_url
from glimmr.world import serve_in_thread, world
from glimmr.world.content import Content
from tests.support import line
from tests.support.audit import rows

_BLOCK = random.Random(1).randbytes(2**20)
_MOST_TWICE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lump(Content):
    """So many megabytes that differ, and are no price file: what is tried here ends before they are read."""

    megabytes: int

    def chunks(self) -> Iterator[bytes]:
        for number in range(self.megabytes):
            yield number.to_bytes(8, "big") + _BLOCK[8:]


def _written(partials: Path) -> int:
    return sum(path.stat().st_size for path in partials.glob("*.part"))


def _noted(partials: Path) -> int:
    """What the next process will believe."""
    return sum(json.loads(path.read_text())["bytes"] for path in partials.glob("*.note"))


@dataclass(frozen=True)
class Trouble:
    """Where the link is cut, and how much of the file has `grown` when the process is killed."""

    megabytes: int
    script: str
    grown: Callable[[Path], int]
    kill_at: tuple[float, float]


# Killed while it waits to go on after the second cut and after the fourth.
SMALL = Trouble(40, "reset@20%, reset@40%, reset@60%, reset@80%, ok", _noted, (0.40, 0.80))
# Killed in mid-transfer, so that what was not synced yet is brought again: ten of these cuts happen.
LARGE = Trouble(500, ", ".join((*(f"reset@{8 * n}%" for n in range(1, 13)), "ok")), _written, (0.26, 0.58))


@pytest.mark.parametrize("trouble", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)], ids=["40 MB", "500 MB"])
@pytest.mark.timeout(300)
def test_a_link_that_is_cut_and_a_process_that_is_killed_cost_hardly_a_byte_twice(
    trouble: Trouble, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    plain = world(seed=5, n=8, mix="clean")
    content = plain.files[0].content
    lump = Lump(shapes=content.shapes, publisher=content.publisher, megabytes=trouble.megabytes)
    file = replace(plain.files[0], content=lump)
    size, sha256 = trouble.megabytes * 2**20, hashlib.sha256(b"".join(lump.chunks())).hexdigest()
    with serve_in_thread(replace(plain, files=(file, *plain.files[1:]))) as server:
        server.set_script(file.url, trouble.script)
        listed = line.write_list(tmp_path / "list.csv", [("H", "VT", file.hospitals[0], file.url)])
        words = ("run", "--from", listed, "--data", tmp_path / "data")
        env = line.environment(server, GLIMMR_STALL_SECONDS="60", GLIMMR_HEADER_TIMEOUT_SECONDS="60")
        for part in trouble.kill_at:
            process = subprocess.Popen(
                line.command(*words), env=env, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            while trouble.grown(tmp_path / "data" / "scratch" / "partial") < int(size * part):
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        line.glimmr(*words, env=env)
        asked = server.requests_for(file.url)
    sent = sum(entry["bytes"] for entry in asked)
    record_property("bytes sent, of the file's", round(sent / size, 3))
    assert len(asked) >= len(trouble.script.split(","))
    assert size <= sent <= _MOST_TWICE * size
    database = Database(sqlite_url(tmp_path / "data" / "glimmr.sqlite"))
    assert [(row["file_id"], row["bytes"]) for row in rows(database, "SELECT file_id, bytes FROM snapshots")] == [
        (sha256, size)
    ]
    database.close()
    with (tmp_path / "data" / "blobs" / blob_key(sha256)).open("rb") as kept:
        assert hashlib.file_digest(kept, "sha256").hexdigest() == sha256
    assert line.leftovers(tmp_path / "data") == []
