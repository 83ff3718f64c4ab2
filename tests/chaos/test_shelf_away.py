"""The shelf goes away in mid-download: nothing fails, `glimmr status` says why, and work goes on when it is back."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glimmr.world import serve_in_thread, world
from tests.support import line
from tests.support.servers import PostgreSql, S3Server

_PATIENCE = {"GLIMMR_PATIENCE_SECONDS": "120", "GLIMMR_STORE_TIMEOUT_SECONDS": "2"}


def _until(holds: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, "the run has ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _held_up(data: Path, env: dict[str, str]) -> list[str]:
    """Why jobs wait, as `status` says it."""
    done = line.glimmr("status", "--data", data, "--json", env=env, exit_code=None)
    return [held["message"] for held in json.loads(done.stdout)["held_up"]] if done.returncode == 0 else []


def _start(tmp_path: Path, env: dict[str, str], listed: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        line.command("run", "--from", listed, "--data", tmp_path / "data", "--json"),
        env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def _ended_well(process: subprocess.Popen[str]) -> None:
    told = json.loads(process.communicate(timeout=150)[0])
    assert process.returncode == 0
    assert {row["outcome"] for row in told["outcomes"]} == {"ok"}
    assert told["held_up"] == []


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_folder_made_read_only_holds_work_up_and_fails_none(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a folder read-only")
    built = world(seed=5, n=8, mix="clean")
    blobs = tmp_path / "data" / "blobs"
    blobs.mkdir(parents=True)
    if subprocess.run(["mount", "--bind", blobs, blobs], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", blobs], check=True)
        with serve_in_thread(built) as server:
            rows = [("H", "VT", ccn, file.url) for file in built.files for ccn in file.hospitals]
            env = line.environment(server, **_PATIENCE)
            process = _start(tmp_path, env, line.write_list(tmp_path / "list.csv", rows))
            try:
                _until(lambda: any("Read-only" in why for why in _held_up(tmp_path / "data", env)), process)
                assert server.log == []  # nobody was asked for bytes that nobody could keep
                subprocess.run(["mount", "-o", "remount,bind,rw", blobs], check=True)
                _ended_well(process)
            finally:
                process.kill()
                process.wait()
    finally:
        subprocess.run(["umount", "--lazy", blobs], check=True)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_object_store_that_is_away_in_mid_download_holds_work_up_and_fails_none(
    tmp_path: Path, postgresql: PostgreSql, s3_server: S3Server, *, bucket: str
) -> None:
    built = world(seed=5, n=8, mix="clean")
    with serve_in_thread(built) as server:
        slow = built.files[0]
        server.set_script(slow.url, "stall@50%, ok")  # it is in mid-download when the store goes
        rows = [("H", "VT", ccn, file.url) for file in built.files for ccn in file.hospitals]
        env = line.environment(
            server,
            GLIMMR_DATABASE_URL=postgresql.url(),
            GLIMMR_STORE_URL=f"{bucket}/g",
            **(_PATIENCE | {"GLIMMR_STALL_SECONDS": "5"}),
        )
        process = _start(tmp_path, env, line.write_list(tmp_path / "list.csv", rows))
        try:
            _until(lambda: bool(server.requests_for(slow.url)), process)
            with s3_server.frozen():
                _until(lambda: any("store" in why for why in _held_up(tmp_path / "data", env)), process)
            _ended_well(process)
        finally:
            process.kill()
            process.wait()
