"""Asks the web: one address, its redirects followed one by one, its bytes streamed into a sink or handed over whole."""

import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import pycurl

from glimmr import events
from glimmr.errors import FetchError, NameNotFound
from glimmr.net import robots
from glimmr.net.answer import Answer, Reply
from glimmr.net.bandwidth import Bandwidth
from glimmr.net.child import Child
from glimmr.net.hosts import Hosts, local_hosts
from glimmr.net.issuers import Issuers
from glimmr.net.ladder import Ladder
from glimmr.net.lines import Line, Lines
from glimmr.net.options import Limits, Options
from glimmr.net.request import Request, bad_redirect
from glimmr.net.resume import Beginning, Resume, Span
from glimmr.net.transfer import Progress, Sink, Transfer, silent
from glimmr.net.translate import answered
from glimmr.net.urls import host_of, normalise, redact
from glimmr.net.ways import IDENTITY, IMPERSONATE, INTERMEDIATES, LEGACY_TLS, Settable
from glimmr.settings import Settings

_MOST_HOPS = 10
_SMALL_ANSWER_BYTES = 64 * 2**20
_KEEP_ALIVE_SECONDS = 30
_ROBOTS_SECONDS, _ROBOTS_BYTES = 5.0, 500 * 1024  # RFC 9309 §2.5: so much of it must be read
_NO_PARTIAL_CHAIN = 1 << 2  # CURLSSLOPT_NO_PARTIALCHAIN, which pycurl's types do not know
_CERTIFICATE_BYTES, _CERTIFICATE_SECONDS = 64 * 1024, 30.0


class Client:
    """The only way to the web. Blocking: call it in a thread; any number of threads may share one client."""

    def __init__(self, options: Options | Settings, hosts: Hosts | None = None) -> None:
        self._options = Options.of(options) if isinstance(options, Settings) else options
        self._hosts = hosts or local_hosts(self._options.connections_per_host)
        self._ladder = Ladder(self._hosts, self._options.ways.known)
        self._lines = Lines()
        self._hosts.when_let_go(self._lines.drop)
        self._bandwidth = Bandwidth(self._options.bandwidth_bytes)
        self._issuers = Issuers(self._options.ca_bundle)

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
        return self._ask(request, sink, tell or silent, self._limits(max_bytes, deadline_seconds))

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
        answer = self._ask(request, sink, tell or silent, self._limits(max_bytes, deadline_seconds))
        return Reply(status=answer.status, final_url=answer.final_url, headers=answer.headers, body=bytes(sink.data))

    def beginning(
        self, url: str, most_bytes: int, *, tell: Progress | None = None, deadline_seconds: float | None = None
    ) -> Reply:
        """The first bytes of a file, as served, and no more; fewer where the answer breaks off. Raises a FetchError."""
        sink = _Memory()
        wanted = Beginning(length=most_bytes)
        request = Request(url=normalise(url), headers=wanted.headers, resume=wanted)
        answer = self._ask(request, sink, tell or silent, self._limits(None, deadline_seconds))
        return Reply(
            status=answer.status,
            final_url=answer.final_url,
            headers=answer.headers,
            body=bytes(sink.data[:most_bytes]),
            is_cut=answer.is_cut,
        )

    def close(self) -> None:
        """Close every idle connection."""
        self._lines.close()

    def _ask(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Answer:
        return self._ladder.climb(request, lambda asked: self._follow(asked, sink, tell, limits))

    def _follow(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Answer:
        for _ in range(_MOST_HOPS + 1):
            transfer = self._hop_by_a_name(request, sink, tell, limits)
            target = transfer.redirects_to
            if target is None:
                return _answer(transfer, request)
            request.redirect(transfer, target)
        raise bad_redirect(request.url, f"more than {_MOST_HOPS} redirects")

    def _hop_by_a_name(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Transfer:
        """One request, at the host's other name where the one we have does not exist."""
        try:
            return self._hop(request, sink, tell, limits)
        except NameNotFound as missing:
            if not request.rename():
                raise
            try:
                return self._hop(request, sink, tell, limits)
            except NameNotFound:
                raise missing from None

    def _hop(self, request: Request, sink: Sink, tell: Progress, limits: Limits) -> Transfer:
        """One request, in its turn at its host. The turn at the host before is over, so nobody waits in a circle."""
        host, here_bytes = host_of(request.url), request.resume.at if request.resume else 0
        self._options.guard.check_url(request.url, by_proxy=self._proxy(request.url) is not None)

        def waiting() -> None:
            tell(bytes=here_bytes, total=None)

        bundle = self._bundle(request, tell, limits)
        with self._hosts.turn(host, waiting):
            if not isinstance(request.resume, Resume | Span):  # to go on with a transfer is no new one
                self._hosts.keep_pace(host, waiting)  # in the turn: who waits for a turn late would come with the next
            self._hosts.check(host)
            transfer = self._exchange(request, sink, tell, limits, bundle)
            if (transfer.is_wanted or transfer.status == 304) and self._hosts.takes_robots(host):
                self._look_into_robots(transfer, tell, limits, bundle)
        return transfer

    def _look_into_robots(self, after: Transfer, tell: Progress, limits: Limits, bundle: bytes) -> None:
        """Ask a host that has just answered, on the same connection, what pace it wants.

        It may say nothing, nonsense, or that we are to be gone: what was asked for is here already.
        """
        host, request, sink = host_of(after.url), Request(url=robots.address(after.url), decode=True), _Memory()
        short = replace(
            limits,
            connect_seconds=min(limits.connect_seconds, _ROBOTS_SECONDS),
            header_seconds=min(limits.header_seconds, _ROBOTS_SECONDS),
            deadline_seconds=_ROBOTS_SECONDS,
            deadline_cap_seconds=_ROBOTS_SECONDS,
            stall_seconds=min(limits.stall_seconds, _ROBOTS_SECONDS),
            max_bytes=_ROBOTS_BYTES,
        )
        here_bytes, total = after.here_bytes, after.size_bytes
        try:
            answer = self._exchange(request, sink, lambda **_: tell(bytes=here_bytes, total=total), short, bundle)
        except FetchError:
            return  # it is asked again tomorrow
        if answer.status < 500:
            self._hosts.wants(host, robots.crawl_delay_seconds(bytes(sink.data)))

    def _exchange(self, request: Request, sink: Sink, tell: Progress, limits: Limits, bundle: bytes) -> Transfer:
        """Send one request and take in its answer, whatever it is. Raises a FetchError when none comes."""
        url = request.url
        transfer = Transfer(
            url,
            sink=sink,
            limits=limits,
            tell=tell,
            asks_whether_changed=request.asks_whether_changed,
            resume=request.resume,
            since=request.since,
            bandwidth=self._bandwidth,
            repeatable=request.body is None,
        )
        try:
            self._run(transfer, request, limits, bundle)
        except FetchError:
            if not transfer.has_begun:
                raise
            transfer.is_cut = True
        finally:
            request.begun = transfer.begun
        events.tell(
            events.REQUEST_ANSWERED, url=redact(url), http_status=transfer.status, bytes=transfer.received_bytes
        )
        request.weaknesses |= self._weaknesses(request)
        return transfer

    def _run(self, transfer: Transfer, request: Request, limits: Limits, bundle: bytes) -> None:
        url, proxy = request.url, self._proxy(request.url)
        with self._line(request, limits) as line:
            self._prepare(line.curl, request, limits, bundle)
            self._route(line, url, proxy)
            events.tell(events.REQUEST_SENT, url=redact(url), method=request.method)
            line.run(transfer)

    def _line(self, request: Request, limits: Limits) -> AbstractContextManager[Line | Child]:
        """What the request is sent by. A child is one connection more, so an idle one to its host is closed."""
        host, ways = host_of(request.url), self._ways(request)
        browser = self._options.ways.impersonate if IMPERSONATE in ways else ""
        if not browser and not (LEGACY_TLS in ways and request.url.startswith("https:")):
            return self._lines.to(host)
        self._lines.drop(host)
        return closing(Child(browser, limits.connect_seconds))

    def _prepare(self, curl: Settable, request: Request, limits: Limits, bundle: bytes) -> None:
        """Set what is asked. `reset` keeps the connection, and the cookies of another request: these are dropped."""
        curl.reset()
        curl.setopt(pycurl.COOKIEFILE, "")
        for cookie in ("ALL", *request.cookies):
            curl.setopt(pycurl.COOKIELIST, cookie)
        curl.setopt(pycurl.URL, request.url)
        options, ways = self._options, self._ways(request)
        decode = request.decode and IDENTITY not in ways
        headers = options.ways.headers(request.url, ways, decode=decode) | request.headers
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
        if IMPERSONATE not in ways:
            curl.setopt(pycurl.USERAGENT, options.user_agent)
        options.ways.prepare(curl, ways)
        curl.setopt(pycurl.ACCEPT_ENCODING, "" if decode else "identity")
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, int(decode))
        if request.body is not None:
            curl.setopt(pycurl.COPYPOSTFIELDS, request.body)
        if request.method != "GET":
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.BUFFERSIZE, self._bandwidth.piece_bytes)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(limits.connect_seconds * 1000))
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.TCP_KEEPIDLE, _KEEP_ALIVE_SECONDS)
        curl.setopt(pycurl.TCP_KEEPINTVL, _KEEP_ALIVE_SECONDS)
        if not options.checks(request.url):
            curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        elif bundle:
            curl.setopt(pycurl.CAINFO_BLOB, bundle)
            curl.setopt(pycurl.SSL_OPTIONS, _NO_PARTIAL_CHAIN)  # only its roots end a chain
        elif options.ca_bundle:
            curl.setopt(pycurl.CAINFO, options.ca_bundle)

    def _ways(self, request: Request) -> frozenset[str]:
        host = host_of(request.url)
        ways = frozenset[str]() if request.plain else request.tried.get(host, self._hosts.ways(host))
        return self._options.ways.taken(ways)

    def _weaknesses(self, request: Request) -> set[str]:
        if not request.url.startswith("https:"):
            return set()
        weak = {"GL-TLS-LEGACY"} if LEGACY_TLS in self._ways(request) else set[str]()
        return weak if self._options.checks(request.url) else weak | {"GL-TLS-INSECURE"}

    def _bundle(self, request: Request, tell: Progress, limits: Limits) -> bytes:
        """The roots, and what this server does not send below them; nothing for one that sends it, or speaks no TLS."""
        if INTERMEDIATES not in self._ways(request) or not request.url.startswith("https:"):
            return b""

        def fetch(url: str) -> bytes:
            short = replace(limits, max_bytes=_CERTIFICATE_BYTES, deadline_seconds=_CERTIFICATE_SECONDS)
            sink = _Memory()
            self._follow(Request(url=normalise(url), plain=True), sink, tell, short)
            return bytes(sink.data)

        return self._issuers.bundle(request.url, lambda: self._shown(request, tell, limits), fetch)

    def _shown(self, request: Request, tell: Progress, limits: Limits) -> list[str]:
        """The certificates a server shows, whatever they are worth. Nothing is asked on that connection."""
        url, proxy = request.url, self._proxy(request.url)
        with (
            self._hosts.turn(host_of(url), lambda: tell(bytes=0, total=None)),
            closing(self._looker(request, limits)) as line,
        ):
            self._hosts.look(host_of(url))
            transfer = Transfer(url, sink=_Memory(), limits=limits, tell=tell, asks_whether_changed=False)
            self._prepare(line.curl, request, limits, b"")
            self._route(line, url, proxy)
            for option in (pycurl.SSL_VERIFYPEER, pycurl.SSL_VERIFYHOST):
                line.curl.setopt(option, 0)
            for option in (pycurl.CONNECT_ONLY, pycurl.OPT_CERTINFO):
                line.curl.setopt(option, 1)
            line.run(transfer)
        return [text for one in line.certificates for name, text in one if name == "Cert"]

    def _looker(self, request: Request, limits: Limits) -> Line | Child:
        return Child("", limits.connect_seconds) if LEGACY_TLS in self._ways(request) else Line()

    def _route(self, line: Line | Child, url: str, proxy: str | None) -> None:
        """Decide where the socket goes: to the proxy, or where the guard lets it."""
        line.curl.setopt(pycurl.PROXY, proxy or "")
        # Decided here, so that libcurl does not decide otherwise behind the guard's back.
        line.curl.setopt(pycurl.NOPROXY, "")
        if proxy is None:
            line.guarded(url, self._options.guard, self._options.connect_to)
        elif self._options.ca_bundle:
            line.curl.setopt(pycurl.PROXY_CAINFO, self._options.ca_bundle)

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


def _answer(transfer: Transfer, request: Request) -> Answer:
    if transfer.status in (300, 301, 302, 303, 305, 306, 307, 308):
        raise bad_redirect(transfer.url, f"HTTP {transfer.status} without an address to go to")
    error = answered(transfer.what)
    if error is not None:
        raise error
    not_modified = transfer.status == 304
    if not not_modified:
        transfer.begin()  # an empty body has no first byte
        if not request.decode:
            transfer.check_whole()
    return Answer(
        status=transfer.status,
        final_url=transfer.url,
        headers=transfer.headers,
        bytes=transfer.received_bytes,
        not_modified=not_modified,
        weaknesses=tuple(sorted(request.weaknesses)),
        is_cut=transfer.is_cut,
    )
