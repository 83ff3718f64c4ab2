"""Small work in a child process that is kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from glimmr.errors import ChildCrashed, ChildError, OutOfMemory, OutOfTime, ShuttingDown, Unparseable
from glimmr.jobs import kept
from glimmr.jobs.kept import KeptChild
from tests.support.fleet import until

MB = 2**20


def quiet(**_: Any) -> None:
    pass


@pytest.fixture
def child() -> Iterator[KeptChild]:
    with closing(KeptChild(400 * MB, 10)) as made:
        yield made


def call(child: KeptChild, name: str, tell: Any = quiet, **kwargs: Any) -> Any:
    return child.run(f"tests.unit.jobs.toys:{name}", kwargs, tell)


def pid_of(child: KeptChild) -> int:
    return call(child, "who")


def test_one_process_does_it_all_and_is_gone_when_it_is_closed() -> None:
    with closing(KeptChild(400 * MB, 10)) as child:
        pids = {pid_of(child) for _ in range(3)}
        with ThreadPoolExecutor(4) as pool:
            assert [one["sum"] for one in pool.map(lambda n: call(child, "add", a=n, b=1), range(8))] == [*range(1, 9)]
        pids.add(pid_of(child))
        assert len(pids) == 1
    assert not psutil.pid_exists(pids.pop())


def test_an_error_of_the_work_is_an_answer_and_the_process_stays(child: KeptChild) -> None:
    before = pid_of(child)
    with pytest.raises(Unparseable, match="the child says so"):
        call(child, "fail", kind="Unparseable", reason="broken_structure")
    with pytest.raises(ChildError, match="KeyError: 'price'"):
        call(child, "stumble")
    assert pid_of(child) == before


@pytest.mark.parametrize(
    ("name", "more", "error"),
    [
        ("abort", {}, ChildCrashed),
        ("leave", {}, ChildCrashed),
        ("die", {"signal_number": int(signal.SIGKILL)}, ChildCrashed),
        ("eat", {"size_bytes": 600 * MB}, OutOfMemory),
        ("hang", {"pid_file": os.devnull}, OutOfTime),
    ],
)
def test_what_ends_badly_costs_the_process_and_the_next_work_has_another(
    child: KeptChild, name: str, more: dict[str, Any], error: type[ChildError], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pid_of(child)
    if error is OutOfTime:
        monkeypatch.setattr(child, "_seconds", 0.3)
    with pytest.raises(error):
        call(child, name, **more)
    assert not psutil.pid_exists(before)
    if name == "leave":
        assert pid_of(child) != before


def test_one_that_died_between_two_pieces_of_work_costs_neither(child: KeptChild) -> None:
    before = pid_of(child)
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert pid_of(child) != before


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = """
import sys, time
from glimmr.jobs.kept import KeptChild
child = KeptChild(2**30, 60)
print(child.run("tests.unit.jobs.toys:who", {}, lambda **_: None), flush=True)
time.sleep(60)
"""
    root = Path(__file__).parents[3]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)


def test_a_stop_is_noticed_while_it_works_and_by_who_waits_for_it(child: KeptChild, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def stop(**_: Any) -> None:
        if pid_file.exists():
            raise ShuttingDown("this process is stopping")

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for ended in [pool.submit(call, child, "hang", stop, pid_file=str(pid_file)) for _ in range(2)]:
            with pytest.raises(ShuttingDown):
                ended.result()
    assert time.monotonic() - began < 5


def test_after_much_work_another_process_begins(child: KeptChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST_WORK", 2)
    pids = [pid_of(child) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
