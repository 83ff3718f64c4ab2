"""Every script of the world, through the real line: how it ends, what is brought home, what that costs the server."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from glimmr import app
from glimmr.settings import load
from glimmr.world import File, Server, serve_in_thread, world
from glimmr.world.content import Content
from glimmr.world.prices import Shape
from glimmr.world.scripts import NAMES, steps_of
from tests.support import line

ATTEMPTS = 3
SCRIPTS = (
    # whole at once
    "ok", "ok(weak)", "bare", "weak", "norange", "etag-flip", "chunked", "gz-as-csv", "gzip", "says-gzip",
    "redir*3", "away", "cookie", "page", "confirm", "share(dl=1)", "share(download=1)", "ua(Mozilla)", "drip(90000B/s)",
    "name(path)", "name(nul)", "name(rtl)", "name(long)", "name(utf8)",
    # whole in the end
    "503*2, ok", "503(ra=1), ok", "429(ra=1), ok", "429(date=2), ok", "500, ok", "502, ok", "408, ok", "425, ok",
    "520, ok", "204, ok", "203, ok", "205, ok", "304, ok", "404, ok", "silent, ok", "close, ok", "garbage, ok",
    "trickle, ok", "drip(1B/s), ok", "reset@50%, ok", "reset@20%, reset@40%, reset@60%, ok", "stall@50%, ok",
    "chunkcut@50%, ok", "len+10, ok", "size=6MiB, reset@30%, reset@60%, ok",
    "reset@50%, 416, ok", "reset@50%, 503, ok", "cut@50%, ok", "cut@30%, cut@60%, ok", "len-50%, ok",
    # begun anew, never spliced
    "reset@50%(weak), ok", "reset@50%(bare), ok", "reset@50%(etag-flip), ok", "reset@50%, norange",
    "reset@50%, range+7, ok", "reset@50%, total+7, ok", "reset@50%, renew", "reset@50%, renew(deaf)",
    "reset@50%, renew(deaf;mute), renew",
    # never
    "404", "410", "451", "401", "402", "407", "403", "406", "999", "challenge", "challenge(status=202)",
    "ua(Firefox)", "400", "405", "415", "501", "505", "202", "203", "204", "205", "304", "429", "503", "500", "502",
    "530", "silent", "close", "garbage", "trickle", "drip(1B/s;bare)", "reset@40%", "stall@30%", "loop", "down(0s..)",
    "html", "pdf", "empty", "page(links=2)", "chunkcut@50%", "len+10", "len-50%", "cut@50%",
    "cut@30%, cut@60%, cut@80%",
)  # fmt: skip

_PLACES = {
    "share(dl=1)": ("www.dropbox.com", "scl/fi/x/", "?rlkey=k&dl=0"),
    "share(download=1)": ("h-my.sharepoint.com", ":x:/g/personal/p/", "?e=m"),
}


@dataclass(frozen=True)
class Ended:
    """What the line made of one address, and what the world saw of it."""

    outcome: str
    reason: str
    sha256: str | None
    requests: list[dict[str, Any]]


def _file(script: str, place: int) -> File:
    """Each at a host of its own. What is cut is JSON, where that is sure to be seen; the others share their bytes."""
    host, folder, query = _PLACES.get(script, (f"h{place}.scripts.test", "", ""))
    kind = "json" if script.startswith(("cut", "len-", "chunkcut@50%,")) else "tall"
    shape = Shape(key=f"scripts/{kind}", kind=kind, version="3.0.0", items=60)
    content = Content(shapes=(shape,), publisher=world(3, 1, "clean").files[0].content.publisher)
    target = f"{place}_standardcharges.{'json' if kind == 'json' else 'csv'}"
    return File(url=f"http://{host}/{folder}{target}{query}", content=content, script=script)


@pytest.fixture(scope="module")
def files() -> dict[str, File]:
    return {script: _file(script, place) for place, script in enumerate(SCRIPTS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


@pytest.fixture(scope="module")
def ended(files: dict[str, File], folder: Path) -> dict[str, Ended]:
    """One run over all of them at once."""
    return _run(files, folder, retry_scale=0.0005)


def _run(files: dict[str, File], folder: Path, retry_scale: float) -> dict[str, Ended]:
    built = replace(world(3, 1, "clean"), files=tuple(files.values()))
    with serve_in_thread(built) as server:
        given = {name.removeprefix("GLIMMR_").lower(): value for name, value in server.settings.items()}
        settings = load(
            data=folder / "data", min_free_bytes=1, retry_scale=retry_scale, max_attempts=ATTEMPTS,
            patience_seconds=60.0, downloads=32, header_timeout_seconds=3.0, stall_seconds=2.0, **given,
        )  # fmt: skip
        rows = [(f"H {n}", "VT", f"47{n:04}", file.url) for n, file in enumerate(files.values())]
        listed = line.write_list(folder / "list.csv", rows)
        with app.working(settings) as parts:
            asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
        return {script: _ended(settings.data, server, file) for script, file in files.items()}


def _ended(data: Path, server: Server, file: File) -> Ended:
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection:
        outcome, reason, key = connection.execute(
            "SELECT outcome, reason, price_file_id FROM price_files WHERE url = ?", (file.url,)
        ).fetchone()
        found = connection.execute(
            "SELECT file_id FROM fetches WHERE price_file_id = ? AND file_id IS NOT NULL ORDER BY seq DESC", (key,)
        ).fetchone()
    return Ended(outcome, reason, found[0] if found else None, server.requests_for(file.url))


def test_every_script_ends_and_costs_what_the_world_knows_it_must(
    ended: dict[str, Ended], files: dict[str, File]
) -> None:
    """One test, not one for each: spread over processes, each of these would run them all."""
    wrong = [told for script in SCRIPTS if (told := _wrong(script, ended[script], files[script]))]
    assert not wrong, "\n".join(wrong)


def _wrong(script: str, got: Ended, file: File) -> str:
    """What was to be otherwise; empty when nothing was."""
    expect, cost = file.expect, file.cost(ATTEMPTS)
    told = [(entry["path"], entry["range"], entry["status"], entry["bytes"]) for entry in got.requests]
    if (got.outcome, got.reason) != (expect.outcome, expect.reason):
        return f"{script} ends {got.outcome} ({got.reason}), not {expect.outcome} ({expect.reason})"
    if expect.outcome == "ok" and got.sha256 != expect.sha256:
        return f"{script} brings home other bytes"
    if not cost.least_requests <= len(told) <= cost.most_requests:
        return f"{script} takes {len(told)} requests, not {cost.least_requests} to {cost.most_requests}: {told}"
    if sum(entry["bytes"] for entry in got.requests) > cost.most_bytes:
        return f"{script} takes more than {cost.most_bytes} bytes: {told}"
    return ""


def test_a_host_that_is_down_for_a_while_is_asked_until_it_is_back(tmp_path: Path) -> None:
    script = "down(0s..2s)"
    file = _file(script, 0)
    got = _run({script: file}, tmp_path, retry_scale=0.02)[script]  # the third attempt is after 2.4 s or later
    assert (got.outcome, got.reason, got.sha256) == (file.expect.outcome, file.expect.reason, file.expect.sha256)
    assert file.expect.outcome == "ok"


def test_what_can_be_gone_on_with_costs_no_byte_twice(ended: dict[str, Ended], files: dict[str, File]) -> None:
    """The world's truth allows a tenth more; on loopback not even that is needed."""
    gone_on = [script for script in SCRIPTS if "@" in script and script.endswith("%, ok") and "cut@" not in script]
    assert len(gone_on) >= 4
    for script in gone_on:
        assert sum(entry["bytes"] for entry in ended[script].requests) == files[script].expect.size_bytes, script


def test_what_has_no_end_is_asked_for_until_it_has_or_comes_as_before(ended: dict[str, Ended]) -> None:
    asked = {script: len(ended[script].requests) for script in SCRIPTS if script.startswith(("cut", "len-"))}
    assert asked == {
        "cut@50%, ok": 2, "cut@30%, cut@60%, ok": 3, "len-50%, ok": 2, "len-50%": 2, "cut@50%": 2,
        "cut@30%, cut@60%, cut@80%": 3,
    }  # fmt: skip
    assert all(ended[script].sha256 for script in asked), "what came last is kept"


def test_no_name_of_a_server_became_a_path(ended: dict[str, Ended], folder: Path) -> None:
    assert ended["name(path)"].outcome == "ok"
    assert [path.name for path in folder.iterdir()] in (["data", "list.csv"], ["list.csv", "data"])
    assert not [path for path in folder.rglob("*") if "passwd" in path.name or "prices" in path.name]


def test_every_step_of_the_language_is_in_a_script() -> None:
    used = {step.name for script in SCRIPTS for step in steps_of(script)}
    assert used >= NAMES
