"""`glimmr download` and `glimmr get` as a shell sees them."""

import asyncio
import hashlib
import io
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from glimmr import app
from glimmr.errors import StorageFault, UsageError
from glimmr.pipeline.delivery import Target
from glimmr.pipeline.one_address import Brought
from glimmr.settings import load
from glimmr.stores.blobs import Blobs, blob_key
from glimmr.stores.database import Database, migrate, sqlite_url
from tests.support import line
from tests.support.http_server import HttpServer, Request, Wire, answer, head
from tests.support.servers import PostgreSql
from tests.unit.download.test_resume import ranged, starts

CSV = b"description,code|1,code|1|type\n" + b"".join(b"Item %d,%d,CPT\n" % (n, n) for n in range(20_000))
SHA = hashlib.sha256(CSV).hexdigest()
PAGE = b"<!doctype html><html><body><a href='f_standardcharges.csv'>prices</a></body></html>"
BODY = random.Random(3).randbytes(40 * 2**20)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def bring(url: str, to: str | Path | None = None, *, force: bool = False, **more: Any) -> Brought:
    settings = load(allow_addresses=("127.0.0.1",), min_free_bytes=1, **more)
    target = Target.of(None if to is None else str(to), force=force)
    return asyncio.run(app.bring_one(settings, url, target, lambda **_: None))


def get(data: Path, file_id: str, to: str | Path | BinaryIO, *, force: bool = False) -> dict[str, Any]:
    place = Target.of(str(to), force=force) if isinstance(to, str | Path) else to
    return asyncio.run(app.hand_out(load(data=data), file_id, place, lambda **_: None))


# -- download ----------------------------------------------------------------------------------------------------


def test_an_address_comes_home_under_its_sha256_and_leaves_nothing_else(tmp_path: Path) -> None:
    evil = 'Content-Disposition: attachment; filename="../../evil.csv"'
    with HttpServer({"/..%2Fevil.csv": answer(CSV, "200 OK", evil)}) as server:
        url = server.url("/..%2Fevil.csv?token=SECRET")
        done = line.glimmr("download", url, env=line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1"))
        again = bring(url, tmp_path / "new" / "x.csv")
    assert SHA in done.stdout
    assert "SECRET" not in done.stdout + done.stderr + repr(again)
    assert (tmp_path / f"{SHA}.csv").read_bytes() == (tmp_path / "new" / "x.csv").read_bytes() == CSV
    assert (again.outcome, again.file_id, again.bytes, again.kind) == ("ok", SHA, len(CSV), "csv")
    assert {path.name for path in tmp_path.rglob("*")} == {f"{SHA}.csv", "new", "x.csv"}


def test_a_file_of_mine_is_never_overwritten_unless_i_say_so(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    with HttpServer({"/f": answer(CSV)}) as server:
        with pytest.raises(UsageError, match="--force"):
            bring(server.url("/f"), mine)
        assert server.requests == []
        bring(server.url("/f"), mine, force=True)
        bring(server.url("/f"), tmp_path)
        bring(server.url("/f"), tmp_path)  # the same bytes are there: nothing is overwritten
        (tmp_path / f"{SHA}.csv").write_text("other")
        with pytest.raises(UsageError, match="--force"):
            bring(server.url("/f"), tmp_path)
    assert mine.read_bytes() == CSV
    assert (tmp_path / f"{SHA}.csv").read_text() == "other"
    assert not list(tmp_path.glob(".*"))


async def halts(_: Request, wire: Wire) -> None:
    """All but the last part, and then no more."""
    await wire.send(head("200 OK", f"Content-Length: {len(BODY)}", 'ETag: "v1"') + BODY[: 36 * 2**20])
    await wire.until_client_leaves()


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_download_that_ended_early_is_gone_on_with_when_called_again(stop: signal.Signals, tmp_path: Path) -> None:
    scripts = {"/f": halts}
    with HttpServer(scripts) as server:
        command = line.command("download", server.url("/f"), "--to", tmp_path / "f.csv")
        env = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1", GLIMMR_STALL_SECONDS="60")
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            while not list(tmp_path.rglob("*.note")):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(stop)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == (130 if stop == signal.SIGINT else -stop)
        assert ("goes on from there" in said) == (stop == signal.SIGINT)
        scripts["/f"] = ranged(BODY)
        got = bring(server.url("/f"), tmp_path / "f.csv")
    assert got.file_id == hashlib.sha256(BODY).hexdigest()
    assert starts(server)[0] == 0
    assert starts(server)[1] >= 32 * 2**20
    assert [path.name for path in tmp_path.rglob("*")] == ["f.csv"]


def test_every_end_has_its_outcome_and_says_why(tmp_path: Path) -> None:
    async def ends_early(_: Request, wire: Wire) -> None:
        await wire.send(head("200 OK") + b'{"hospital_name": "General", "standard_charge_info')

    with HttpServer({"/cut": ends_early, "/page": answer(PAGE), "/f_standardcharges.csv": answer(CSV)}) as server:
        gone = bring(server.url("/none"))
        early = bring(server.url("/cut"), tmp_path / "cut.json")
        followed = bring(server.url("/page"))
        unsafe = bring("http://127.0.0.9/")
        large = bring(server.url("/f_standardcharges.csv"), max_file_bytes=9)
        env = line.environment(GLIMMR_ALLOW_ADDRESSES="127.0.0.1")
        told = json.loads(line.glimmr("download", server.url("/none"), "--json", env=env, exit_code=1).stdout)
    assert (gone.outcome, gone.reason, gone.to) == ("gone", "not_found", None)
    assert (early.outcome, early.reason, early.kind) == ("incomplete", "truncated", "json")
    assert (tmp_path / "cut.json").exists()
    assert followed.file_id == SHA
    assert (unsafe.outcome, unsafe.reason) == ("unsafe", "forbidden_address")
    assert (large.outcome, large.reason) == ("too_large", "file_size")
    assert "GLIMMR_MAX_FILE_BYTES" in large.message
    assert {"outcome": "gone", "reason": "not_found", "file_id": None}.items() <= told.items()
    assert not list(tmp_path.glob(".glimmr*"))


# -- get ---------------------------------------------------------------------------------------------------------


def shelve(database: Database, blobs: Blobs, folder: Path, *bodies: bytes) -> None:
    """Snapshots with their bytes on the shelf."""
    migrate(database)
    for body in bodies:
        file_id = hashlib.sha256(body).hexdigest()
        (folder / "spool").write_bytes(body)
        blobs.put_file(folder / "spool", blob_key(file_id))
        (folder / "spool").unlink(missing_ok=True)
        row = (file_id, len(body), blob_key(file_id))
        database.write(lambda c, row=row: c.exec_driver_sql(_ROW % row))


_ROW = "INSERT INTO snapshots (file_id, bytes, blob_key) VALUES ('%s', %d, '%s')"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder with three snapshots, two of whose ids begin alike."""
    twins = _alike()
    folder = tmp_path / "data"
    folder.mkdir()
    database = Database(sqlite_url(folder / "glimmr.sqlite"))
    shelve(database, Blobs(folder / "blobs"), tmp_path, CSV, *twins)
    database.close()
    yield folder


def _alike() -> tuple[bytes, bytes]:
    seen = dict[str, bytes]()
    for number in range(10_000):
        body = b"%d" % number
        if (begins := hashlib.sha256(body).hexdigest()[:4]) in seen:
            return seen[begins], body
        seen[begins] = body
    raise AssertionError


def test_the_bytes_of_a_snapshot_come_by_its_id_or_its_beginning(data: Path, tmp_path: Path) -> None:
    got = get(data, SHA, tmp_path / "x.csv")
    assert (got["file_id"], got["bytes"], got["kind"], got["to"]) == (SHA, len(CSV), "csv", str(tmp_path / "x.csv"))
    get(data, SHA[:8].upper(), f"{tmp_path}/new/")
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "new" / f"{SHA}.csv").read_bytes() == CSV
    command = line.command("get", SHA, "--data", data, "--to", "-")
    streamed = subprocess.run(command, env=line.environment(), capture_output=True, check=True)
    assert streamed.stdout == CSV
    assert SHA in streamed.stderr.decode()
    with pytest.raises(UsageError, match="--force"):
        get(data, SHA, tmp_path / "x.csv")


def test_an_id_that_names_nothing_or_several_is_told_with_those_it_may_mean(data: Path) -> None:
    one, two = sorted(hashlib.sha256(body).hexdigest() for body in _alike())
    for given, said in (
        (one[:4], f"{one}, {two}"),
        (SHA[:10] + "0" * 54, f"did you mean {SHA}"),
        ("0" * 64, "glimmr sql"),
        ("../../etc/passwd", "no file id"),
    ):
        with pytest.raises(UsageError, match=said):
            get(data, given, ".")
    with pytest.raises(UsageError, match="glimmr run"):
        get(data.parent / "none", SHA, ".")


def test_bytes_that_are_gone_or_damaged_are_never_handed_out_as_whole(data: Path, tmp_path: Path) -> None:
    blob = data / "blobs" / blob_key(SHA)
    blob.write_bytes(CSV[:-1] + b"!")
    with pytest.raises(StorageFault, match="damaged"):
        get(data, SHA, tmp_path / "x.csv")
    with pytest.raises(StorageFault, match="damaged"):
        get(data, SHA, io.BytesIO())
    blob.unlink()
    gone = line.glimmr("get", SHA, "--data", data, "--to", tmp_path / "x.csv", env=line.environment(), exit_code=2)
    assert "not kept any more" in gone.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_fleets_bytes_come_from_its_bucket(
    postgresql: PostgreSql, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = random.Random(5).randbytes(9 * 2**20)
    monkeypatch.setenv("GLIMMR_DATABASE_URL", postgresql.emptied_url())
    monkeypatch.setenv("GLIMMR_STORE_URL", f"{bucket}/g")
    database = Database(load().database_url)
    shelve(database, Blobs(f"{bucket}/g/blobs"), tmp_path, body)
    database.close()
    assert get(tmp_path / "data", hashlib.sha256(body).hexdigest()[:12], tmp_path / "x")["bytes"] == len(body)
    assert (tmp_path / "x").read_bytes() == body
