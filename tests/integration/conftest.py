"""What the tests of the whole line share: a shop whose files can be exchanged, and settings for either database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimmr.settings import Settings, load
from tests.support.servers import PostgreSql
from tests.support.shop import Shop, open_shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """One machine's, or a fleet's with a shared folder; in a hurry."""
    urls: dict[str, Any] = {}
    if request.param == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql")
        urls = {"database_url": server.url(), "store_url": str(tmp_path / "data")}
    hurry: dict[str, Any] = {"min_free_bytes": 1, "retry_scale": 0.001, "max_attempts": 2, "patience_seconds": 5.0}
    return load(data=tmp_path / "data", allow_addresses=("127.0.0.1",), **hurry, **urls)
