"""A server that does not like the honest way is asked in another, once; what helped is remembered."""

from typing import Any

import pytest

from glimmr import errors
from glimmr.net import Client
from glimmr.net.hosts import Hosts, LocalBook
from glimmr.net.options import Options
from glimmr.net.politeness import LocalPoliteness
from glimmr.net.ways import Ways
from tests.support.http_server import HttpServer, Request, Script, Wire, answer, in_turn, redirect
from tests.unit.net.asking import Kept, client


def only_for(header: str, word: str = "") -> Script:
    """A server that answers whoever sends a header, with that word in it; the others get 403."""

    async def script(request: Request, wire: Wire) -> bool | None:
        fine = word in request.headers.get(header, "") and header in request.headers
        return await (answer(b"prices") if fine else answer(b"who are you?", "403 Forbidden"))(request, wire)

    return script


def with_agent(agent: str, book: LocalBook) -> Client:
    made = client()
    options: Options = made._options
    return Client(
        Options(
            limits=options.limits, guard=options.guard, connect_to=options.connect_to, ways=Ways(browser_agent=agent)
        ),
        Hosts(LocalPoliteness(2), book),
    )


def fetched(asker: Client, url: str) -> Any:
    sink = Kept()
    asker.fetch(url, sink)
    return sink.data


def test_a_server_that_wants_a_browsers_headers_gets_them_and_is_asked_so_the_next_time() -> None:
    book = LocalBook()
    with HttpServer({"/f": only_for("sec-fetch-mode")}) as server:
        assert fetched(with_agent("", book), server.url("/f")) == b"prices"
        assert fetched(with_agent("", book), server.url("/f")) == b"prices"
    assert len(server.requests) == 3
    assert all("Glimmr" in request.headers["user-agent"] for request in server.requests)  # honest all the same
    assert server.requests[1].headers["referer"] == "http://127.0.0.1/"
    assert book.ways("127.0.0.1") == {"browser_headers"}


def test_a_server_that_refuses_whatever_we_do_is_asked_twice() -> None:
    book = LocalBook()
    with HttpServer({"/f": answer(b"no", "403 Forbidden")}) as server, pytest.raises(errors.Forbidden):
        fetched(with_agent("", book), server.url("/f"))
    assert len(server.requests) == 2
    assert book.ways("127.0.0.1") == frozenset()  # it did not help


@pytest.mark.parametrize("agent", ["", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"])
def test_a_browsers_name_is_shown_only_where_the_operator_allows_it(agent: str) -> None:
    with HttpServer({"/f": only_for("user-agent", "Firefox")}) as server:
        if agent:
            assert fetched(with_agent(agent, LocalBook()), server.url("/f")) == b"prices"
        else:
            with pytest.raises(errors.Forbidden):
                fetched(with_agent(agent, LocalBook()), server.url("/f"))
    assert [agent in request.headers["user-agent"] for request in server.requests][:2] == [not agent, not agent]


def test_a_server_asked_to_log_in_is_not_asked_in_other_ways() -> None:
    with HttpServer({"/f": answer(b"", "401 Unauthorized")}) as server, pytest.raises(errors.AuthRequired):
        fetched(client(), server.url("/f"))
    assert len(server.requests) == 1


def test_the_way_belongs_to_the_host_that_refused_not_to_the_one_that_sent_us_there() -> None:
    with HttpServer({"/f": only_for("sec-fetch-mode"), "/a": redirect("http://vendor.test/f")}) as server:
        asker = client(connect_to=f"*=127.0.0.1:{server.port}")
        assert fetched(asker, "http://hospital.test/a") == b"prices"
    dressed = [(request.host, "sec-fetch-mode" in request.headers) for request in server.requests]
    assert dressed == [
        ("hospital.test", False),
        ("vendor.test", False),
        ("hospital.test", False),
        ("vendor.test", True),
    ]


def test_a_bad_request_is_tried_once_more_in_http_1_1() -> None:
    with HttpServer({"/f": in_turn(answer(b"", "400 Bad Request"), answer(b"prices"))}) as server:
        assert fetched(client(), server.url("/f")) == b"prices"
    assert len(server.requests) == 2
