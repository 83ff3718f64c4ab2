"""One message for many jobs, on a real Redis: shared among the workers, and passed on by who has too few slots."""

import asyncio

import pytest

from glimmr.jobs.doorbells import _bells
from glimmr.jobs.engines.docket import DocketEngine
from glimmr.jobs.job import Due
from tests.support.servers import RedisServer


def dues(count: int, step: str = "toy") -> list[Due]:
    return [Due(n, step, None) for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("jobs", "workers", "expected"),
    [(8, 1, [8]), (8, 2, [4, 4]), (3, 10, [1, 1, 1]), (5, 2, [3, 2]), (2, 0, [2]), (0, 3, [])],
)
def test_a_bell_carries_one_workers_fair_share(jobs: int, workers: int, expected: list[int]) -> None:
    assert [len(bell) for bell in _bells(dues(jobs), {"toy": workers})] == expected


def test_a_bell_is_for_jobs_of_one_step() -> None:
    bells = _bells([*dues(2, "parse"), *dues(2, "scan")], {"parse": 1, "scan": 1})
    assert [{due.step for due in bell} for bell in bells] == [{"parse"}, {"scan"}]


def test_who_has_too_few_slots_passes_the_rest_of_a_bell_on(redis_server: RedisServer) -> None:
    redis_server.run("FLUSHALL")
    first, second = (DocketEngine(redis_server.url, timeout_seconds=2.0) for _ in range(2))

    async def ring() -> list[list[int]]:
        await first.start({"toy": 1})
        await second.start({"toy": 3})
        try:
            async with asyncio.timeout(10):
                while not await first.send(dues(4)):
                    await asyncio.sleep(0.05)
                heard = [[(await first.receive()).id], [(await second.receive()).id for _ in range(3)]]
            await asyncio.sleep(0.1)
            assert first._inbox.empty()
            assert second._inbox.empty()
            return heard
        finally:
            await first.stop()
            await second.stop()

    heard = asyncio.run(ring())
    assert sorted(heard[0] + heard[1]) == [1, 2, 3, 4]


def test_what_was_heard_and_not_received_yet_takes_its_slot(redis_server: RedisServer) -> None:
    """A job that ends just then makes the worker count its slots anew, without those in the inbox."""
    redis_server.run("FLUSHALL")
    engine = DocketEngine(redis_server.url, timeout_seconds=2.0)

    async def free_after_each() -> list[int]:
        await engine.start({"toy": 3})
        try:
            async with asyncio.timeout(10):
                while not await engine.send(dues(2)):
                    await asyncio.sleep(0.05)
                while engine._inbox.qsize() < 2:
                    await asyncio.sleep(0.01)
            free = list[int]()
            for counted in (3, 2, 1):
                engine.make_room("toy", counted)
                free.append(engine._lines["toy"]._free)
                if not engine._inbox.empty():
                    await engine.receive()
            return free
        finally:
            await engine.stop()

    assert asyncio.run(free_after_each()) == [1, 1, 1]
