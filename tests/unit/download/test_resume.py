"""A transfer that breaks off is gone on with: here, at the next attempt, in the next process; never spliced."""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glimmr import errors
from glimmr.download import partial as growing
from glimmr.download import sweep
from glimmr.errors import BodyCut, ConnectionReset, JobCancelled, RangeMismatch, ShuttingDown
from glimmr.net.resume import Part, Resume, part_of, size_told, validator_of
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, head, in_turn
from tests.unit.download.test_download import House

BYTES = random.Random(1).randbytes(600_000)
OTHER = random.Random(2).randbytes(600_000)
BUSY = answer(b"", "503 Busy")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(sys.modules["glimmr.download.bring"], "_LONGEST_PAUSE_SECONDS", 0.01)
    return House(tmp_path)


def ranged(
    body: bytes, *, cut_after: int | None = None, etag: str = '"v1"', shift: int = 0, more: tuple[str, ...] = ()
) -> Script:
    """A right server of ranges, which resets the connection after so many bytes of each answer."""

    async def script(request: Request, wire: Wire) -> bool:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(asked[1]) if asked and request.headers.get("if-range") == etag else 0
        if start >= len(body):
            await wire.send(head("416 Range Not Satisfiable", f"Content-Range: bytes */{len(body)}"))
            return False
        said = (f"Content-Range: bytes {start + shift}-{len(body) - 1}/{len(body)}",) if start else ()
        status = "206 Partial Content" if start else "200 OK"
        await wire.send(head(status, f"Content-Length: {len(body) - start}", f"ETag: {etag}", *said, *more))
        rest = body[start : None if cut_after is None else start + cut_after]
        await wire.send(rest)
        if start + len(rest) < len(body):
            await wire.settle()
            wire.reset()
        return start + len(rest) == len(body)

    return script


async def halts(_: Request, wire: Wire) -> None:
    """Half of the file, and then no more."""
    await wire.send(head("200 OK", f"Content-Length: {len(BYTES)}", 'ETag: "v1"') + BYTES[:300_000])
    await wire.until_client_leaves()


def starts(server: HttpServer) -> list[int]:
    """From where each request wanted the file."""
    return [int(request.headers.get("range", "bytes=0-")[6:-1]) for request in server.requests]


def test_a_connection_that_breaks_again_and_again_costs_no_byte_twice(house: House) -> None:
    with HttpServer({"/f": ranged(BYTES, cut_after=100_000)}) as server:
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 100_000, 200_000, 300_000, 400_000, 500_000]
    assert house.left() == [got.path]


def test_a_try_that_brings_nothing_ends_the_attempt_and_the_next_attempt_goes_on(house: House) -> None:
    async def silent(_: Request, wire: Wire) -> None:
        wire.reset()

    with HttpServer({"/f": in_turn(ranged(BYTES, cut_after=250_000), silent, ranged(BYTES))}) as server:
        with pytest.raises(errors.FetchError):
            house.download(server.url("/f"))
        assert any(name.endswith(".part") for name in house.left())
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 250_000, 250_000]
    assert house.left() == [got.path]


@pytest.mark.parametrize("left_by", [ShuttingDown, errors.LeaseLost])
def test_what_a_stopped_worker_had_is_gone_on_with(left_by: type[Exception], house: House) -> None:
    def stop(**progress: Any) -> None:
        if progress["bytes"] >= 300_000:
            raise left_by("the worker stops")

    with HttpServer({"/f": in_turn(halts, ranged(BYTES))}) as server:
        with pytest.raises(left_by):
            house.download(server.url("/f"), tell=stop)
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 300_000]


def test_a_cancelled_job_leaves_nothing(house: House) -> None:
    def stop(**progress: Any) -> None:
        if progress["bytes"]:
            raise JobCancelled("by an operator")

    with HttpServer({"/f": halts}) as server, pytest.raises(JobCancelled):
        house.download(server.url("/f"), tell=stop)
    assert house.left() == []


def test_a_file_that_was_replaced_meanwhile_is_fetched_whole_and_never_spliced(house: House) -> None:
    with HttpServer({"/f": in_turn(ranged(BYTES, cut_after=250_000), ranged(OTHER, etag='"v2"'))}) as server:
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(OTHER).hexdigest()
    assert got.etag == '"v2"'


def test_a_rest_of_another_version_is_refused_though_the_server_calls_it_the_rest(house: House) -> None:
    async def deaf(request: Request, wire: Wire) -> bool:
        """Heeds Range and not If-Range."""
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        said = (f"Content-Range: bytes {start}-{len(OTHER) - 1}/{len(OTHER)}",) if start else ()
        status = "206 Partial Content" if start else "200 OK"
        length = f"Content-Length: {len(OTHER) - start}"
        await wire.send(head(status, length, 'ETag: "v2"', *said) + OTHER[start:])
        return True

    with HttpServer({"/f": in_turn(ranged(BYTES, cut_after=250_000), deaf)}) as server:
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(OTHER).hexdigest()
    assert starts(server) == [0, 250_000, 0]


@pytest.mark.parametrize(
    "validator", ['ETag: "v1"', "Last-Modified: Mon, 01 Jun 2026 00:00:00 GMT"], ids=["etag", "date"]
)
def test_a_rest_that_does_not_say_of_which_version_it_is_is_refused(validator: str, house: House) -> None:
    """It may be of another one, and just as long: a server that is deaf to If-Range would have it spliced."""

    async def cut(_: Request, wire: Wire) -> None:
        await wire.send(head("200 OK", f"Content-Length: {len(BYTES)}", validator) + BYTES[:250_000])

    async def deaf_and_mute(request: Request, wire: Wire) -> bool:
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        said = (f"Content-Range: bytes {start}-{len(OTHER) - 1}/{len(OTHER)}",) if start else ()
        status = "206 Partial Content" if start else "200 OK"
        await wire.send(head(status, f"Content-Length: {len(OTHER) - start}", *said) + OTHER[start:])
        return True

    with HttpServer({"/f": in_turn(cut, deaf_and_mute)}) as server:
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(OTHER).hexdigest()
    assert starts(server) == [0, 250_000, 0]


def test_an_answer_from_another_place_is_refused_and_the_file_begun_anew(house: House) -> None:
    scripts = in_turn(ranged(BYTES, cut_after=250_000), ranged(BYTES, shift=7), ranged(BYTES))
    with HttpServer({"/f": scripts}) as server:
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 250_000, 0]


def test_a_server_that_always_answers_from_another_place_is_given_up_after_two_new_beginnings(house: House) -> None:
    scripts = [step for _ in range(4) for step in (ranged(BYTES, cut_after=250_000), ranged(BYTES, shift=7))]
    with HttpServer({"/f": in_turn(*scripts)}) as server, pytest.raises(RangeMismatch, match="Content-Range"):
        house.download(server.url("/f"))
    assert starts(server) == [0, 250_000] * 3


def test_an_announced_length_that_is_too_long_is_not_asked_for_again_and_again(house: House) -> None:
    async def boasts(request: Request, wire: Wire) -> bool:
        if "range" in request.headers:
            return bool(await ranged(BYTES)(request, wire))
        await wire.send(head("200 OK", f"Content-Length: {len(BYTES) + 10}", 'ETag: "v1"') + BYTES)
        return False

    with HttpServer({"/f": boasts}) as server, pytest.raises(BodyCut):
        house.download(server.url("/f"))
    assert starts(server) == [0, len(BYTES)]
    assert house.left() == []  # the next attempt begins anew, and does not ask in vain once more


@pytest.mark.parametrize(
    "headers", [(), ('ETag: W/"weak"',), ("Accept-Ranges: none", 'ETag: "v1"')], ids=["none", "weak", "no ranges"]
)
def test_without_a_validator_nothing_is_gone_on_with(headers: tuple[str, ...], house: House) -> None:
    async def cut(_: Request, wire: Wire) -> None:
        await wire.send(head("200 OK", f"Content-Length: {len(BYTES)}", *headers) + BYTES[:1000])

    with HttpServer({"/f": in_turn(cut, answer(BYTES))}) as server:
        with pytest.raises((BodyCut, ConnectionReset)):
            house.download(server.url("/f"))
        assert house.left() == []
        house.download(server.url("/f"))
    assert starts(server) == [0, 0]


def test_what_is_on_the_disk_is_believed_only_as_far_as_the_note_says(house: House) -> None:
    with HttpServer(
        {"/f": in_turn(ranged(BYTES, cut_after=250_000), answer(b"", "503 Busy"), ranged(BYTES))}
    ) as server:
        with pytest.raises(errors.Unavailable):
            house.download(server.url("/f"))
        (part,) = house.scratch.glob("*.part")
        with part.open("ab") as file:
            file.write(b"what a dying process wrote after its last sync")
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 250_000, 250_000]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"bytes": 9999999, "validator": "\\"v1\\"", "size_bytes": null}'])
def test_a_note_that_cannot_be_true_is_not_believed(note: str, house: House) -> None:
    with HttpServer(
        {"/f": in_turn(ranged(BYTES, cut_after=250_000), answer(b"", "503 Busy"), ranged(BYTES))}
    ) as server:
        with pytest.raises(errors.Unavailable):
            house.download(server.url("/f"))
        next(house.scratch.glob("*.note")).write_text(note)
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server)[-1] == 0


def test_two_downloads_of_one_address_at_once_do_not_write_into_one_file(house: House) -> None:
    name = hashlib.sha256(b"http://h/f").hexdigest()[:32]
    given: Any = {"tell": dict, "min_free_bytes": 0, "worth": lambda _: True}
    with (
        growing.partial(house.scratch, "http://h/f", **given) as first,
        growing.partial(house.scratch, "http://h/f", **given) as second,
    ):
        first.begin(3, validator='"v1"')
        second.begin(3, validator='"v1"')
        first.write(b"one")
        second.write(b"two")
        kept = first.keep(), second.keep()
        assert [path.read_bytes() for path in kept] == [b"one", b"two"]
        assert first.path.stem == name
    with growing.partial(house.scratch, "http://h/f", **given) as third:
        assert third.size_bytes == 0
        third.throw_away()
    assert kept[0].read_bytes() == b"one"


def test_only_what_nobody_waits_for_and_nobody_grows_is_swept(house: House) -> None:
    with HttpServer({path: in_turn(ranged(BYTES, cut_after=1000), BUSY) for path in ("/a", "/b", "/c")}) as server:
        urls = [server.url(path) for path in ("/a", "/b", "/c")]
        for url in urls:
            with pytest.raises(errors.Unavailable):
                house.download(url)
    (house.scratch / "1-abc.download").write_bytes(b"killed between the last byte and the shelf")
    with growing.partial(house.scratch, urls[1], tell=dict, min_free_bytes=0, worth=lambda _: True) as held:
        swept = sweep(house.scratch, urls[:1])
        assert held.path.exists()
    assert sorted(Path(name).suffix for name in swept) == [".download", ".note", ".note", ".part"]
    assert len(sweep(house.scratch, [])) == 3  # two files, and a note
    assert house.left() == []
    assert sweep(house.scratch / "none", []) == []


_DIES = """
import os, signal, sys
from pathlib import Path
from glimmr.download import partial
from tests.unit.download.test_download import House
partial._SYNC_BYTES = 100_000
def tell(**progress):
    if progress["bytes"] >= 300_000:
        os.kill(os.getpid(), signal.SIGKILL)
House(Path(sys.argv[1])).download(sys.argv[2], tell=tell)
"""


def test_a_killed_process_leaves_what_the_next_one_goes_on_from(house: House, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(root)])}
    with HttpServer({"/f": in_turn(halts, ranged(BYTES))}) as server:
        command = [sys.executable, "-c", _DIES, str(tmp_path), server.url("/f")]
        assert subprocess.run(command, env=env, check=False).returncode == -signal.SIGKILL
        got = house.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert 100_000 <= starts(server)[1] <= 300_000
    assert house.left() == [got.path]


def test_what_is_taken_up_is_hashed_again_as_it_is(house: House) -> None:
    """A power cut may leave other bytes than were written: the name is that of what is here."""
    with HttpServer({"/f": in_turn(ranged(BYTES, cut_after=250_000), BUSY, ranged(BYTES))}) as server:
        with pytest.raises(errors.Unavailable):
            house.download(server.url("/f"))
        (part,) = house.scratch.glob("*.part")
        with part.open("r+b") as file:
            file.seek(1000)
            file.write(b"torn")
        got = house.download(server.url("/f"))
    torn = BYTES[:1000] + b"torn" + BYTES[1004:]
    assert got.file_id == hashlib.sha256(torn).hexdigest()
    assert house.blobs.local_copy(got.path, house.scratch).read_bytes() == torn


def test_another_machine_starts_over(house: House, tmp_path: Path) -> None:
    elsewhere = House(tmp_path)
    elsewhere.scratch = tmp_path / "scratch of another machine"
    with HttpServer({"/f": in_turn(ranged(BYTES, cut_after=250_000), BUSY, ranged(BYTES))}) as server:
        with pytest.raises(errors.Unavailable):
            house.download(server.url("/f"))
        got = elsewhere.download(server.url("/f"))
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert starts(server) == [0, 250_000, 0]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"etag": '"v1"'}, '"v1"'),
        ({"etag": 'W/"v1"', "last-modified": "Mon, 01 Jun 2026 00:00:00 GMT"}, None),
        ({"last-modified": "Mon, 01 Jun 2026 00:00:00 GMT"}, "Mon, 01 Jun 2026 00:00:00 GMT"),
        (
            {"last-modified": "Mon, 01 Jun 2026 00:00:00 GMT", "date": "Mon, 01 Jun 2026 00:00:00 GMT"},
            None,
        ),
        ({"last-modified": "yesterday", "date": "Mon, 01 Jun 2026 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_only_what_names_exactly_these_bytes_is_a_validator(headers: dict[str, str], expected: str | None) -> None:
    assert validator_of(headers) == expected


def test_a_content_range_is_read_as_rfc_9110_writes_it() -> None:
    assert part_of({"content-range": "bytes 5-9/10"}) == Part(5, 5, 10)
    assert part_of({"content-range": "bytes 5-9/*"}) == Part(5, 5, None)
    assert part_of({"content-range": "pages 1-2/3"}) is None
    assert size_told({"content-range": "bytes */10"}) == 10
    resume = Resume(at=5, validator='"v1"', size_bytes=10)
    assert resume.fits(Part(5, 5, 10), '"v1"')
    assert resume.fits(Part(5, 5, None), '"v1"')
    assert not resume.fits(Part(5, 5, 10), None)
    assert not resume.fits(Part(5, 5, 10), '"v2"')
    assert not resume.fits(Part(5, 6, 11), '"v1"')
    assert not resume.fits(Part(4, 6, 10), '"v1"')
