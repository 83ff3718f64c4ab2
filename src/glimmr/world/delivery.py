"""How the bytes of a file leave the server: whole, in part, or broken in the way its script says."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from glimmr.world.bodies import Bodies, Body
from glimmr.world.build import File
from glimmr.world.http import PIECE_BYTES, Answer, Request, head_bytes, reset, send
from glimmr.world.scripts import Step

HOP = "__hop"
_HTML = (
    b"<!doctype html>\n<html><head><title>Page moved</title></head><body><h1>We have a new site</h1></body></html>\n"
)
_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
_INSTEAD = {
    "html": Answer(200, _HTML, "text/html; charset=utf-8"),
    "pdf": Answer(200, _PDF, "application/pdf"),
    "empty": Answer(200, b"", "text/csv"),
}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


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
    if step.name in ("silent", "close"):
        line.is_usable = False
        await (line.wait_for_end() if step.name == "silent" else asyncio.sleep(0))
        return
    if (answer := _instead(file, request, step)) is not None:
        await line.say(answer, bodyless=request.method == "HEAD")
        return
    body = await bodies.of(file.content, gzip=step.name == "gz-as-csv")
    etag = f'"{body.sha256[:20]}{f"-{count}" if step.name == "etag-flip" else ""}"'
    about = [("ETag", etag), ("Last-Modified", modified(file)), *_kind_headers(file)]
    if request.headers.get("if-none-match") == etag or (
        "if-none-match" not in request.headers and request.headers.get("if-modified-since") == modified(file)
    ):
        await line.say(Answer(304, headers=dict(about)))
        return
    plan = _plan(request, step, body, etag, about)
    if plan.status == 416:
        await line.say(Answer(416, headers=dict(plan.headers)))
        return
    line.entry["status"] = plan.status
    await _send_body(line, body, plan, step, bodyless=request.method == "HEAD")


def _instead(file: File, request: Request, step: Step) -> Answer | None:
    """An answer that is not the file, where the step has one."""
    hop = request.query.get(HOP, "")
    if step.name == "loop" or (step.name == "redir" and int(hop or 0) < step.times):
        to = "loop" if step.name == "loop" else str(int(hop or 0) + 1)
        return Answer(302, headers={"Location": f"{file.target}{'&' if '?' in file.target else '?'}{HOP}={to}"})
    if step.name == "cookie" and "glimmr=seen" not in request.headers.get("cookie", ""):
        return Answer(302, headers={"Location": file.target, "Set-Cookie": "glimmr=seen; Path=/"})
    if step.name == "ua" and not any(word in request.headers.get("user-agent", "") for word in step.words):
        return Answer(403, b"who are you?\n")
    if step.name.isdigit() and step.status != 200:
        wait = {"Retry-After": step.words["ra"]} if "ra" in step.words else {}
        return Answer(step.status, f"{step.status}\n".encode(), headers=wait)
    return _INSTEAD.get(step.name)


def modified(file: File) -> str:
    """The Last-Modified date of a file, from the date it publishes."""
    day = date.fromisoformat(file.content.publisher.updated_on(file.content.shapes[0]))
    return format_datetime(datetime.combine(day, time(8), UTC), usegmt=True)


def _kind_headers(file: File) -> list[tuple[str, str]]:
    """Content-Type as servers give it, which is not always true; a vendor's address names the file in a header."""
    if "vendor" in file.host:
        return [
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", "attachment; filename=\"standardcharges\"; filename*=UTF-8''standard%20charges"),
        ]
    kinds = {"gzip": "application/gzip", "zip": "application/zip"}
    plain = "application/json" if file.kind == "json" else "text/csv"
    return [("Content-Type", kinds.get(file.content.container, plain))]


def _plan(request: Request, step: Step, body: Body, etag: str, about: list[tuple[str, str]]) -> _Plan:
    size = int(body.size * step.at) if step.name == "cut" else body.size
    start, stop, status = 0, size, 200
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    unchanged = request.headers.get("if-range", etag) in (etag, dict(about)["Last-Modified"])
    headers = list(about)
    if step.name != "norange":
        headers.append(("Accept-Ranges", "bytes"))
        if asked and unchanged:
            status, start, stop = 206, int(asked[1]), min(size, int(asked[2] or size) + 1)
            if start >= size:
                return _Plan(416, 0, 0, 0, [("Content-Range", f"bytes */{size}")])
            if step.name == "range":
                start = min(size - 1, start + int(step.change))
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    halt = max(start, int(size * step.at)) if step.name in ("reset", "stall", "chunkcut") else stop
    if step.name in ("chunked", "chunkcut"):
        headers.append(("Transfer-Encoding", "chunked"))
    else:
        headers.append(("Content-Length", str(_announced(step, stop - start))))
    return _Plan(status, start, stop, min(halt, stop), headers)


def _announced(step: Step, length: int) -> int:
    if step.name != "len":
        return length
    change = int(step.change.rstrip("%") or 0)
    return max(0, length + (length * change // 100 if step.change.endswith("%") else change))


async def _send_body(line: Line, body: Body, plan: _Plan, step: Step, *, bodyless: bool) -> None:
    line.writer.write(head_bytes(plan.status, plan.headers))
    await line.writer.drain()
    if bodyless:
        return
    is_chunked = step.name in ("chunked", "chunkcut")
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


async def _pieces(body: Body, plan: _Plan, step: Step) -> AsyncIterator[bytes]:
    """The bytes of a plan, in pieces that fit a socket; or dripping, piece by piece each second."""
    rate = int(step.words.get("rate", "1")) if step.name == "drip" else 0
    place = plan.start
    while place < plan.halt:
        piece = body.read(place, min(plan.halt, place + (rate or PIECE_BYTES)))
        yield piece
        place += len(piece)
        if rate:
            await asyncio.sleep(1)
