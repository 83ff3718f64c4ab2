"""The price table in a bucket: DuckDB has nothing of its own to read one, and answers as it does over a folder."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glimmr.errors import StorageFault, UsageError
from glimmr.parse.shelf import Shelf
from glimmr.price_table import CHARGES
from glimmr.publish import publish
from glimmr.query import PriceTable, query
from glimmr.query.remote import RemoteFiles
from glimmr.stores.lake import Lake
from tests.support.price_lists import charge, file_id, file_row, hospital_row, rate, write_price_list
from tests.support.servers import S3Server
from tests.unit.query.conftest import put

QUESTIONS = (
    "SELECT count(*), sum(gross_charge), sum(rates) FROM charges",
    "SELECT * FROM prices ORDER BY ALL",
    "SELECT amount_kind, count(*), sum(amount) FROM amounts GROUP BY ALL ORDER BY ALL",
    "SELECT file_id, hospital_id FROM file_hospitals ORDER BY ALL",
    "SELECT description FROM charges WHERE hcpcs = '99250' ORDER BY ALL",
)


def filled(lake: Lake, tmp_path: Path) -> Lake:
    """Three price lists, one of them with several row groups."""
    for number, many in enumerate((3, 40, 400)):
        terms = [[rate(f"Payer {k}", str(n)) for k in range(n % 3)] for n in range(many)]
        charges = [charge(f"{99000 + n % 300}", rates=terms[n]) for n in range(many)]
        put(lake, tmp_path / "scratch", file_id(str(number)), charges, [hospital_row(f"47000{number}")])
    return lake


@pytest.fixture
def lake(bucket: str) -> Lake:
    return Lake(f"{bucket}/some/where/lake")


def test_a_bucket_answers_as_a_folder_does(lake: Lake, tmp_path: Path) -> None:
    with query(filled(lake, tmp_path)) as there, query(filled(Lake(tmp_path / "lake"), tmp_path)) as here:
        for question in QUESTIONS:
            assert there.sql(question).rows == here.sql(question).rows, question
        found = there.prices("99002", "99250", "nothing", state="vt", payer="payer 1")
        assert found == here.prices("99002", "99250", "nothing", state="vt", payer="payer 1")
        assert found.rows


def test_an_empty_bucket_is_an_empty_price_table(lake: Lake) -> None:
    with query(lake) as table:
        assert table.sql("SELECT count(*) FROM prices").rows == [(0,)]


def test_statements_reach_nothing_else_in_the_bucket(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, file_id("a"), [charge()], [hospital_row()])
    with query(lake) as table:
        for text in (
            f"FROM read_parquet('{lake.root}/charges/*/*.parquet')",
            f"FROM read_text('{lake.root}/charges/_delta_log/00000000000000000000.json')",
            "FROM read_text('/etc/hostname')",
        ):
            with pytest.raises(UsageError, match="price table only"):
                table.sql(text)


def test_only_what_is_asked_for_is_fetched(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    many = [charge(f"{n:05}", description=f"{n} {draw.randbytes(60).hex()}") for n in range(20_000)]
    folder = write_price_list(tmp_path / "plain", file_id("a"), many)
    shelf = Shelf(tmp_path, "charges", CHARGES)
    for batch in pq.read_table(folder / "charges.parquet").to_batches():
        shelf.add(batch)
    shelf.close()
    publish(lake, file_row(file_id("a"), many), [hospital_row()], fence=lambda: None, folder=tmp_path)
    fetched = list[int]()
    really = RemoteFiles.read

    def read(self: RemoteFiles, path: str, start: int, length: int) -> bytes:
        fetched.append(length)
        return really(self, path, start, length)

    monkeypatch.setattr(RemoteFiles, "read", read)
    with query(lake) as table:
        found = table.sql("SELECT description FROM charges WHERE hcpcs = '11234'").rows
    assert found == [(many[11234]["description"],)]
    size = sum(found.size_bytes for found in lake._objects.list("charges") if found.path.endswith(".parquet"))
    assert sum(fetched) < size * 2 / 3
    assert len(fetched) < 20


def asks(table: PriceTable) -> None:
    table.sql("SELECT count(*), max(source_pos) FROM charges")


def test_a_store_that_is_away_is_told_and_asked_again(s3_server: S3Server, lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, file_id("a"), [charge()], [hospital_row()])
    impatient = Lake(lake.root, 2)
    with query(impatient) as table:
        with s3_server.frozen():
            for ask in (lambda: asks(table), lambda: query(impatient)):
                with pytest.raises(StorageFault, match="does not answer in time"):
                    ask()
        asks(table)
        with pytest.raises(UsageError, match="nowhere"):
            table.sql("SELECT nowhere FROM charges")


def test_an_object_that_vanished_is_told(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path, file_id("a"), [charge()], [hospital_row()])
    with query(lake) as table:
        lake.discard(file_id("a"), "1")
        with pytest.raises(StorageFault, match="make again what is missing"):
            asks(table)
