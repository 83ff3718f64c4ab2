"""Asks the web: one address, its redirects followed one by one, its bytes streamed into a sink or handed over whole."""

import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pycurl

from glimmr import events
from glimmr.errors import ConnectionRefused
from glimmr.net.answer import Answer, Reply
from glimmr.net.hosts import Hosts, local_hosts
from glimmr.net.ladder import Ladder
from glimmr.net.lines import Lines
from glimmr.net.options import Limits, Options
from glimmr.net.request import Request, bad_redirect
from glimmr.net.resume import Resume, Span
from glimmr.net.transfer import Progress, Sink, Transfer
from glimmr.net.translate import answered
from glimmr.net.urls import host_of, normalise, redact
from glimmr.settings import Settings

_MOST_HOPS = 10
_SMALL_ANSWER_BYTES = 64 * 2**20
_BUFFER_BYTES = 256 * 1024
_KEEP_ALIVE_SECONDS = 30


class Client:
    """The only way to the web. Blocking: call it in a thread; any number of threads may share one client."""

    def __init__(self, options: Options | Settings, hosts: Hosts | None = None) -> None:
        self._options = Options.of(options) if isinstance(options, Settings) else options
        self._hosts = hosts or local_hosts(self._options.connections_per_host)
        self._ladder = Ladder(self._hosts, self._options.ways.known)
        self._lines = Lines()

    def fetch(
        self,
        url: str,
        sink: Sink,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        resume: Resume | Span | None = None,
        since: float | None = None,
        tell: Progress | None = None,
        max_bytes: int | None = None,
        deadline_seconds: float | None = None,
    ) -> Answer:
        """Stream what `url` answers into `sink`, as served.

        With `etag` or `last_modified` of the bytes we have, the answer may be `not_modified`. With `resume` the rest of
        a file is asked for: the sink learns by `begin` whether that comes, or the whole; with a Span, the whole is an
        error. The deadline counts from `since` (monotonic; default now). `tell(bytes=, total=)` is called about twice
        a second, also while waiting; what it raises ends the transfer at once. Raises a FetchError: RangeMismatch when
        the answer is another part.
        """
        asked = dict(headers or {})
        if etag:
            asked["If-None-Match"] = etag
        if last_modified:
            asked["If-Modified-Since"] = last_modified
        asked |= resume.headers if resume else {}
        request = Request(url=normalise(url), headers=asked, resume=resume, since=since)
        return self._ask(request, sink, tell or _silent, self._limits(max_bytes, deadline_seconds))

    def get_bytes(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tell: Progress | None = None,
        max_bytes: int = _SMALL_ANSWER_BYTES,
        deadline_seconds: float | None = None,
    ) -> Reply:
        """A small answer, whole: content encodings undone, at most `max_bytes`. Raises a FetchError."""
        sink = _Memory()
        request = Request(url=normalise(url), method=method, headers=dict(headers or {}), body=body, decode=True)
        answer = self._ask(request, sink, tell or _silent, self._limits(max_bytes, deadline_seconds))
        return Reply(status=answer.status, final_url=answer.final_url, headers=answer.headers, body=bytes(sink.data))

    def close(self) -> None:
        """Close every idle connection."""
        self._lines.close()

    def _ask(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Answer:
        return self._ladder.climb(request, lambda asked: self._follow(asked, sink, tell, limits))

    def _follow(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Answer:
        for _ in range(_MOST_HOPS + 1):
            transfer = self._hop(request, sink, tell, limits)
            target = transfer.redirects_to
            if target is None:
                return _answer(transfer, decoded=request.decode)
            request.redirect(transfer, target)
        raise bad_redirect(request.url, f"more than {_MOST_HOPS} redirects")

    def _hop(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Transfer:
        """One request, in its turn at its host. The turn at the host before is over, so nobody waits in a circle."""
        url, host, proxy = request.url, host_of(request.url), self._proxy(request.url)
        self._options.guard.check_url(url, by_proxy=proxy is not None)
        asks, here_bytes = request.asks_whether_changed, request.resume.at if request.resume else 0
        with self._hosts.turn(host, lambda: tell(bytes=here_bytes, total=None)), self._lines.to(host) as line:
            self._hosts.check(host)
            transfer = Transfer(
                url,
                sink=sink,
                limits=limits,
                tell=tell,
                asks_whether_changed=asks,
                resume=request.resume,
                since=request.since,
            )
            self._prepare(line.curl, request, transfer, limits)
            refused = self._route(line.curl, url, proxy)
            events.tell(events.REQUEST_SENT, url=redact(url), method=request.method)
            try:
                line.run(transfer)
            except ConnectionRefused:
                if refused:
                    raise self._options.guard.refusal(url, ", ".join(refused)) from None
                raise
            finally:
                request.begun = transfer.begun
            events.tell(
                events.REQUEST_ANSWERED, url=redact(url), http_status=transfer.status, bytes=transfer.received_bytes
            )
            transfer.cookies = line.curl.getinfo(pycurl.INFO_COOKIELIST)
        return transfer

    def _prepare(self, curl: pycurl.Curl, request: Request, transfer: Transfer, limits: Limits) -> None:
        """Set what is asked. `reset` keeps the connection, and the cookies of another request: these are dropped."""
        curl.reset()
        curl.setopt(pycurl.COOKIEFILE, "")
        for cookie in ("ALL", *request.cookies):
            curl.setopt(pycurl.COOKIELIST, cookie)
        curl.setopt(pycurl.URL, request.url)
        host, options = host_of(request.url), self._options
        ways = request.tried.get(host, self._hosts.ways(host))
        headers = options.ways.headers(request.url, ways) | request.headers
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
        curl.setopt(pycurl.USERAGENT, options.user_agent)
        options.ways.prepare(curl, ways)
        curl.setopt(pycurl.ACCEPT_ENCODING, "" if request.decode else "identity")
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, int(request.decode))
        if request.body is not None:
            curl.setopt(pycurl.COPYPOSTFIELDS, request.body)
        if request.method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(limits.connect_seconds * 1000))
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.TCP_KEEPIDLE, _KEEP_ALIVE_SECONDS)
        curl.setopt(pycurl.TCP_KEEPINTVL, _KEEP_ALIVE_SECONDS)
        if options.ca_bundle:
            curl.setopt(pycurl.CAINFO, options.ca_bundle)
        curl.setopt(pycurl.PREREQFUNCTION, transfer.on_connected)
        curl.setopt(pycurl.HEADERFUNCTION, transfer.on_header)
        curl.setopt(pycurl.WRITEFUNCTION, transfer.on_body)

    def _route(self, curl: pycurl.Curl, url: str, proxy: str | None) -> list[str]:
        """Decide where the socket goes: to the proxy, or through the guard's door. Gives what the door will refuse."""
        refused: list[str] = []
        curl.setopt(pycurl.PROXY, proxy or "")
        curl.setopt(
            pycurl.NOPROXY, ""
        )  # decided here, so that libcurl does not decide otherwise behind the guard's back
        if proxy is None:
            curl.setopt(pycurl.CONNECT_TO, self._options.connect_to.entries(url))
            curl.setopt(pycurl.OPENSOCKETFUNCTION, self._options.guard.door(refused))
        return refused

    def _proxy(self, url: str) -> str | None:
        """The proxy of the environment (HTTPS_PROXY …, NO_PROXY); none where the operator says where to connect."""
        proxies = urllib.request.getproxies_environment()
        if not proxies or self._options.connect_to.entries(url) or urllib.request.proxy_bypass(host_of(url)):
            return None
        return proxies.get(url.partition(":")[0]) or proxies.get("all")

    def _limits(self, max_bytes: int | None, deadline_seconds: float | None) -> Limits:
        limits = self._options.limits
        return replace(
            limits,
            max_bytes=limits.max_bytes if max_bytes is None else max_bytes,
            deadline_seconds=limits.deadline_seconds if deadline_seconds is None else deadline_seconds,
        )


class _Memory:
    """A sink that keeps a small answer."""

    def __init__(self) -> None:
        self.data = bytearray()

    def begin(self, size_bytes: int | None, *, at: int = 0, validator: str | None = None) -> None:
        """Keep nothing of an answer before."""
        del size_bytes, at, validator
        self.data.clear()

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.data += data


def _silent(**_: Any) -> None:
    """Nobody wants to know."""


def _answer(transfer: Transfer, *, decoded: bool) -> Answer:
    if transfer.status in (300, 301, 302, 303, 305, 306, 307, 308):
        raise bad_redirect(transfer.url, f"HTTP {transfer.status} without an address to go to")
    error = answered(transfer.what)
    if error is not None:
        raise error
    not_modified = transfer.status == 304
    if not not_modified:
        transfer.begin()  # an empty body has no first byte
        if not decoded:
            transfer.check_whole()
    return Answer(
        status=transfer.status,
        final_url=transfer.url,
        headers=transfer.headers,
        bytes=transfer.received_bytes,
        not_modified=not_modified,
    )
