"""All parts are asked at once, each within its own time: what hangs or raises is told as such and hides nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from glimmr import events
from glimmr.errors import StorageFault
from glimmr.watch import health_json
from glimmr.watch.health import COMPONENTS, Checkup, Round, Seen, Status, with_status, worst


def told(checkup: Checkup) -> dict[str, tuple[str, str]]:
    return {one.component: (one.status, one.why) for one in checkup.look()}


def fail() -> Seen:
    raise StorageFault("the disk is gone")


def stumble() -> Seen:
    raise ZeroDivisionError("oh")


def test_one_that_hangs_is_down_within_its_time_and_is_not_asked_again_while_it_hangs() -> None:
    thaw, asked = threading.Event(), list[int]()

    def hang() -> Seen:
        asked.append(1)
        thaw.wait(30)
        return Seen()

    checkup = Checkup({"blobs": hang, "disk": Seen}, limit_seconds=0.1)
    began = time.monotonic()
    for _ in range(3):
        found = told(checkup)
        assert found["blobs"][0] == "fail"
        assert "has not answered for" in found["blobs"][1]
        assert found["disk"] == ("pass", "")
    assert time.monotonic() - began < 2
    assert len(asked) == 1
    thaw.set()
    while told(checkup)["blobs"][0] != "pass":
        assert time.monotonic() - began < 10
    assert len(asked) >= 1


def test_a_fault_is_told_in_its_own_words_with_what_to_do_and_a_bug_is_no_health() -> None:
    found = {one.component: one for one in Checkup({"blobs": fail, "disk": stumble, "redis": Seen}).look()}
    assert (found["blobs"].status, found["blobs"].why) == (Status.FAIL, "the disk is gone")
    assert "mend the store" in found["blobs"].cure
    assert (found["disk"].status, "ZeroDivisionError" in found["disk"].why) == (Status.FAIL, True)
    assert (found["redis"].status, found["redis"].cure) == (Status.PASS, "")


def test_what_is_asked_of_a_database_that_is_down_is_unknown_not_broken() -> None:
    found = told(Checkup({"database": fail, "queues": fail, "jobs": Seen, "disk": Seen}))
    assert found["database"] == ("fail", "the disk is gone")
    assert found["queues"] == found["jobs"] == ("warn", "not known while the database is down")
    assert found["disk"] == ("pass", "")


def test_what_one_has_just_looked_at_another_does_not_ask_again() -> None:
    begun, thaw, asked = threading.Event(), threading.Event(), list[str]()

    def slow() -> Seen:
        asked.append("blobs")
        begun.set()
        thaw.wait(30)
        return Seen(Status.WARN, "slow")

    checkup = Checkup({"blobs": slow, "disk": lambda: asked.append("disk") or Seen()}, fresh_seconds=60.0)
    assert [one.component for one in checkup.look(only=("disk",))] == ["disk"]
    with ThreadPoolExecutor() as threads:
        first = threads.submit(checkup.look)
        assert begun.wait(30)
        second = threads.submit(checkup.look)  # while the first one still waits for an answer
        assert [one.component for one in checkup.latest] == ["disk"]  # which waits for neither
        thaw.set()
        assert first.result() == second.result() == checkup.look() == checkup.latest
    assert sorted(asked) == ["blobs", "disk"]


def test_a_look_at_some_keeps_what_is_known_of_the_others() -> None:
    checkup = Checkup({"database": Seen, "blobs": fail, "disk": Seen})
    checkup.look()
    assert [one.component for one in checkup.look(only=("disk",))] == ["disk"]
    assert [(one.component, one.status) for one in checkup.latest] == [
        ("database", "pass"), ("blobs", "fail"), ("disk", "pass"),
    ]  # fmt: skip


def test_since_is_when_it_became_so() -> None:
    seen = [Seen(), Seen(Status.WARN, "hm"), Seen(Status.WARN, "hm"), Seen()]
    checkup = Checkup({"disk": lambda: seen.pop(0)})
    times = [checkup.look()[0].since for _ in range(4)]
    assert times[0] < times[1] == times[2] < times[3]


def test_a_process_looks_first_when_its_worker_has_signed_in_so_that_it_does_not_miss_itself() -> None:
    looked = threading.Event()

    def look() -> Seen:
        looked.set()
        return Seen()

    round_ = Round(Checkup({"workers": look}), every_seconds=60.0)
    round_.start()
    try:
        assert not looked.wait(0.3)
        events.tell(events.WORKER_STARTED, worker="w", slots={})
        assert looked.wait(1.0)
    finally:
        round_.close()
        round_.join()


def test_the_worst_counts_and_the_first_reason_stays_in_front() -> None:
    both = with_status(with_status(Seen(), Status.FAIL, "a", "mend a"), Status.WARN, "b", "mend b")
    assert (both.status, both.why, both.cure) == (Status.FAIL, "a; b", "mend a")
    checkup = Checkup({"blobs": lambda: Seen(Status.WARN, "w"), "disk": Seen})
    assert worst(checkup.look()) is Status.WARN
    assert worst(()) is Status.PASS


def test_a_secret_is_in_no_answer() -> None:
    seen = Seen(Status.FAIL, "password hunter22 refused", {"deep": [{"url": "x:hunter22@y"}]})
    checkup = Checkup({"database": lambda: seen}, hide=lambda text: text.replace("hunter22", "***"))
    assert b"hunter22" not in health_json.text(health_json.told(checkup.look()))


@pytest.mark.parametrize("part", COMPONENTS, ids=lambda part: part.name)
def test_a_component_says_when_it_is_well_and_what_to_do_else(part: object) -> None:
    assert part.text  # type: ignore[attr-defined]
    assert part.cure  # type: ignore[attr-defined]
    assert part.needs in {"", "database"}  # type: ignore[attr-defined]
