import json
from typing import Any

import pytest

from glimmr import events
from glimmr.cli import log
from glimmr.cli.narrate import line_of, narrate
from glimmr.outcomes import Outcome
from glimmr.settings import load
from tests.unit.cli.logged import unlogged

__all__ = ["unlogged"]

_JOB: dict[str, Any] = {"job": 12, "step": "download", "host": "h.example"}


def test_an_end_is_told_with_its_outcome_its_size_and_its_host() -> None:
    facts = _JOB | {"outcome": Outcome.OK, "reason": "", "bytes": 3_200_000, "rows": 0, "delay_seconds": 0.0}
    assert line_of(events.JOB_FINISHED, facts) == "download 12 finished: ok, 3.2 MB (h.example)"


def test_a_retry_says_why_and_when_and_cannot_steer_a_terminal() -> None:
    facts = _JOB | {"outcome": Outcome.UNREACHABLE, "reason": "stalled", "delay_seconds": 30.0, "message": "\x1b[2J"}
    told = line_of(events.JOB_RETRIED, facts)
    assert told == "download 12 retried: unreachable stalled, again in 30 s, \\x1b[2J (h.example)"


def test_an_end_is_told_with_the_time_it_took_and_a_beginning_only_to_who_looks_for_a_fault(
    capsys: pytest.CaptureFixture[str], unlogged: None
) -> None:
    for level, told in (("info", ["finished"]), ("debug", ["claimed", "finished"])):
        log.configure(load(log_level=level, log_format="json"))
        stop = narrate()
        events.tell(events.JOB_CLAIMED, **_JOB)
        events.tell(events.JOB_FINISHED, **_JOB, outcome=Outcome.OK, seconds=1.25)
        stop()
        events.tell(events.JOB_FINISHED, **_JOB, outcome=Outcome.OK, seconds=1.25)
        out, err = capsys.readouterr()
        assert out == ""
        lines = [json.loads(line) for line in err.splitlines()]
        assert [line["event"].removeprefix("job.") for line in lines] == told
        assert lines[-1]["seconds"] == 1.25
        assert lines[-1]["text"].startswith("download 12 finished: ok, 1.2 s")
        assert lines[0]["text"].startswith(f"download 12 {told[0]}")


def test_an_end_of_what_another_process_began_has_no_time(capsys: pytest.CaptureFixture[str], unlogged: None) -> None:
    log.configure(load(log_format="text"))
    stop = narrate()
    events.tell(events.JOB_RESCUED, **_JOB, delay_seconds=30.0, seconds=None)
    stop()
    assert capsys.readouterr().err[20:] == "download 12 rescued: again in 30 s (h.example)\n"


def test_a_worker_says_in_words_what_it_takes(capsys: pytest.CaptureFixture[str], unlogged: None) -> None:
    log.configure(load(log_format="text"))
    stop = narrate()
    events.tell(events.WORKER_STARTED, worker="w", slots={"scan": 1, "download": 2})
    stop()
    assert capsys.readouterr().err[20:] == "at work: scan 1, download 2\n"
