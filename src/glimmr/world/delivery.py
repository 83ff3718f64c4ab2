"""How the bytes of a file leave the server: whole, in part, or broken in the way its script says."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any

from glimmr.world.bodies import Bodies, Body
from glimmr.world.build import File
from glimmr.world.http import PIECE_BYTES, Answer, Request, head_bytes, reset, send
from glimmr.world.instead import instead
from glimmr.world.scripts import Step, size_of
from glimmr.world.vast import Vast, renewed, vast

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_BROKEN_OFF = frozenset(("reset", "stall", "chunkcut"))
_CHUNKED = frozenset(("chunked", "chunkcut"))
_LINE_SECONDS = 0.5
_DRIP_SECONDS = 0.1
_NAMES = {
    "path": 'attachment; filename="../../../../etc/passwd"',
    "nul": "attachment; filename*=UTF-8''prices%00.csv",
    "rtl": "attachment; filename*=UTF-8''prices%E2%80%AEvsc.exe",
    "long": f'attachment; filename="{"prices" * 700}.csv"',
    "utf8": "attachment; filename=\"prices.csv\"; filename*=UTF-8''pr%C3%A9cios%20Ma%C3%B1ana.csv",
}


class Line:
    """One connection to a client. `entry` is the log's entry of the request being answered.

    The entry is written before the bytes go out: who has the answer finds it in the log.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.entry: dict[str, Any] = {}
        self.is_usable = True

    async def say(self, answer: Answer, *, bodyless: bool = False) -> None:
        """Send a small answer."""
        self.entry |= {"status": answer.status, "bytes": 0 if bodyless else len(answer.body)}
        await send(self.writer, answer, bodyless=bodyless)

    async def write(self, piece: bytes, *, counted: int) -> None:
        """Send a piece of a body, of which `counted` bytes are the file's."""
        self.entry["bytes"] += counted
        self.writer.write(piece)
        await self.writer.drain()

    async def wait_for_end(self) -> None:
        """Say nothing until the client leaves."""
        while await self.reader.read(4096):
            pass


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which bytes are sent under which head. `halt` is where a broken delivery stops (else the end)."""

    status: int
    start: int
    stop: int
    halt: int
    headers: list[tuple[str, str]]


async def deliver(line: Line, bodies: Bodies, file: File, request: Request, *, step: Step, count: int) -> None:
    """Answer the `count`-th request for a file as the step says."""
    if step.name in ("silent", "close", "garbage", "trickle"):
        line.is_usable = False
        await _say_no_http(line, step)
        return
    if (answer := instead(file, request, step)) is not None:
        await line.say(answer, bodyless=request.method == "HEAD")
        return
    body = await _body(bodies, file, step)
    etag, about = _about(file, body, step, count)
    if _has_it(request, etag, about):
        await line.say(Answer(304, headers=dict(about)))
        return
    plan = _plan(request, step, body, etag, about)
    if plan.status == 416:
        await line.say(Answer(416, headers=dict(plan.headers)))
        return
    line.entry["status"] = plan.status
    await _send_body(line, body, plan, step, bodyless=request.method == "HEAD")


async def _say_no_http(line: Line, step: Step) -> None:
    if step.name == "silent":
        await line.wait_for_end()
    elif step.name == "garbage":
        await line.write(b"*** \x00\xff this is not HTTP ***\r\n\r\n", counted=0)
    elif step.name == "trickle":
        await line.write(b"HTTP/1.1 200 OK\r\n", counted=0)
        for number in itertools.count():
            await line.write(b"X-More-%d: yes\r\n" % number, counted=0)
            await asyncio.sleep(_LINE_SECONDS)


async def _body(bodies: Bodies, file: File, step: Step) -> Body | Vast:
    """The bytes as they stand there now."""
    content = renewed(file.content) if step.name == "renew" else file.content
    if (size_bytes := size_of(file.script)) and step.name != "renew":
        return vast(content, size_bytes)
    return await bodies.of(content, gzip=step.name in ("gz-as-csv", "gzip"))


def _about(file: File, body: Body | Vast, step: Step, count: int) -> tuple[str, list[tuple[str, str]]]:
    """The ETag (none: empty) and the headers that say what is sent."""
    etag = f'"{body.version}{f"-{count}" if step.has("etag-flip") else ""}"'
    etag = "" if step.has("bare") else f"W/{etag}" if step.has("weak") else etag
    about = [("ETag", etag)] if etag else []
    if not step.has("bare"):
        about.append(("Last-Modified", modified(file, days=int(step.name == "renew"))))
    if step.name in ("gzip", "says-gzip"):
        about.append(("Content-Encoding", "gzip"))
    return etag, [*about, *_kind_headers(file, step)]


def _has_it(request: Request, etag: str, about: list[tuple[str, str]]) -> bool:
    """Whether the client has the bytes already, by the ETag it shows, else by the date."""
    shown, since = request.headers.get("if-none-match"), request.headers.get("if-modified-since")
    return shown == etag if shown is not None else since is not None and since == dict(about).get("Last-Modified")


def modified(file: File, *, days: int = 0) -> str:
    """The Last-Modified date of a file, so many days after the date it publishes."""
    day = date.fromisoformat(file.content.publisher.updated_on(file.content.shapes[0])) + timedelta(days)
    return format_datetime(datetime.combine(day, time(8), UTC), usegmt=True)


def _kind_headers(file: File, step: Step) -> list[tuple[str, str]]:
    """Content-Type as servers give it, which is not always true; a vendor's address names the file in a header."""
    if step.name == "name":
        return [("Content-Type", "text/csv"), *(("Content-Disposition", _NAMES[word]) for word in step.words)]
    if "vendor" in file.host:
        return [
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", "attachment; filename=\"standardcharges\"; filename*=UTF-8''standard%20charges"),
        ]
    kinds = {"gzip": "application/gzip", "zip": "application/zip"}
    plain = "application/json" if file.kind == "json" else "text/csv"
    return [("Content-Type", kinds.get(file.content.container, plain))]


def _plan(request: Request, step: Step, body: Body | Vast, etag: str, about: list[tuple[str, str]]) -> _Plan:
    size = int(body.size * step.at) if step.name == "cut" else body.size
    start, stop, status = 0, size, 200
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    headers = list(about)
    if not step.has("norange"):
        headers.append(("Accept-Ranges", "bytes"))
        if asked and (step.has("deaf") or _is_of(request, etag, about)):
            status, start, stop = 206, int(asked[1]), min(size, int(asked[2] or size) + 1)
            if start >= size:
                return _Plan(416, 0, 0, 0, [("Content-Range", f"bytes */{size}")])
            if step.name == "range":
                start = min(size - 1, start + int(step.change))
            total = size + int(step.change) if step.name == "total" else size
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{total}"))
            if step.has("mute"):
                headers = [(name, value) for name, value in headers if name not in ("ETag", "Last-Modified")]
    halt = max(start, int(size * step.at)) if step.name in _BROKEN_OFF else stop
    if step.name in _CHUNKED:
        headers.append(("Transfer-Encoding", "chunked"))
    else:
        headers.append(("Content-Length", str(_announced(step, stop - start))))
    return _Plan(status, start, stop, min(halt, stop), headers)


def _is_of(request: Request, etag: str, about: list[tuple[str, str]]) -> bool:
    """Whether a part of this version is wanted; a weak ETag names none (RFC 9110 §13.1.5)."""
    version = request.headers.get("if-range")
    return version is None or (version in (etag, dict(about).get("Last-Modified")) and not version.startswith("W/"))


def _announced(step: Step, length: int) -> int:
    if step.name != "len":
        return length
    change = int(step.change.rstrip("%") or 0)
    return max(0, length + (length * change // 100 if step.change.endswith("%") else change))


async def _send_body(line: Line, body: Body | Vast, plan: _Plan, step: Step, *, bodyless: bool) -> None:
    line.writer.write(head_bytes(plan.status, plan.headers))
    await line.writer.drain()
    if bodyless:
        return
    is_chunked = step.name in _CHUNKED
    async for piece in _pieces(body, plan, step):
        wrapped = b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece
        await line.write(wrapped, counted=len(piece))
    if step.name == "reset":
        line.is_usable = False
        await reset(line.writer)
    elif step.name == "stall":
        line.is_usable = False
        await line.wait_for_end()
    elif step.name in ("chunkcut", "len"):
        line.is_usable = False  # what follows would not be an answer: the connection is closed
    elif is_chunked:
        await line.write(b"0\r\n\r\n", counted=0)


async def _pieces(body: Body | Vast, plan: _Plan, step: Step) -> AsyncIterator[bytes]:
    """The bytes of a plan, in pieces that fit a socket; or dripping, some each moment."""
    most = max(1, round(step.rate * _DRIP_SECONDS)) if step.rate else PIECE_BYTES
    place = plan.start
    while place < plan.halt:
        piece = body.read(place, min(plan.halt, place + most))
        yield piece
        place += len(piece)
        if step.rate:
            await asyncio.sleep(most / step.rate)
