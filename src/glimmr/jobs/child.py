"""Work in a child process under limits: what the child does to itself, it cannot do to the worker."""

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil

from glimmr.errors import ChildCrashed, ChildError, GlimmrError, OutOfMemory, OutOfTime, ShuttingDown
from glimmr.jobs.job import Tell

WATCH_SECONDS = 0.1
_FAREWELL_SECONDS = 1.0
_STDERR_BYTES = 4_000
_ADDRESS_SPACE_EXTRA_BYTES = 8 * 2**30  # idle pyarrow and duckdb map 2.2 GB they never touch
# How glibc keeps a child's memory: blocks of a megabyte and more apart from the small ones, and on large pages, which
# makes that free. Else the blocks come and go between what stays, and the heap of a long job fills with holes.
# Arrow's own heap keeps what was freed for a second: given back at once, each page is made anew (5 % of a parse).
HEAP = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576",
    "MIMALLOC_PURGE_DELAY": "1000",
}
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # numpy would start one for each core, for what nobody here computes
_GENTLE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


COMMAND = (sys.executable, "-m", "glimmr.jobs.child_main")


def environment() -> dict[str, str]:
    """What a child finds in its environment."""
    return HEAP | _ONE_THREAD | os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def run_in_child(
    function: str, kwargs: Mapping[str, Any], *, tell: Tell, memory_bytes: int, seconds: float
) -> Any:
    """What `function` ("package.module:name", called as `name(tell, **kwargs)`) returns, from a process of its own.

    Arguments and answer are plain JSON types; an answer that is a dict gets `peak_rss_bytes`, the most memory the
    child had. What the child tells goes to `tell`, which is also asked several times a second whether to stop: what
    it raises kills the child and comes through, as cancelling this call does. Raises OutOfMemory (resident memory over
    `memory_bytes`), OutOfTime, ChildCrashed (no answer), the child's own GlimmrError as it was, and ChildError for any
    other exception in the child.
    """
    child = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    noise = _Tail()
    work = [
        asyncio.create_task(_converse(child, function, kwargs, memory_bytes, tell)),
        asyncio.create_task(_watch(child.pid, memory_bytes, seconds, tell)),
    ]
    listening = asyncio.create_task(noise.follow(child.stderr))
    try:
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        answer = await next(task for task in reversed(work) if task in done)
        if answer is None:
            raise await _crash(child, listening, noise)
        return opened(answer)
    finally:
        await _bury(child, work, listening)


async def _converse(
    child: asyncio.subprocess.Process, function: str, kwargs: Mapping[str, Any], memory_bytes: int, tell: Tell
) -> dict[str, Any] | None:
    """The child's answer, or None when it died without one."""
    assert child.stdin is not None, "the child was started with pipes"
    assert child.stdout is not None, "the child was started with pipes"
    try:
        child.stdin.write(request(function, kwargs, memory_bytes))
        await child.stdin.drain()
        while True:
            size = int.from_bytes(await child.stdout.readexactly(4), "big")
            message = json.loads(await child.stdout.readexactly(size))
            if "progress" not in message:
                return message
            tell(**message["progress"])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def request(function: str, kwargs: Mapping[str, Any], memory_bytes: int, *, stays: bool = False) -> bytes:
    """What the child is sent."""
    asked = {"function": function, "kwargs": dict(kwargs), "stays": stays}
    body = json.dumps(asked | {"address_space_bytes": memory_bytes + _ADDRESS_SPACE_EXTRA_BYTES}).encode()
    return len(body).to_bytes(4, "big") + body


async def _watch(pid: int, memory_bytes: int, seconds: float, tell: Tell) -> None:
    """Raise as soon as the child is over a limit, or `tell` says to stop. None when the child is gone."""
    until = time.monotonic() + seconds
    try:
        process = psutil.Process(pid)
        while True:
            tell()
            check(process, memory_bytes, seconds, until)
            await asyncio.sleep(WATCH_SECONDS)
    except psutil.NoSuchProcess:
        await asyncio.Event().wait()  # its answer, if it gave one, is still in the pipe: the conversation decides


def check(process: psutil.Process, memory_bytes: int, seconds: float, until: float) -> None:
    """Raises OutOfMemory, OutOfTime, or psutil.NoSuchProcess when it is gone."""
    resident = process.memory_info().rss
    if resident > memory_bytes:
        raise OutOfMemory(f"it took {resident:,} bytes of memory; it may take {memory_bytes:,}")
    if time.monotonic() > until:
        raise OutOfTime(f"it took more than the {seconds:,.0f} seconds it may take")


async def _crash(child: asyncio.subprocess.Process, listening: "asyncio.Task[None]", noise: "_Tail") -> GlimmrError:
    code = await child.wait()
    await asyncio.wait({listening}, timeout=_FAREWELL_SECONDS)
    return crashed(code, noise.text())


def crashed(code: int, said: str) -> GlimmrError:
    """What it means that a child ended so, without an answer. `said` are its last words."""
    if -code in _GENTLE_SIGNALS:
        # Only in its first moments does the child heed these: the whole group is being stopped.
        return ShuttingDown("the child process was told to stop")
    died = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    hint = " (the system does that when memory runs out)" if code == -signal.SIGKILL else ""
    return ChildCrashed(f"the child process was {died}{hint} without an answer: {said}".rstrip(": "))


async def _bury(
    child: asyncio.subprocess.Process, work: "list[asyncio.Task[Any]]", listening: "asyncio.Task[None]"
) -> None:
    """Whatever happened, the child is dead and its pipes are closed when this returns."""
    # Not `child.kill()`: that polls, and may take the exit status away from the watcher, which then says 255.
    if child.returncode is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(child.pid).kill()
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    if child.stdin is not None:
        child.stdin.close()
    # Its pipes are read to their end, so that they close; a grandchild that holds one is not waited for.
    rest = asyncio.create_task(_read_away(child.stdout))
    await asyncio.wait({rest, listening}, timeout=_FAREWELL_SECONDS)
    for task in (rest, listening):
        task.cancel()
    await asyncio.gather(rest, listening, return_exceptions=True)
    await child.wait()


async def _read_away(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(2**20):
        pass


def opened(answer: dict[str, Any]) -> Any:
    """The child's value, or its error raised here."""
    if "error" in answer:
        raise _rebuilt(answer["error"])
    value = answer["value"]
    return value | {"peak_rss_bytes": answer["peak_rss_bytes"]} if isinstance(value, dict) else value


def _rebuilt(told: dict[str, Any]) -> GlimmrError:
    """The child's own error again; an error that is not one of ours is a ChildError that names it."""
    kind = getattr(importlib.import_module("glimmr.errors"), told["type"], None)
    if told["module"] == "glimmr.errors" and isinstance(kind, type) and issubclass(kind, GlimmrError):
        error = kind.__new__(kind)
        Exception.__init__(error, told["message"])
        vars(error).update(told["attributes"])
    elif told["type"] == "MemoryError":
        error = OutOfMemory("it could not get the memory it asked for")
    else:
        error = ChildError(f"{told['type']}: {told['message']}")
    error.add_note(f"In the child process:\n{told['traceback']}")
    return error


class _Tail:
    """The last words of the child on standard error."""

    def __init__(self) -> None:
        self._bytes = b""

    async def follow(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (more := await stream.read(65536)):
            self._bytes = (self._bytes + more)[-_STDERR_BYTES:]

    def text(self) -> str:
        return self._bytes.decode(errors="replace").strip()
