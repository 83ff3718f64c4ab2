"""The child's side of `jobs.child` and `jobs.kept`: reads a request, calls a function, answers. Its imports are light.

A message is 4 bytes of length (big-endian) and JSON. Messages leave by a descriptor of their own, so that whatever
prints to standard output cannot mix with them. The child ends by itself when its standard input ends: its parent died.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_TELL_SECONDS = 0.2


class Wire:
    """The way to the parent. Any thread may tell."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._untold: dict[str, Any] = {}
        self._told_at = float("-inf")

    def tell(self, **progress: Any) -> None:
        """Say how far the work is; what comes too fast is joined to what is said next."""
        with self._lock:
            self._untold |= progress
            now = time.monotonic()
            if now - self._told_at < _TELL_SECONDS:
                return
            told, self._untold, self._told_at = self._untold, {}, now
            self._send({"progress": told})

    def answer(self, message: dict[str, Any]) -> None:
        """Say how the work ended."""
        with self._lock:
            if self._untold:
                self._send({"progress": self._untold})
            self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        rest = memoryview(len(body).to_bytes(4, "big") + body)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def main() -> None:
    """Read the request from standard input, do it, answer; then the next, if the child is to stay."""
    # A signal sent to the whole group is the parent's to answer; this process ends with its parent, or is killed.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wire = Wire(os.dup(1))
    os.dup2(2, 1)
    requests = SimpleQueue[dict[str, Any]]()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    stays = True
    while stays:
        request = requests.get()
        _limit(request["address_space_bytes"])
        wire.answer(_answer(request, wire.tell))
        stays = request.get("stays", False)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # imported libraries' own threads and farewells must not hold up the answer


def _answer(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    try:
        module, _, name = request["function"].partition(":")
        value = getattr(importlib.import_module(module), name)(tell, **request["kwargs"])
        json.dumps(value)
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        return {"error": _described(error), "peak_rss_bytes": peak_rss_bytes()}
    return {"value": value, "peak_rss_bytes": peak_rss_bytes()}


def _described(error: Exception) -> dict[str, Any]:
    plain = {name: value for name, value in vars(error).items() if isinstance(value, str | int | float | bool | None)}
    return {
        "module": type(error).__module__,
        "type": type(error).__qualname__,
        "message": str(error),
        "attributes": plain,
        "traceback": "".join(traceback.format_exception(error))[-8000:],
    }


def peak_rss_bytes() -> int:
    """The most memory this process ever had resident."""
    # Not ru_maxrss where there is better: a child's starts at its parent's size.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _limit(address_space_bytes: int) -> None:
    """Wide nets: the parent watches the real memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = address_space_bytes if hard == resource.RLIM_INFINITY else min(address_space_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        # When the machine runs out of memory, let this process be the one that is killed, not the worker.
        with contextlib.suppress(OSError):  # somebody may have set a higher one already
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _listen(requests: "SimpleQueue[dict[str, Any]]") -> None:
    """Hand over what is asked; the end of it is the parent's, and so this process's."""
    while True:
        requests.put(json.loads(_read_exactly(int.from_bytes(_read_exactly(4), "big"))))


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(0, size - len(data))
        if not more:
            os._exit(1)
        data += more
    return data


if __name__ == "__main__":
    main()
