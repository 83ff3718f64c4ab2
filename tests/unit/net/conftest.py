"""No proxy of the shell's, and a server with one file."""

from collections.abc import Iterator

import pytest

from tests.support.http_server import HttpServer, answer


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web() -> Iterator[HttpServer]:
    with HttpServer({"/f": answer(b"prices")}) as server:
        yield server
