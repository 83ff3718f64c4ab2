"""A file without its end is asked for again, up to three times; then what came last is kept, and read.

All that a server announces comes here: only the bytes themselves tell.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr import app, looking
from glimmr.settings import Settings, load
from glimmr.stores.blobs import Blobs
from tests.integration.test_short_bodies import FILES
from tests.support import line
from tests.support.http_server import HttpServer, Script, answer, in_turn

JSON = FILES["json"]
KINDS = ("wide.csv", "csv.gz", "xlsx")  # the others' ends: tests/unit/sniff/test_whole.py


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(data=tmp_path / "data", allow_addresses=("127.0.0.1",), min_free_bytes=1, retry_scale=0.001)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer({}) as running:
        yield running


def visit(settings: Settings, server: HttpServer, *scripts: Script) -> tuple[set[tuple[str, str]], list[str]]:
    """How the addresses that answer so end, and what was asked for. Each visit is as a process of its own."""
    paths = [f"/{n}" for n in range(len(scripts))]
    server.scripts = dict(zip(paths, scripts, strict=True))
    server.requests.clear()
    rows = [(f"Hospital {n}", "VT", f"4700{n:02}", server.url(path)) for n, path in enumerate(paths)]
    listed = line.write_list(settings.data.parent / "list.csv", rows)
    with app.working(settings) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=True, stop=asyncio.Event()))
    asked = [path for path in server.paths() if path != "/robots.txt"]
    return {(row["outcome"], row["reason"]) for row in looking.status(settings)["outcomes"]}, asked


def kept(settings: Settings) -> set[str]:
    keys = [found.key for found in Blobs(f"{settings.data}/blobs").stored()]
    return {key.rpartition("/")[2] for key in keys if not key.startswith("rejects/")}


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def short_of(name: str) -> bytes:
    """Its first half; of a table the first half and a record that ends in its second cell."""
    body = FILES[name]
    half = len(body) // 2
    return body[: body.index(b",", body.index(b"\n", half)) + 1] if name.endswith(".csv") else body[:half]


def tenths(*counts: int) -> list[bytes]:
    return [JSON[: len(JSON) * count // 10] for count in counts]


def test_what_ends_early_is_asked_for_again_until_it_is_whole_as_short_as_before_or_three_times_short(
    settings: Settings, server: HttpServer
) -> None:
    seven, half, six, eight = tenths(7, 5, 6, 8)
    (three,) = tenths(3)
    busy = answer(b"", "502 Bad Gateway")
    answers = {
        **{name: [answer(short_of(name)), answer(FILES[name])] for name in KINDS},
        "as short again": [answer(three.replace(b"3.0.0", b"3.0.1")), answer(three), answer(JSON)],
        "never whole": [answer(seven), answer(half), answer(six), answer(eight)],
        "busy in between": [answer(eight), busy, answer(seven), busy, answer(JSON)],
    }
    ended, asked = visit(settings, server, *(in_turn(*some) for some in answers.values()))
    assert ended == {("ok", ""), ("incomplete", "truncated")}
    times = [asked.count(f"/{n}") for n in range(len(answers))]
    assert dict(zip(answers, times, strict=True)) == {
        **dict.fromkeys(KINDS, 2), "as short again": 2, "never whole": 3, "busy in between": 5,
    }  # fmt: skip
    assert kept(settings) == {*(sha(FILES[name]) for name in (*KINDS, "json")), sha(three), sha(six)}, (
        "and nothing that came before them"
    )
    known = line.bare(settings.data).execute("SELECT file_id FROM charges GROUP BY ALL").fetchall()
    assert {file_id for (file_id,) in known} == kept(settings), "what is whole of the cut ones is published"


def test_how_short_it_was_is_known_to_the_next_process_and_such_bytes_to_every_address(
    settings: Settings, server: HttpServer
) -> None:
    cut = answer(gzip.compress(JSON, mtime=0)[:-9])
    hurried = settings.model_copy(update={"patience_seconds": 0.0, "retry_scale": 1.0})
    ended, asked = visit(hurried, server, cut)
    assert (ended, asked, kept(settings)) == ({("incomplete", "truncated")}, ["/0"], set())
    ended, asked = visit(settings, server, cut)
    assert (ended, asked, len(kept(settings))) == ({("incomplete", "truncated")}, ["/0"], 1)
    ended, asked = visit(settings, server, cut, cut, cut)
    assert (ended, sorted(asked)) == ({("incomplete", "truncated")}, ["/0", "/1", "/2"])
