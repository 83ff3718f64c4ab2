"""SIGKILL of the whole process group, again and again: the same tables as an undisturbed run."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.stores.folder_lock import holder
from glimmr.world import Server, World, serve_in_thread, world
from tests.support import line
from tests.support.fleet import until

KILLS = 5


@pytest.fixture(scope="module")
def built() -> World:
    return world(seed=5, n=24, mix="clean")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("files", [8, pytest.param(24, marks=pytest.mark.long)])
def test_five_kills_leave_the_tables_of_an_undisturbed_run(
    built: World, server: Server, tmp_path: Path, files: int
) -> None:
    rows = [("H", "VT", ccn, file.url) for file in built.files[:files] for ccn in file.hospitals]
    listed = line.write_list(tmp_path / "list.csv", rows)
    env = line.environment(server)
    quiet = tmp_path / "quiet"
    began = time.monotonic()
    line.summary("run", "--from", listed, "--data", quiet, env=env)
    usual_seconds = time.monotonic() - began

    killed, chance = tmp_path / "killed", random.Random(os.getpid())
    moments: list[float] = []
    while len(moments) < KILLS:
        moments.append(chance.uniform(0.0, 0.15) * usual_seconds)
        process = subprocess.Popen(
            line.command("run", "--from", listed, "--data", killed),
            env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: holder(killed) == process.pid)  # noqa: B023 - asked at once
        with pytest.raises(subprocess.TimeoutExpired):  # it must be killed, not end before
            process.wait(timeout=moments[-1])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    told = line.summary("run", "--from", listed, "--data", killed, env=env)

    assert told["ours"] is False, moments
    assert line.whole_digest(killed) == line.whole_digest(quiet), moments
    unique = line.bare(killed).execute(
        "SELECT (SELECT count(*) = count(DISTINCT (file_id, charge_id)) FROM charges)"
        " AND (SELECT count(*) = count(DISTINCT (file_id, rate_id)) FROM rates)"
    )
    assert unique.fetchone() == (True,)
    assert line.leftovers(killed) == [], moments


def test_an_interrupted_run_hands_its_work_back_and_the_next_goes_on(
    built: World, server: Server, tmp_path: Path
) -> None:
    slow = built.files[0]
    server.set_script(slow.url, "stall@50%")
    listed = line.write_list(tmp_path / "list.csv", [("H", "VT", "470001", slow.url)])
    env = line.environment(server, GLIMMR_STALL_SECONDS="60")
    data = tmp_path / "data"
    process = subprocess.Popen(
        line.command("run", "--from", listed, "--data", data),
        env=env, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not server.requests_for(slow.url):
        assert time.monotonic() < deadline, "the address was never asked"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "the next run goes on" in output

    server.set_script(slow.url, "ok")
    told = line.summary("run", "--from", listed, "--data", data, env=env)
    assert [(outcome["outcome"], outcome["files"]) for outcome in told["outcomes"]] == [("ok", 1)]


def test_a_second_process_says_who_works_there_and_only_looks(built: World, server: Server, tmp_path: Path) -> None:
    stuck = built.files[0]
    server.set_script(stuck.url, "stall@50%")
    listed = line.write_list(tmp_path / "list.csv", [("H", "VT", "470001", stuck.url)])
    env = line.environment(server, GLIMMR_STALL_SECONDS="60")
    data = tmp_path / "data"
    process = subprocess.Popen(
        line.command("run", "--from", listed, "--data", data),
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not server.requests_for(stuck.url):
            assert time.monotonic() < deadline, "the address was never asked"
            time.sleep(0.05)
        refused = line.glimmr("run", "--from", listed, "--data", data, env=env, exit_code=2)
        assert str(process.pid) in refused.stderr
        assert f"process {process.pid} is at work" in line.glimmr("status", "--data", data, env=env).stdout
    finally:
        process.kill()
        process.wait()
