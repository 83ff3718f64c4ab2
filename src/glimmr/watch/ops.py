"""A small web server beside the work: is this process alive, is it ready, how is everything, what does it measure."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RDWR
from typing import Any

from glimmr.errors import UsageError
from glimmr.watch import health_json
from glimmr.watch.health import COMPONENTS, Checkup, Status, worst

_FIRST_PORT, _PORTS = 9470, 100
_SLOWEST_SECONDS = 5.0  # of a client that sends nothing
_MOST_CLIENTS = 64  # at a time; each has a thread and a descriptor of a process that needs both for its work
_ASLEEP_SECONDS = 30.0
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_KNOWN = frozenset(part.name for part in COMPONENTS)
_ESSENTIAL = frozenset(part.name for part in COMPONENTS if part.essential)
_HOW = "it looks like 127.0.0.1:9470 or [::1]:9470, or is auto or off"
Reply = tuple[int, str, bytes]


class Ops:
    """Answers from construction until `close`, each request in a thread of its own; no answer waits for a component.

    `address` is the setting's. Raises UsageError when it cannot be listened at. `beat` is to be called every second by
    whatever must not stop: when it does, `/livez` says so.
    """

    def __init__(self, address: str, checkup: Checkup, metrics: Callable[[], bytes]) -> None:
        self._checkup, self._metrics = checkup, metrics
        self._beat_at = time.monotonic()
        self._replies: dict[str, Callable[[], Reply]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/healthz": self._healthz,
            "/metrics": lambda: (HTTPStatus.OK, _PROMETHEUS, self._metrics()),
        }
        self._server = _listening(address, self._reply)
        threading.Thread(target=self._server.serve_forever, name="ops", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        return f"http://[{host}]:{port}" if ":" in str(host) else f"http://{host}:{port}"

    def beat(self) -> None:
        """The work goes on."""
        self._beat_at = time.monotonic()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def _reply(self, path: str) -> Reply:
        reply = self._replies.get(path.partition("?")[0])
        if reply is None:
            return HTTPStatus.NOT_FOUND, "text/plain", f"there are {', '.join(self._replies)}\n".encode()
        return reply()

    def _livez(self) -> Reply:
        silent_seconds = time.monotonic() - self._beat_at
        if silent_seconds > _ASLEEP_SECONDS:
            said = f"the work of this process has stood still for {silent_seconds:.0f} s: start it again\n"
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", said.encode()
        return HTTPStatus.OK, "text/plain", b"alive\n"

    def _readyz(self) -> Reply:
        return self._health(_ESSENTIAL)

    def _healthz(self) -> Reply:
        return self._health(_KNOWN)

    def _health(self, wanted: frozenset[str]) -> Reply:
        found = [one for one in self._checkup.latest if one.component in wanted]
        if not found:  # the first look is still going on
            said = {"status": Status.FAIL, "output": "nothing has been looked at yet"}
            return HTTPStatus.SERVICE_UNAVAILABLE, health_json.MEDIA_TYPE, health_json.text(said)
        failed = worst(found) is Status.FAIL
        code = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
        return code, health_json.MEDIA_TYPE, health_json.text(health_json.told(found))


def _listening(address: str, reply: Callable[[str], Reply]) -> ThreadingHTTPServer:
    if address == "auto":
        for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS):
            try:
                return _server("127.0.0.1", port, reply)
            except OSError:
                continue  # another process of ours, mostly
        raise UsageError(f"setting GLIMMR_OPS_ADDRESS: all ports from {_FIRST_PORT} on are taken; name another, or off")
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal()):
        raise UsageError(f"setting GLIMMR_OPS_ADDRESS: {_HOW} (got {address!r})")
    try:
        return _server(host.strip("[]"), int(port), reply)
    except (OSError, OverflowError) as error:
        raise UsageError(f"setting GLIMMR_OPS_ADDRESS: {address} cannot be had ({error}): name another") from None


def _server(host: str, port: int, reply: Callable[[str], Reply]) -> ThreadingHTTPServer:
    clients: dict[Any, None] = {}  # their sockets, the longest there first

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "glimmr", ""
        timeout = _SLOWEST_SECONDS

        def do_GET(self) -> None:
            code, media_type, body = reply(self.path)
            self.send_response(code)
            for name, value in (
                ("Content-Type", media_type),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Nobody reads it: a probe comes every few seconds."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        address_family = AF_INET6 if ":" in host else AF_INET
        allow_reuse_address = True
        request_queue_size = _MOST_CLIENTS  # the library's 5 send many away for a second

        def process_request(self, request: Any, client_address: Any) -> None:
            """One too many takes the place of who is there the longest: nobody who is slow keeps others out."""
            for longest in list(clients)[: max(0, len(clients) + 1 - _MOST_CLIENTS)]:
                clients.pop(longest, None)
                with suppress(OSError):  # it is going already
                    longest.shutdown(SHUT_RDWR)
            clients[request] = None
            super().process_request(request, client_address)

        def shutdown_request(self, request: Any) -> None:
            """It goes."""
            clients.pop(request, None)
            super().shutdown_request(request)

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)  # the library would look up its own name, which may take long
            self.server_address = self.socket.getsockname()
            self.server_name, self.server_port = host, self.server_address[1]

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is no error of ours."""

    return Server((host, port), Request)
