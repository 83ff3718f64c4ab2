import threading

import pytest

from glimmr.net.politeness import LocalPoliteness


class StoppedError(Exception):
    pass


def stop() -> None:
    raise StoppedError


def test_a_host_gives_only_so_many_turns_and_the_next_when_one_is_over() -> None:
    hosts, got = LocalPoliteness(1), threading.Event()

    def second() -> None:
        with hosts.turn("h", lambda: None):
            got.set()

    thread = threading.Thread(target=second)
    with hosts.turn("h", stop):
        thread.start()
        assert not got.wait(0.05)
        with hosts.turn("other", stop):
            pass
    assert got.wait(5)
    thread.join()


def test_who_waits_can_be_stopped_and_leaves_no_turn_behind() -> None:
    hosts = LocalPoliteness(1)
    with hosts.turn("h", stop), pytest.raises(StoppedError), hosts.turn("h", stop):
        raise AssertionError("there was no turn")
    with hosts.turn("h", stop):
        pass


def test_a_failed_request_gives_its_turn_back() -> None:
    hosts = LocalPoliteness(1)
    with pytest.raises(StoppedError), hosts.turn("h", lambda: None):
        raise StoppedError
    with hosts.turn("h", stop):
        pass
