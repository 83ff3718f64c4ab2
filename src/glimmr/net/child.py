"""One request in a process of its own: what it asks with must not be loaded, or would change TLS, in this one.

The child only asks: where its socket goes is decided here, redirects are followed here, and here run all clocks.
"""

import ast
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pycurl

from glimmr.errors import ChildCrashed
from glimmr.net.connect_to import ConnectTo
from glimmr.net.guard import Guard
from glimmr.net.lines import Certificates
from glimmr.net.names import addresses_of
from glimmr.net.transfer import Transfer
from glimmr.net.translate import Broken, broken
from glimmr.net.urls import port_of

_MAIN, _OPENSSL = (Path(__file__).with_name(name) for name in ("child_main.py", "old_tls.cnf"))
# What the child connects to whatever its URL says. Nobody resolves it but by the addresses that go with it (RFC 6761).
_PINNED = "pinned.invalid"
_LOOK_SECONDS = 0.1
_START_SECONDS = 10.0  # on a busy machine
_NOISE_BYTES = 2_000
_PIECE_BYTES = 256 * 1024


class Told:
    """What is to be set on the child's curl handle: takes what a handle would."""

    def __init__(self) -> None:
        self.options: list[tuple[int, Any]] = []

    def setopt(self, option: int, value: Any) -> None:
        """Set it in the child."""
        self.options.append((option, value))

    def reset(self) -> None:
        """Set nothing."""
        self.options.clear()


class Child:
    """As a Line, for one request: `browser` is the one to play; none: OpenSSL speaks to the oldest servers."""

    def __init__(self, browser: str, connect_seconds: float) -> None:
        self.curl = Told()
        self._browser, self._connect_seconds = browser, connect_seconds
        self._guard: Guard | None = None  # none: a proxy connects
        self._target = ""
        self.certificates: Certificates = []  # that the server showed, where they were asked for
        self._process: subprocess.Popen[bytes] | None = None
        self._noise = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it

    def guarded(self, url: str, guard: Guard, connect_to: ConnectTo) -> None:
        """The socket goes where `connect_to`, or the name, leads, if the guard lets it."""
        self._guard, self._target = guard, connect_to.target(url)

    def run(self, transfer: Transfer) -> None:
        """Run the prepared request to its end. Raises a GlimmrError, or what a callback or `tell` raised."""
        if self._guard is not None:
            self._pin(transfer, self._guard)
        self._start()
        end = self._listen(transfer)
        if transfer.enough:
            return  # cookies of an answer whose body is not read to its end stay unknown
        transfer.cookies, self.certificates = end["cookies"], end["certificates"]
        if end["code"]:
            raise broken(
                Broken(
                    code=end["code"],
                    text=end["text"],
                    url=transfer.url,
                    connected=transfer.connected,
                    answered=transfer.answered,
                    verify_result=end["verify_result"],
                )
            )

    def close(self) -> None:
        """End the child, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._noise.close()

    def _pin(self, transfer: Transfer, guard: Guard) -> None:
        """Look the name up once, here; the child connects to what was judged, so a rebinding resolver gains nothing."""
        if self._target:
            address, _, text = self._target.rpartition(":")
            found, port = [address.strip("[]")], int(text)
        else:
            found, port = addresses_of(transfer.url, transfer.check, self._connect_seconds), port_of(transfer.url)
        let = [address for address in found if guard.lets(address, port)]
        if not let:
            raise guard.refusal(transfer.url, ", ".join(f"{address} port {port}" for address in found))
        self.curl.setopt(pycurl.CONNECT_TO, [f"::{_PINNED}:{port}"])
        self.curl.setopt(pycurl.RESOLVE, [f"{_PINNED}:{port}:{','.join(map(_bracketed, let))}"])

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and our own file
            [sys.executable, "-P", str(_MAIN)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        request = {"browser": self._browser, "openssl": str(_OPENSSL), "options": self.curl.options}
        body = repr(request).encode()
        assert self._process.stdin is not None, "the child was started with pipes"
        try:
            self._process.stdin.write(len(body).to_bytes(4, "big") + body)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._crash() from None

    def _listen(self, transfer: Transfer) -> dict[str, Any]:
        """Give the transfer what comes. How it ended, unless the transfer has enough before."""
        late = time.monotonic() + self._connect_seconds + _START_SECONDS
        for kind, data in self._messages():
            transfer.check()
            if not transfer.connected and time.monotonic() > late:
                raise broken(Broken(code=pycurl.E_OPERATION_TIMEDOUT, text="no connection", url=transfer.url))
            if kind == b"c":
                transfer.on_connected()
            elif kind == b"h":
                transfer.on_header(data)
            elif kind == b"b" and transfer.on_body(data) != len(data):
                break
            elif kind == b"e":
                return ast.literal_eval(data.decode())
        if transfer.raised is not None:
            raise transfer.raised
        return {}

    def _messages(self) -> Generator[tuple[bytes, bytes]]:
        """What the child says; nothing, several times a second, while it says nothing. Raises ChildCrashed."""
        assert self._process is not None, "it was started"
        assert self._process.stdout is not None, "the child was started with pipes"
        pipe, coming = self._process.stdout.fileno(), bytearray()
        poll = select.poll()
        poll.register(pipe, select.POLLIN | select.POLLHUP)
        while True:
            if not poll.poll(_LOOK_SECONDS * 1000):
                yield b"", b""
                continue
            data = os.read(pipe, _PIECE_BYTES)
            if not data:
                raise self._crash()
            coming += data
            while len(coming) >= 5 and len(coming) >= (end := 5 + int.from_bytes(coming[1:5], "big")):
                message = bytes(coming[:1]), bytes(coming[5:end])
                del coming[:end]
                yield message

    def _crash(self) -> ChildCrashed:
        assert self._process is not None, "it was started"
        code = self._process.wait()
        self._noise.seek(max(0, self._noise.seek(0, os.SEEK_END) - _NOISE_BYTES))
        said = self._noise.read().decode(errors="replace").strip()
        died = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return ChildCrashed(f"the process that asks was {died} without an answer: {said}".rstrip(": "))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
