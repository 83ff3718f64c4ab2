"""Open connections: one curl handle per connection, kept warm for the host it last spoke to."""

import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager

import pycurl

from glimmr.net.transfer import Transfer
from glimmr.net.translate import Broken, broken

_MOST_IDLE = 16
_LOOK_SECONDS = 0.1


class Line:
    """A curl handle with room for one connection, so that one line is never more than one connection to its host."""

    def __init__(self) -> None:
        self.curl = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)

    def run(self, transfer: Transfer) -> None:
        """Run the prepared request to its end. Raises a GlimmrError, or what a callback or `tell` raised.

        Not `curl.perform()`: its progress callback is silent during name lookup and TLS handshake (measured: not
        called once in 300 s), and a cancelled job must not wait for those.
        """
        self._multi.add_handle(self.curl)
        try:
            while not self._finished(transfer):
                transfer.check()
                self._wait()
        finally:
            self._multi.remove_handle(self.curl)

    def _finished(self, transfer: Transfer) -> bool:
        while self._multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
            pass
        if transfer.raised is not None:
            raise transfer.raised
        _, succeeded, failed = self._multi.info_read()
        if failed and not transfer.enough:
            _, code, text = failed[0]
            raise broken(
                Broken(
                    code=code,
                    text=text,
                    url=transfer.url,
                    connected=transfer.connected,
                    answered=transfer.answered,
                    verify_result=self.curl.getinfo(pycurl.SSL_VERIFYRESULT),
                )
            )
        return bool(succeeded or failed)

    def _wait(self) -> None:
        due = self._multi.timeout()
        seconds = min(_LOOK_SECONDS, due / 1000) if due >= 0 else _LOOK_SECONDS
        began = time.monotonic()
        if self._multi.select(seconds) <= 0 and seconds > 0 and time.monotonic() - began < seconds / 2:
            time.sleep(min(seconds, 0.01))  # there was no socket to wait for yet

    def close(self) -> None:
        """Close the connection."""
        self.curl.close()
        self._multi.close()


class Lines:
    """The idle lines of one process. A host gets a line it had before: fewer handshakes, no extra connection."""

    def __init__(self) -> None:
        self._idle: OrderedDict[int, tuple[str, Line]] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def to(self, host: str) -> Generator[Line]:
        """A line for one request to `host`. After an error it is closed: nobody knows what is still in its pipe."""
        line = self._take(host)
        try:
            yield line
        except BaseException:
            line.close()
            raise
        self._put_back(host, line)

    def close(self) -> None:
        """Close every idle line, and from now on every line that comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, OrderedDict()
        for _, line in idle.values():
            line.close()

    def drop(self, host: str) -> None:
        """Close one idle line to `host`, if there is one."""
        line = self._idle_to(host)
        if line is not None:
            line.close()

    def _take(self, host: str) -> Line:
        return self._idle_to(host) or Line()

    def _idle_to(self, host: str) -> Line | None:
        with self._lock:
            for key in reversed(self._idle):
                if self._idle[key][0] == host:
                    return self._idle.pop(key)[1]
        return None

    def _put_back(self, host: str, line: Line) -> None:
        line.curl.reset()  # lets go of the sink and of who is told; keeps the connection
        surplus: Line | None = line
        with self._lock:
            if not self._closed:
                self._idle[id(line)] = (host, line)
                surplus = self._idle.popitem(last=False)[1][1] if len(self._idle) > _MOST_IDLE else None
        if surplus is not None:
            surplus.close()
