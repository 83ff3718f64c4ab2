"""A child process that is kept for many small pieces of work, because to start one takes longer than they do."""

import json
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

import psutil

from glimmr.errors import GlimmrError
from glimmr.jobs.child import COMMAND, WATCH_SECONDS, check, crashed, environment, opened, request
from glimmr.jobs.job import Tell

_MOST_WORK = 1000  # pieces, then another child begins: whatever of one stays in its memory does not add up for ever
_NOISE_BYTES = 4_000
_PIECE_BYTES = 65_536


class KeptChild:
    """Does one piece of work at a time, under the limits of `run_in_child`; whoever else wants it waits.

    After anything but an answer the child is ended, and the next piece of work has a new one.
    """

    def __init__(self, memory_bytes: int, seconds: float) -> None:
        """`seconds` may one piece of work take."""
        self._memory_bytes, self._seconds = memory_bytes, seconds
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._noise: IO[bytes] | None = None  # what it says on standard error
        self._done = 0

    def run(self, function: str, kwargs: Mapping[str, Any], tell: Tell) -> Any:
        """What `function` returns, as `run_in_child` has it, with the same errors; `tell` is only asked to stop."""
        while not self._one_at_a_time.acquire(timeout=WATCH_SECONDS):
            tell()
        try:
            asked = request(function, kwargs, self._memory_bytes, stays=True)
            answer = self._answer(self._living(), asked, tell)
        except BaseException:
            self._end()
            raise
        finally:
            self._one_at_a_time.release()
        return opened(answer)

    def close(self) -> None:
        """End the child, if there is one."""
        with self._one_at_a_time:
            self._end()

    def _living(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._done < _MOST_WORK and self._process.poll() is None:
            self._done += 1
            return self._process
        self._end()
        self._done, self._noise = 1, tempfile.TemporaryFile()  # noqa: SIM115 - `_end` closes it
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and our own module
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._noise, env=environment()
        )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], asked: bytes, tell: Tell) -> dict[str, Any]:
        assert process.stdin is not None, "the child was started with pipes"
        assert process.stdout is not None, "the child was started with pipes"
        until, coming = time.monotonic() + self._seconds, bytearray()
        poll = select.poll()  # not `select`: this process may have many files open
        poll.register(process.stdout, select.POLLIN)
        try:
            watched = psutil.Process(process.pid)
            process.stdin.write(asked)
            process.stdin.flush()
            while True:
                tell()
                check(watched, self._memory_bytes, self._seconds, until)
                if not poll.poll(WATCH_SECONDS * 1000):
                    continue
                piece = os.read(process.stdout.fileno(), _PIECE_BYTES)
                if not piece:
                    raise self._crash(process)
                coming += piece
                while (message := _taken(coming)) is not None:
                    if "progress" not in message:
                        return message
        except (BrokenPipeError, psutil.NoSuchProcess):
            raise self._crash(process) from None

    def _crash(self, process: subprocess.Popen[bytes]) -> GlimmrError:
        assert self._noise is not None, "it was started"
        code = process.wait()
        self._noise.seek(max(0, self._noise.seek(0, os.SEEK_END) - _NOISE_BYTES))
        return crashed(code, self._noise.read().decode(errors="replace").strip())

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._noise is not None:
            self._noise.close()
        self._process = self._noise = None


def _taken(coming: bytearray) -> dict[str, Any] | None:
    """The first whole message of what came, taken out of it."""
    end = 4 + int.from_bytes(coming[:4], "big")
    if len(coming) < max(5, end):
        return None
    body = bytes(coming[4:end])
    del coming[:end]
    return json.loads(body)
