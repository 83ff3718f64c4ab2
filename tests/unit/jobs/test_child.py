"""Work in a real child process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from glimmr.errors import (
    ChildCrashed,
    ChildError,
    JobCancelled,
    LeaseLost,
    OutOfMemory,
    OutOfTime,
    ShuttingDown,
    Unparseable,
)
from glimmr.jobs.child import run_in_child

MB = 2**20
ROOT = Path(__file__).parents[3]


def quiet(**progress: Any) -> None:
    pass


def call(
    name: str,
    tell: Callable[..., None] = quiet,
    *,
    module: str = "tests.unit.jobs.toys",
    memory_bytes: int = 400 * MB,
    seconds: float = 30.0,
    **kwargs: Any,
) -> Any:
    return asyncio.run(run_in_child(f"{module}:{name}", kwargs, tell=tell, memory_bytes=memory_bytes, seconds=seconds))


def children() -> list[psutil.Process]:
    """Our children that parse or the like; servers that other tests share are none of them."""
    return [
        child for child in psutil.Process().children() if "glimmr.jobs.child_main" in " ".join(child.cmdline() or ["?"])
    ]


def test_a_child_answers_and_tells_how_far_it_is() -> None:
    told: list[dict[str, Any]] = []
    answer = call("add", lambda **progress: told.append(progress), a=1, b=2)
    assert answer["sum"] == 3
    assert 5 * MB < answer["peak_rss_bytes"] < 400 * MB
    assert {"bytes": 1} in told
    assert children() == []


def test_nobody_but_the_watcher_asks_for_a_childs_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Popen's own way to send a signal polls first: then asyncio warns of an unknown child, on the user's screen."""
    asked: list[int] = []
    monkeypatch.setattr(subprocess.Popen, "send_signal", lambda popen, _number: asked.append(popen.pid))
    assert call("add", a=1, b=2)["sum"] == 3
    with pytest.raises(OutOfTime):
        call("hang", seconds=0.2, pid_file=os.devnull)
    assert (asked, children()) == ([], [])


def test_what_a_child_prints_cannot_be_taken_for_an_answer() -> None:
    assert call("chatter", text="price list " * 100) == "price list " * 100_000


def test_an_error_of_ours_comes_through_as_it_was() -> None:
    with pytest.raises(Unparseable, match="the child says so") as caught:
        call("fail", kind="Unparseable", reason="broken_structure")
    assert caught.value.reason == "broken_structure"
    assert any("in fail" in note for note in caught.value.__notes__)


def test_any_other_error_names_itself() -> None:
    with pytest.raises(ChildError, match="KeyError: 'price'") as caught:
        call("stumble")
    assert type(caught.value) is ChildError


def test_a_child_that_aborts_has_crashed_and_its_last_words_are_kept() -> None:
    with pytest.raises(ChildCrashed, match=r"(?s)SIGABRT.*the last words"):
        call("abort")


def test_a_child_that_leaves_without_an_answer_has_crashed() -> None:
    with pytest.raises(ChildCrashed, match="ended with status 7"):
        call("leave")


def test_a_child_that_somebody_killed_has_crashed() -> None:
    with pytest.raises(ChildCrashed, match="SIGKILL"):
        call("die", signal_number=int(signal.SIGKILL))


def test_a_child_over_its_memory_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(OutOfMemory, match="of memory; it may take"):
        call("eat", memory_bytes=150 * MB, size_bytes=300 * MB)
    assert time.monotonic() - started < 20
    assert children() == []


def test_a_child_that_asks_for_an_absurd_amount_at_once_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory):
        call("eat_at_once", size_bytes=2**40)


def test_a_child_over_its_time_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(OutOfTime):
        call("hang", seconds=1.0, pid_file=str(tmp_path / "pid"))
    assert 1.0 <= time.monotonic() - started < 5
    assert children() == []


@pytest.mark.parametrize("why", [LeaseLost, JobCancelled, ShuttingDown])
def test_a_child_is_killed_when_its_run_should_stop(why: type[Exception], tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    hung_at: list[float] = []

    def tell(**progress: Any) -> None:
        if pid_file.exists() and pid_file.read_text():
            hung_at.append(time.monotonic())
            raise why("stop")

    with pytest.raises(why):
        call("hang", tell, pid_file=str(pid_file))
    assert time.monotonic() - hung_at[0] < 2
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_a_child_is_killed_with_the_task_that_waits_for_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def cancelled() -> None:
        waiting = asyncio.create_task(
            run_in_child(
                "tests.unit.jobs.toys:hang",
                {"pid_file": str(pid_file)},
                tell=quiet,
                memory_bytes=400 * MB,
                seconds=60,
            )
        )
        while not (pid_file.exists() and pid_file.read_text()):
            await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    assert not psutil.pid_exists(int(pid_file.read_text()))


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"""
import asyncio
from glimmr.jobs.child import run_in_child
asyncio.run(run_in_child("tests.unit.jobs.toys:hang", {{"pid_file": {str(pid_file)!r}}},
                         tell=lambda **_: None, memory_bytes=2**30, seconds=60))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["", *sys.path, str(ROOT)])}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = psutil.Process(int(pid_file.read_text()))
    assert child.ppid() == parent.pid
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 2
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_signal_to_the_whole_group_leaves_the_child_to_its_parent() -> None:
    def interrupt(**progress: Any) -> None:
        if "pid" in progress:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(progress["pid"], number)

    assert call("work_a_little", interrupt, seconds=20) == "done"


def test_a_parent_that_is_busy_elsewhere_still_gets_an_answer_of_many_megabytes() -> None:
    assert len(call("chatter", text="x" * 20_000)) == 20_000_000


def test_the_child_starts_light() -> None:
    loaded = call("count_loaded", module="tests.unit.jobs.light")
    assert "glimmr.jobs.child_main" in loaded or "__main__" in loaded
    heavy = {"sqlalchemy", "pyarrow", "duckdb", "deltalake", "asyncio", "pydantic", "msgspec"}
    assert heavy.isdisjoint(loaded)
