"""Several processes' clients on one database: what a host sees of them, and what one learns holds for all."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from glimmr import errors
from glimmr.model import Standing
from glimmr.net import Client
from glimmr.net.hosts import Hosts
from glimmr.stores import hosts as knowing
from glimmr.stores.database import Database
from glimmr.stores.hosts import HostBook
from glimmr.stores.turns import FleetTurns
from tests.support.fleet import until
from tests.support.http_server import HttpServer, answer, redirect
from tests.unit.net.asking import Kept, client


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    scripts = {
        "/f.csv": answer(b"x" * 1000),
        "/from": redirect("http://vendor.test/f.csv"),
        "/busy": answer(b"", "503 Busy", "Retry-After: 3600"),
    }
    with HttpServer(scripts) as running:
        yield running


@pytest.fixture
def fleet(database: Database, server: HttpServer) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        clients = list[Client]()
        for number in range(3):
            turns = stack.enter_context(closing(FleetTurns(database, 2, f"p{number}")))
            asker = client(connect_to=f"*=127.0.0.1:{server.port}", hosts=Hosts(turns, HostBook(database)))
            clients.append(stack.enter_context(closing(asker)))
        yield clients


def test_a_host_sees_no_more_connections_of_a_fleet_than_the_setting_idle_ones_included(
    fleet: list[Client], server: HttpServer
) -> None:
    def ask(asker: Client) -> None:
        for _ in range(3):
            asker.fetch("http://vendor.test/f.csv", Kept())

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in fleet for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.paths().count("/f.csv") == 18
    assert server.peak == 2
    assert server.connections < 18, "connections are used again"


def test_a_retry_after_holds_for_every_process(fleet: list[Client], server: HttpServer) -> None:
    with pytest.raises(errors.Unavailable):
        fleet[0].fetch("http://h.test/busy", Kept())
    for asker in fleet:
        with pytest.raises(errors.HostRests) as rests:
            asker.fetch("http://h.test/f.csv", Kept())
        assert 3500 < rests.value.seconds <= 3600
        asker.fetch("http://vendor.test/f.csv", Kept())
    assert server.paths() == ["/busy", *["/f.csv"] * 3]


def test_a_host_that_a_redirect_leads_to_is_left_alone_as_well(fleet: list[Client], server: HttpServer) -> None:
    with pytest.raises(errors.Unavailable):
        fleet[0].fetch("http://vendor.test/busy", Kept())
    with pytest.raises(errors.HostRests, match=r"vendor\.test"):
        fleet[1].fetch("http://h.test/from", Kept())
    assert server.paths() == ["/busy", "/from"]


def test_a_host_that_is_left_alone_keeps_no_idle_connection_that_nobody_counts(
    fleet: list[Client], database: Database, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowing, "_FRESH_SECONDS", 0.0)
    fleet[0].fetch("http://vendor.test/f.csv", Kept())
    HostBook(database).change("vendor.test", lambda _: Standing(until=time.time() + 60, opened=1))
    with pytest.raises(errors.HostRests):
        fleet[0].fetch("http://vendor.test/f.csv", Kept())
    count = "SELECT count(*) FROM host_turns"
    assert database.read(lambda c: c.exec_driver_sql(count).scalar_one()) == 0
    until(lambda: server.open == 0, 5)
