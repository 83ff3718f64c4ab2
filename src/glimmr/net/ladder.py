"""Asks as a host likes it: honestly first, then in the other ways there are; what helped is remembered per host."""

from collections.abc import Callable

from glimmr.errors import FetchError, HttpError
from glimmr.net.answer import Answer
from glimmr.net.hosts import Hosts
from glimmr.net.request import Request
from glimmr.net.urls import host_of
from glimmr.retry import History, Policy, decide, rule_for


class Ladder:
    """`ways` are the names of the ways this client has; which of them an error calls for is `retry`'s to say."""

    def __init__(self, hosts: Hosts, ways: frozenset[str]) -> None:
        self._hosts, self._policy = hosts, Policy(alternates=ways)

    def climb(self, request: Request, ask: Callable[[Request], Answer]) -> Answer:
        """What `ask` answers in the first way that works. Raises the FetchError of the last one."""
        tried: dict[str, frozenset[str]] = {}
        while True:
            asked = request.afresh(tried)
            try:
                answer = ask(asked)
            except FetchError as error:
                host = host_of(asked.url)
                broken_off = asked.begun and not isinstance(error, HttpError)
                if broken_off:
                    self._hosts.answered(host)  # a host that sends bytes is not ill
                else:
                    self._hosts.failed(host, error)
                if not self._steps_up(error, host, tried):
                    raise
                if broken_off:  # who called goes on with what is here, in the new way
                    self._remember(tried)
                    raise
            else:
                self._hosts.answered(host_of(answer.final_url))
                self._remember(tried)
                return answer

    def _steps_up(self, error: FetchError, host: str, tried: dict[str, frozenset[str]]) -> bool:
        """Add the way that this error calls for; False when there is none (left)."""
        ways = tried.get(host, self._hosts.ways(host))
        history = History(failures=1, reasons=(rule_for(error).reason,), alternates=tuple(ways))
        way = decide(error, history, self._policy).alternate
        if way is not None:
            tried[host] = ways | {way}
        return way is not None

    def _remember(self, tried: dict[str, frozenset[str]]) -> None:
        for host, ways in tried.items():
            self._hosts.remember(host, ways)
