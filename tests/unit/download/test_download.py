import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glimmr import errors
from glimmr.download import NotModified, bring, download
from glimmr.model import Fetched
from glimmr.net import Client, Limits, Options
from glimmr.net.connect_to import ConnectTo
from glimmr.net.guard import Guard
from glimmr.stores.blobs import Blobs, blob_key
from tests.support.http_server import HttpServer, answer, drip, head, in_turn, raw, redirect

BYTES = b"description,code|1,code|1|type\n" * 5000
LIMITS = Limits(
    connect_seconds=2, header_seconds=1, stall_seconds=0.4, min_rate_bytes=1000, deadline_seconds=20,
    deadline_rate_bytes=50_000, deadline_cap_seconds=20, max_bytes=10_000_000,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class House:
    """What a download needs, in a folder of the test's own."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.client = Client(
            Options(limits=replace(LIMITS, **limits), guard=Guard.of(("127.0.0.1",)), connect_to=ConnectTo())
        )
        self.blobs, self.scratch = Blobs(folder / "blobs"), folder / "scratch"

    def download(self, url: str, **more: Any) -> Fetched | NotModified:
        return download(url, client=self.client, blobs=self.blobs, scratch=self.scratch, **more)

    def left(self) -> list[str]:
        """Names in scratch, and keys on the shelf."""
        scratch = [path.name for path in self.scratch.iterdir()] if self.scratch.exists() else []
        return scratch + [found.key for found in self.blobs.stored()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_bytes_are_on_the_shelf_under_their_sha256_and_nothing_is_in_scratch(house: House) -> None:
    says = ("Content-Type: text/csv", 'ETag: "v1"', "Last-Modified: yesterday")
    scripts = {"/a": redirect("/f.csv?token=t"), "/f.csv": answer(BYTES, "200 OK", *says)}
    with HttpServer(scripts) as server:
        got = house.download(server.url("/a"))
    assert got == Fetched(
        path=blob_key(hashlib.sha256(BYTES).hexdigest()),
        file_id=hashlib.sha256(BYTES).hexdigest(),
        size_bytes=len(BYTES),
        http_status=200,
        final_url=server.url("/f.csv?token=***"),
        etag='"v1"',
        last_modified="yesterday",
        content_type="text/csv",
        disposition_name=None,
    )
    assert house.left() == [got.path]
    assert house.blobs.local_copy(got.path, house.scratch).read_bytes() == BYTES


def test_equal_bytes_of_two_addresses_are_one_object(house: House) -> None:
    with HttpServer({"/a": answer(BYTES), "/b": answer(BYTES)}) as server:
        first, second = house.download(server.url("/a")), house.download(server.url("/b"))
    assert isinstance(first, Fetched)
    assert isinstance(second, Fetched)
    assert first.file_id == second.file_id
    assert house.left() == [blob_key(first.file_id)]


def test_bytes_we_have_are_not_sent_again(house: House) -> None:
    with HttpServer({"/f": in_turn(answer(BYTES, "200 OK", 'ETag: "v1"'), answer(b"", "304 Not Modified"))}) as server:
        first = house.download(server.url("/f"))
        assert isinstance(first, Fetched)
        second = house.download(server.url("/f"), etag=first.etag)
    assert second == NotModified(http_status=304, final_url=server.url("/f"))
    assert house.left() == [blob_key(first.file_id)]


def test_an_empty_file_is_brought_home_for_the_parser_to_judge(house: House) -> None:
    with HttpServer({"/f": answer(b"")}) as server:
        got = house.download(server.url("/f"))
    assert isinstance(got, Fetched)
    assert got.size_bytes == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (raw(head("200 OK", "Content-Length: 500") + b"cut"), errors.BodyCut),
        (raw(head("200 OK", "Content-Length: 500") + b"x", then="reset"), errors.ConnectionReset),
        (raw(head("200 OK", "Content-Length: 500") + b"x", then="stall"), errors.Stalled),
        (drip(head("200 OK"), b"x" * 100_000, 0.001), errors.FileTooLarge),
        (answer(b"", "404 Not Found"), errors.NotFound),
        (answer(b"<html><title>Just a moment...</title>"), errors.ChallengePage),
    ],
)
def test_what_fails_leaves_nothing_behind(script: Any, error: type[Exception], house: House) -> None:
    with HttpServer({"/f": script}) as server, pytest.raises(error):
        house.download(server.url("/f"))
    assert house.left() == []


def test_a_cut_transfer_starts_again_and_arrives(house: House) -> None:
    cut = raw(head("200 OK", f"Content-Length: {len(BYTES)}") + BYTES[:1000])
    with HttpServer({"/f": in_turn(cut, answer(BYTES))}) as server:
        with pytest.raises(errors.BodyCut):
            house.download(server.url("/f"))
        got = house.download(server.url("/f"))
    assert isinstance(got, Fetched)
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()


def test_what_stops_a_job_stops_its_download_and_leaves_nothing_behind(house: House) -> None:
    told = list[dict[str, Any]]()

    def tell(**progress: Any) -> None:
        told.append(progress)
        if progress["bytes"]:
            raise errors.LeaseLost("another run has this job")

    script = drip(head("200 OK", "Content-Length: 9000000"), b"x" * 1000, 0.001)
    with HttpServer({"/f": script}) as server, pytest.raises(errors.LeaseLost):
        house.download(server.url("/f"), tell=tell)
    assert told[-1]["total"] == 9_000_000
    assert house.left() == []


def test_a_file_that_does_not_fit_is_not_begun(house: House) -> None:
    with HttpServer({"/f": answer(BYTES)}) as server, pytest.raises(errors.DiskFull, match="GLIMMR_MIN_FREE_BYTES"):
        house.download(server.url("/f"), min_free_bytes=2**60)
    assert house.left() == []


def test_a_scratch_that_cannot_be_written_is_a_fault_of_ours(house: House) -> None:
    house.scratch.write_bytes(b"a file where a folder should be")
    with HttpServer({"/f": answer(BYTES)}) as server, pytest.raises(errors.StorageFault, match="scratch"):
        house.download(server.url("/f"))
    assert server.requests == []


def test_a_name_from_a_server_is_text_and_never_a_path(house: House, tmp_path: Path) -> None:
    evil = 'Content-Disposition: attachment; filename="../../../etc/cron.d/x"'
    with HttpServer({"/..%2F..%2Fetc%2Fpasswd": answer(BYTES, "200 OK", evil)}) as server:
        got = house.download(server.url("/..%2f..%2fetc%2fpasswd"))
    assert isinstance(got, Fetched)
    assert got.disposition_name is not None
    assert {path.name for path in tmp_path.iterdir()} == {"blobs", "scratch"}
    assert house.left() == [blob_key(got.file_id)]


def test_bring_leaves_the_file_to_the_caller(house: House) -> None:
    with HttpServer({"/f": answer(BYTES)}) as server:
        got = bring(server.url("/f"), client=house.client, scratch=house.scratch)
    assert isinstance(got, Fetched)
    assert Path(got.path).read_bytes() == BYTES
    assert Path(got.path).parent == house.scratch


def test_many_at_a_time_do_not_disturb_each_other(house: House) -> None:
    bodies = {f"/{n}": bytes([n]) * (100_000 + n) for n in range(8)}
    got = dict[str, Any]()

    def one(url: str, path: str) -> None:
        got[path] = house.download(url)

    with HttpServer({path: answer(body) for path, body in bodies.items()}) as server:
        threads = [threading.Thread(target=one, args=(server.url(path), path)) for path in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {path: one.file_id for path, one in got.items()} == {
        path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()
    }
    assert server.peak <= 2


PAGE = (
    b"<!doctype html><html><body><a href='/about'>us</a> <a href='data/f_standardcharges.csv'>prices</a></body></html>"
)


def test_a_page_with_one_data_link_stands_for_that_file(house: House) -> None:
    with HttpServer({"/p/": answer(PAGE), "/p/data/f_standardcharges.csv": answer(BYTES)}) as server:
        got = house.download(server.url("/p/"))
    assert isinstance(got, Fetched)
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert got.final_url == server.url("/p/data/f_standardcharges.csv")
    assert house.left() == [got.path]


def test_a_page_is_followed_once_and_only_where_it_is_clear_whereto(house: House) -> None:
    two = PAGE.replace(b"</body>", b"<a href='other.csv'>others</a></body>")
    with HttpServer({"/two": answer(two), "/p": answer(PAGE), "/data/f_standardcharges.csv": answer(PAGE)}) as server:
        assert isinstance(got := house.download(server.url("/two")), Fetched)
        assert got.size_bytes == len(two)
        assert server.paths() == ["/two"]
        assert isinstance(got := house.download(server.url("/p")), Fetched)
    assert server.paths() == ["/two", "/p", "/data/f_standardcharges.csv"]
    assert got.size_bytes == len(PAGE)


def test_a_page_that_only_wants_a_yes_is_answered_and_the_file_comes(house: House) -> None:
    form = (
        b"<!doctype html><html><body><form action='/get' method='get'><input type='hidden' name='id' value='7'>"
        b"<input type='hidden' name='confirm' value='t'><input type='submit'></form></body></html>"
    )
    with HttpServer({"/uc": answer(form), "/get": answer(BYTES)}) as server:
        got = house.download(server.url("/uc"))
    assert isinstance(got, Fetched)
    assert got.file_id == hashlib.sha256(BYTES).hexdigest()
    assert server.paths() == ["/uc", "/get?id=7&confirm=t"]
    assert house.left() == [got.path]


def test_no_hospital_is_asked_while_the_store_takes_nothing(house: House, bucket: str) -> None:
    house.blobs = Blobs(f"{bucket}-is-not-there/blobs")
    with HttpServer({"/f": answer(BYTES)}) as server:
        with pytest.raises(errors.StorageFault, match="no such bucket"):
            house.download(server.url("/f"))
        assert server.requests == []
        house.blobs = Blobs(f"{bucket}/blobs")
        house.download(server.url("/f"))
        assert len(server.requests) == 1
    assert house.left() == [blob_key(hashlib.sha256(BYTES).hexdigest())]


def test_no_hospital_is_asked_while_the_shelf_takes_nothing(house: House, tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file where the shelf should be")
    with HttpServer({"/f": answer(BYTES)}) as server, pytest.raises(errors.StorageFault, match="blobs"):
        house.download(server.url("/f"))
    assert server.requests == []
