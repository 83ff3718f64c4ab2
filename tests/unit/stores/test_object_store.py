"""A bucket behind a real S3 API: what its errors mean, and how long anybody waits for it."""

import os
import time
from pathlib import Path

import pytest

from glimmr import retry
from glimmr.errors import StorageFault
from glimmr.stores import object_store
from glimmr.stores.blobs import Blobs
from glimmr.stores.lake import Lake
from tests.support.servers import S3Server, free_port

LARGE = os.urandom(2**20) * 20 + b"end"
SLOW_SECONDS = 20.0
"""Far more than the time limits of these tests, far less than none."""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


def everything_fails(bucket: str, match: str, timeout_seconds: float = 2) -> None:
    """Both shelves say so, and what they say costs no job an attempt."""
    blobs, lake = Blobs(f"{bucket}/blobs", timeout_seconds), Lake(f"{bucket}/lake", timeout_seconds)
    for ask in (blobs.must_take_bytes, lake.create):
        with pytest.raises(StorageFault, match=match) as caught:
            ask()
        assert retry.decide(caught.value).klass is retry.Class.LOCAL


def test_a_large_file_goes_up_in_parts_and_comes_down_the_same(
    s3_server: S3Server, bucket: str, large: Path, tmp_path: Path
) -> None:
    blobs = Blobs(f"{bucket}/a/b")
    blobs.put_file(large, "large")
    assert blobs.holds("large", len(LARGE))
    assert blobs.local_copy("large", tmp_path / "copies").read_bytes() == LARGE
    assert s3_server.unfinished_uploads(bucket) == 0


def test_an_object_of_another_size_is_replaced(bucket: str, large: Path, tmp_path: Path) -> None:
    blobs, other = Blobs(bucket), tmp_path / "other"
    for content in (b"", b"damaged", b"whole", LARGE, b"small again"):
        other.write_bytes(content)
        blobs.put_file(other, "key")
        assert blobs.local_copy("key", tmp_path / "copies").read_bytes() == content


def test_what_somebody_else_put_there_meanwhile_stays(bucket: str, tmp_path: Path) -> None:
    store, ours = object_store.opened(bucket, 5), tmp_path / "ours"
    for content in (b"theirs", b"later"):
        ours.write_bytes(content)
        object_store.upload(store, ours, "key", replacing=False)
    assert Blobs(bucket).local_copy("key", tmp_path / "copies").read_bytes() == b"theirs"


def test_a_probe_leaves_nothing(bucket: str) -> None:
    blobs = Blobs(bucket)
    blobs.must_take_bytes()
    assert list(blobs.stored()) == []


def test_objects_of_a_missing_bucket_do_not_count_as_lost(bucket: str) -> None:
    """Else every file would be brought home again."""
    blobs, lake = Blobs("s3://there-is-none/x"), Lake("s3://there-is-none/x")
    asks = [
        lambda: blobs.holds("key", 1),
        lambda: list(blobs.stored()),
        lambda: lake.placed("f", "1"),
        lambda: lake.holds("f", "1", lake.sizes("f", "1")),
        lambda: lake.check("f"),
        lake.published,
        lake.sweep,
    ]
    for ask in asks:
        with pytest.raises(StorageFault, match="no such bucket"):
            ask()
    everything_fails("s3://there-is-none", "no such bucket: make it, or mend GLIMMR_STORE_URL")


def test_who_may_only_read_can_read_and_is_told_what_is_missing(
    s3_server: S3Server, bucket: str, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Blobs(f"{bucket}/blobs").put_file(large, "large")
    with s3_server.read_only() as keys:
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        assert Blobs(f"{bucket}/blobs").holds("large", len(LARGE))
        everything_fails(bucket, "may they list, read, write and delete")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        everything_fails(bucket, "credentials")


def test_an_endpoint_where_nobody_listens_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    everything_fails(bucket, "AWS_ENDPOINT_URL")


def test_who_has_no_credentials_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys the host is asked for its role, at an address of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    everything_fails(bucket, "there are no credentials")


def test_plain_http_must_be_asked_for(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    everything_fails(bucket, "AWS_ALLOW_HTTP=true")


def test_a_frozen_store_holds_nobody_for_long(s3_server: S3Server, bucket: str, large: Path, tmp_path: Path) -> None:
    Blobs(f"{bucket}/blobs").put_file(large, "large")
    blobs = Blobs(f"{bucket}/blobs", 1)
    begun = time.monotonic()
    with s3_server.frozen():
        everything_fails(bucket, "does not answer in time", timeout_seconds=1)
        for ask in (
            lambda: blobs.local_copy("large", tmp_path / "copies"),
            lambda: blobs.put_file(large, "other"),
            lambda: list(blobs.stored()),
        ):
            with pytest.raises(StorageFault, match="does not answer in time"):
                ask()
    assert time.monotonic() - begun < SLOW_SECONDS
    assert Blobs(f"{bucket}/blobs").local_copy("large", tmp_path / "copies").read_bytes() == LARGE
