"""What somebody deletes or cuts short in the data folder: the next run makes it whole, or says what it cannot."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glimmr import app
from glimmr.errors import StorageFault
from glimmr.prices import price_table
from glimmr.settings import Settings, load
from glimmr.stores.lake import Lake
from tests.support import http_server, line
from tests.support.http_server import HttpServer

Damage = Callable[[Path], object]
_HEADER = (
    "description,code|1,code|1|type,setting,standard_charge|gross,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|methodology"
)


def price_file(items: int) -> bytes:
    lines = (f"Item {n},9{n:04},CDM,outpatient,{100 + n},Payer,Plan,{n}.50,fee schedule" for n in range(1, items))
    return "\n".join((_HEADER, *lines, "")).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    scripts = {f"/{n}": http_server.answer(price_file(10 + n)) for n in range(3)}
    with HttpServer(scripts) as running:
        yield running


@pytest.fixture(scope="module")
def before(server: HttpServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three published files."""
    data = tmp_path_factory.mktemp("before") / "data"
    run(data, server)
    return data


def settings_of(data: Path) -> Settings:
    return load(data=data, allow_addresses=("127.0.0.1",), min_free_bytes=1, retry_scale=0.001, max_attempts=2)


def run(data: Path, server: HttpServer) -> None:
    rows = [(f"Hospital {n}", "VT", f"47000{n}", server.url(f"/{n}")) for n in range(3)]
    listed = line.write_list(data.parent / "list.csv", rows)
    with app.working(settings_of(data)) as parts:
        asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))


def first(folder: Path) -> Path:
    return min(path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts)


def last_log(folder: Path) -> Path:
    return max((folder / "_delta_log").glob("*.json"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: dict[str, Damage] = {
    "a table": lambda lake: shutil.rmtree(lake / "charges"),
    "the table that says what is published": lambda lake: shutil.rmtree(lake / "files"),
    "a log": lambda lake: shutil.rmtree(lake / "rates" / "_delta_log"),
    "the end of a log": lambda lake: last_log(lake / "charges").unlink(),
    "an object of charges": lambda lake: first(lake / "charges").unlink(),
    "an object of rates": lambda lake: first(lake / "rates").unlink(),
    "half an object of charges": lambda lake: cut(first(lake / "charges")),
    "an object of files": lambda lake: first(lake / "files").unlink(),
    "half an object of file_hospitals": lambda lake: cut(first(lake / "file_hospitals")),
}


@pytest.mark.parametrize("lost", DAMAGES)
def test_what_was_lost_of_the_price_table_is_made_again_without_asking_anybody(
    before: Path, server: HttpServer, tmp_path: Path, lost: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(before, data)
    DAMAGES[lost](data / "lake")
    asked = len(server.requests)
    run(data, server)
    assert line.whole_digest(data) == line.whole_digest(before)
    assert len(server.requests) == asked
    assert line.leftovers(data) == []
    assert len(Lake(data / "lake").check().intact) == 3


def test_a_price_list_lost_together_with_its_bytes_is_brought_home_again(
    before: Path, server: HttpServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(before, data)
    shutil.rmtree(data / "lake" / "charges")
    blobs = sorted(path for path in (data / "blobs" / "sha256").rglob("*") if path.is_file())
    blobs[0].unlink()
    cut(blobs[1])
    asked = len(server.requests)
    run(data, server)
    assert line.whole_digest(data) == line.whole_digest(before)
    assert len(server.requests) == asked + 2
    assert line.leftovers(data) == []


def test_a_damaged_log_is_said_with_the_way_out(before: Path, server: HttpServer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(before, data)
    cut(last_log(data / "lake" / "charges"))
    with pytest.raises(StorageFault, match=r"move .*/charges/_delta_log elsewhere"):
        run(data, server)
    (data / "lake" / "charges" / "_delta_log").rename(tmp_path / "aside")
    run(data, server)
    assert line.whole_digest(data) == line.whole_digest(before)


@pytest.mark.parametrize("damage", [Path.unlink, cut, lambda path: path.write_bytes(b"")])
def test_a_question_that_meets_a_damaged_object_is_told_to_run_again(
    before: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(before, data)
    damage(first(data / "lake" / "charges"))
    with (
        pytest.raises(StorageFault, match="glimmr worker --drain"),
        price_table(settings_of(data)) as table,
    ):
        table.sql("SELECT sum(gross_charge) FROM charges")
