from typing import Any

from glimmr import events
from glimmr.events import Event


def test_who_listens_to_some_events_hears_no_others_and_nothing_when_it_stops() -> None:
    every: list[Event] = []
    some: list[Event] = []

    def hear(event: Event, facts: dict[str, Any]) -> None:
        some.append(event)

    stop_all = events.listen(lambda event, facts: every.append(event))
    stop = events.listen(hear, [events.JOB_CLAIMED, events.JOB_RETRIED])
    for event in events.CATALOGUE:
        events.tell(event)
    stop()
    events.tell(events.JOB_CLAIMED)
    stop_all()
    events.tell(events.JOB_CLAIMED)
    assert some == [events.JOB_CLAIMED, events.JOB_RETRIED]
    assert every == [*events.CATALOGUE, events.JOB_CLAIMED]


def test_a_listener_that_stumbles_keeps_nobody_else_from_hearing() -> None:
    heard: list[int] = []
    stops = [
        events.listen(lambda event, facts: heard.append(facts["n"] // 0)),
        events.listen(lambda event, facts: heard.append(facts["n"])),
    ]
    events.tell(events.JOB_CLAIMED, n=1)
    for stop in stops:
        stop()
    assert heard == [1]
