import os
import signal
from pathlib import Path

import pytest

from glimmr import events
from glimmr.errors import UsageError
from glimmr.watch.crash_points import heeded


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: calls.append(call))
    return calls


def test_the_process_is_killed_when_the_event_is_told_the_nth_time(sent: list[tuple[int, int]]) -> None:
    with heeded("job.claimed:2"):
        events.tell(events.JOB_CLAIMED)
        events.tell(events.JOB_FINISHED)
        assert sent == []
        events.tell(events.JOB_CLAIMED)
        events.tell(events.JOB_CLAIMED)
    assert sent == [(os.getpid(), signal.SIGKILL)]


def test_it_may_be_stopped_instead_and_what_is_told_written_down(sent: list[tuple[int, int]], tmp_path: Path) -> None:
    with heeded(f"log:{tmp_path / 'told'}, job.claimed:1:STOP"):
        events.tell(events.JOB_CLAIMED)
        events.tell(events.JOB_FINISHED)
    events.tell(events.JOB_CLAIMED)
    assert sent == [(os.getpid(), signal.SIGSTOP)]
    assert (tmp_path / "told").read_text().split() == ["job.claimed", "job.finished"]


def test_nothing_is_heeded_when_nothing_is_asked(sent: list[tuple[int, int]]) -> None:
    with heeded(""):
        events.tell(events.JOB_CLAIMED)
    assert sent == []


@pytest.mark.parametrize("wrong", ["job.claimed", "job.claimed:0", "job.claimed:x", "job.claimed:1:HUP", "log:"])
def test_what_is_no_crash_point_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="it looks like"), heeded(wrong):
        pass


def test_an_unknown_event_is_refused_with_the_near_miss() -> None:
    with pytest.raises(UsageError, match=r"no event job\.clamed; did you mean job\.claimed\?"), heeded("job.clamed:1"):
        pass
    with pytest.raises(UsageError, match=r"events\.md"), heeded("zzz:1"):
        pass
