"""A body whose Content-Length lies, or that simply ends, is never taken for a whole file: its own end tells."""

import gzip
import random
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from glimmr.download import bring
from glimmr.model import Fetched
from glimmr.world.content import Content
from glimmr.world.prices import Shape
from glimmr.world.publisher import Publisher
from tests.support.http_server import HttpServer, Script, head, raw
from tests.unit.download.test_download import House
from tests.unit.parse.papers import read, xlsx


def made(kind: str, container: str = "plain") -> bytes:
    publisher = Publisher(name="H", state="VT", places=(("H", "1 Road"),))
    shape = Shape(key=f"short/{kind}", kind=kind, version="3.0.0", items=60)
    return b"".join(Content(shapes=(shape,), publisher=publisher, container=container).chunks())


FILES = {
    "tall.csv": made("tall"),
    "wide.csv": made("wide"),
    "json": made("json"),
    "csv.gz": made("tall", "gzip"),
    "json.gz": gzip.compress(made("json"), mtime=0),
    "csv.zip": made("tall", "zip"),
    "json.zip": made("json", "zip"),
    "xlsx": xlsx({"Prices": [["description", "code", "gross charge"], *([f"CT {n}", n, n] for n in range(500))]}),
}


def lies(body: bytes, length: int) -> Script:
    """All of the body under a head that announces less, then the end of the connection."""
    return raw(head("200 OK", f"Content-Length: {length}") + body)


def ends(body: bytes, length: int) -> Script:
    """A body that is as long as the connection, which ends too early."""
    return raw(head("200 OK", "Connection: close") + body[:length])


def cuts(name: str) -> list[int]:
    """Lengths that cut it: a quarter, the half, anywhere, and its last byte or two.

    A table of text is cut inside a record: one that ends with a whole record, or in the last cell of one, is a whole
    file of that many records (a last line without a line end is legal), and no byte in it can tell otherwise.
    """
    body, draw = FILES[name], random.Random(name)
    places = [len(body) // 4, len(body) // 2, *(draw.randrange(len(body) // 8, len(body)) for _ in range(4))]
    if not name.endswith(".csv"):
        return [*places, len(body) - 2] if "json" in name and "." not in name else [*places, len(body) - 1]
    # After the first comma of the record that is begun there, so that most of its cells are missing.
    return [body.index(b",", body.index(b"\n", place) + 1) + 1 for place in places if b"\n" in body[place:-400]]


@pytest.mark.parametrize("serve", [lies, ends])
@pytest.mark.parametrize("name", FILES)
def test_a_short_body_is_never_taken_for_the_whole(name: str, serve: type[Script], tmp_path: Path) -> None:
    body = FILES[name]
    assert read(tmp_path / "whole", body).ended == ("ok", "")
    wanted = cuts(name)
    assert len(wanted) >= 3
    for length in wanted:
        with HttpServer({"/f": serve(body, length)}) as server:
            got = bring(server.url("/f"), client=House(tmp_path).client, scratch=tmp_path / "scratch")
        assert isinstance(got, Fetched)
        content = Path(got.path).read_bytes()
        assert content == body[:length]
        outcome, reason = read(tmp_path / "cut", content).ended
        assert (outcome, reason) in {("incomplete", "truncated"), ("incomplete", "suspect_truncated")}, (name, length)


def test_a_last_line_without_a_line_end_is_a_whole_one(tmp_path: Path) -> None:
    assert read(tmp_path / "paper", FILES["tall.csv"].rstrip(b"\r\n")).ended == ("ok", "")


def test_an_archive_whose_directory_is_there_is_whole_and_without_it_never(tmp_path: Path) -> None:
    packed = FILES["csv.zip"]
    directory = packed.index(b"PK\x01\x02")
    assert zipfile.is_zipfile(BytesIO(packed))
    assert read(tmp_path / "cut", packed[:directory]).ended == ("incomplete", "truncated")


def test_a_workbook_without_its_end_is_incomplete_and_what_is_whole_is_kept(tmp_path: Path) -> None:
    whole, cut = read(tmp_path / "whole", FILES["xlsx"]), read(tmp_path / "cut", FILES["xlsx"][:-1])
    assert cut.ended == ("incomplete", "truncated")
    assert [row | {"file_id": ""} for row in cut.charges] == [row | {"file_id": ""} for row in whole.charges]
