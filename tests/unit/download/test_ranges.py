"""A large file whose server rotates its validators: five ranges of it tell whether it changed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glimmr import errors
from glimmr.download import NotModified
from glimmr.download.ranges import ranges_of
from glimmr.model import Fetched
from tests.support.flipping import Flipping
from tests.support.http_server import HttpServer, answer, head, raw
from tests.unit.download.test_download import House

MB = 2**20
LARGE = random.Random(5).randbytes(50 * MB)
FEW = LARGE[: 8 * MB]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, max_bytes=100 * MB)


@dataclass
class Visits:
    """An address that was brought home once, to be visited again."""

    house: House
    script: Flipping
    url: str
    first: Fetched

    def again(self) -> Fetched | NotModified:
        self.script.sent, self.script.asked = 0, []
        return self.house.download(self.url, etag=self.first.etag, ranges=self.first.ranges)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    scripts: dict[str, Any] = {}
    with HttpServer(scripts) as running:
        yield running


def visited(house: House, server: HttpServer, body: bytes, **more: Any) -> Visits:
    script = Flipping(body, **more)
    server.scripts["/f"] = script  # type: ignore[index]
    first = house.download(server.url("/f"))
    assert isinstance(first, Fetched)
    return Visits(house, script, server.url("/f"), first)


@pytest.mark.parametrize("gives_etags", [True, False], ids=["another ETag each time", "no validator at all"])
def test_equal_bytes_cost_five_megabytes_of_fifty(house: House, server: HttpServer, gives_etags: bool) -> None:
    visits = visited(house, server, LARGE, gives_etags=gives_etags)
    told = NotModified(http_status=206, final_url=visits.url, reason="same_ranges", size_bytes=5 * MB)
    assert visits.again() == told
    assert visits.script.sent == 5 * MB
    last = len(LARGE) - MB
    starts = [0, last, last // 4, last // 2, last * 3 // 4]
    assert visits.script.asked == [f"bytes={start}-{start + MB - 1}" for start in starts]
    assert house.left() == [visits.first.path]


@pytest.mark.parametrize("place", [0, len(FEW) - 1, (len(FEW) - MB) // 4, (len(FEW) - MB) // 2 + 7, 5_600_000])
def test_a_changed_byte_inside_a_range_brings_the_whole(house: House, server: HttpServer, place: int) -> None:
    visits = visited(house, server, FEW)
    visits.script.body = FEW[:place] + bytes([FEW[place] ^ 1]) + FEW[place + 1 :]
    got = visits.again()
    assert isinstance(got, Fetched)
    assert got.file_id != visits.first.file_id
    assert got.ranges != visits.first.ranges
    assert visits.script.sent <= len(FEW) + 5 * MB


@pytest.mark.parametrize("change", [FEW + b"x", FEW[:-1], FEW[: 3 * MB]])
def test_another_size_is_seen_before_a_megabyte_has_come(house: House, server: HttpServer, change: bytes) -> None:
    visits = visited(house, server, FEW)
    visits.script.body = change
    got = visits.again()
    assert isinstance(got, Fetched)
    assert got.size_bytes == len(change)
    assert len(visits.script.asked) == 2


@pytest.mark.parametrize(
    "odd", ["whole", "416 Range Not Satisfiable", "403 Forbidden", "400 Bad Request", "500 Oops", "cut", "other size",
            "no size", "elsewhere"],
)  # fmt: skip
def test_a_server_that_is_odd_about_ranges_is_asked_for_the_whole(house: House, server: HttpServer, odd: str) -> None:
    visits = visited(house, server, FEW, odd=odd)
    got = visits.again()
    assert isinstance(got, Fetched)
    assert got.file_id == visits.first.file_id
    assert visits.script.asked[-1] == ""
    assert house.left() == [got.path]


def test_a_file_that_is_gone_or_a_server_that_wants_to_be_left_alone_is_not_asked_twice(
    house: House, server: HttpServer
) -> None:
    visits = visited(house, server, FEW)
    for odd, error in (("404 Not Found", errors.NotFound), ("429 Too Many", errors.RateLimited)):
        visits.script.odd = odd
        with pytest.raises(error):
            visits.again()
        assert len(visits.script.asked) == 1


def test_a_server_that_says_that_nothing_changed_is_asked_no_more(house: House, server: HttpServer) -> None:
    visits = visited(house, server, FEW)
    server.scripts["/f"] = answer(b"", "304 Not Modified")  # type: ignore[index]
    assert visits.again() == NotModified(http_status=304, final_url=visits.url)
    assert len(server.requests) == 2
    assert server.requests[-1].headers["if-none-match"] == visits.first.etag


def test_what_stops_a_job_stops_the_comparison(house: House, server: HttpServer) -> None:
    visits = visited(house, server, FEW)

    def tell(**progress: Any) -> None:
        assert progress["bytes"] <= progress["total"] == 5 * MB
        raise errors.LeaseLost("another run has this job")

    told = f"Content-Range: bytes 0-{MB - 1}/{len(FEW)}"
    says_no_more = raw(head("206 Partial Content", told, f"Content-Length: {MB}"), then="stall")
    server.scripts["/f"] = says_no_more  # type: ignore[index]
    with pytest.raises(errors.LeaseLost):
        house.download(visits.url, ranges=visits.first.ranges, tell=tell)


def test_a_file_as_large_as_its_ranges_has_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5 * MB))
    assert ranges_of(path) is None
    path.write_bytes(bytes(5 * MB + 1))
    assert (found := ranges_of(path)) is not None
    assert len(found.sha256) == 5
