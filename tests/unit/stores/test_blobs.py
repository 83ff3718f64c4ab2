import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimmr.errors import DiskFull, StorageFault
from glimmr.stores.blobs import Blobs, blob_key

BYTES = b"prices\n" * 1000
KEY = blob_key(hashlib.sha256(BYTES).hexdigest())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "scratch" / "f.download"
    path.parent.mkdir()
    path.write_bytes(BYTES)
    return path


@pytest.fixture(params=["folder", "file URL", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "bucket":
        return Blobs(f"{request.getfixturevalue('bucket')}/blobs")
    return Blobs(tmp_path / "blobs" if request.param == "folder" else (tmp_path / "blobs").as_uri())


def names(blobs: Blobs) -> list[str]:
    return sorted(found.key for found in blobs.stored())


def test_a_key_is_made_of_the_content() -> None:
    assert blob_key("ab" * 32) == "sha256/ab/ab/" + "ab" * 32


def test_what_is_put_is_there_and_can_be_read(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    assert not blobs.holds(KEY, len(BYTES))
    blobs.put_file(source, KEY)
    assert blobs.holds(KEY, len(BYTES))
    assert blobs.size(KEY) == len(BYTES)
    source.unlink(missing_ok=True)
    assert blobs.local_copy(KEY, tmp_path / "copies").read_bytes() == BYTES


def test_putting_it_twice_is_harmless(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    blobs.put_file(source, KEY)
    source.unlink(missing_ok=True)
    source.write_bytes(BYTES)
    blobs.put_file(source, KEY)
    assert names(blobs) == [KEY]
    assert blobs.local_copy(KEY, tmp_path / "copies").read_bytes() == BYTES


def test_everything_on_the_shelf_is_listed(blobs: Blobs, source: Path) -> None:
    assert names(blobs) == []
    blobs.put_file(source, KEY)
    other = source.with_name("other")
    other.write_bytes(b"rejects")
    blobs.put_file(other, "rejects/f-1.parquet")
    assert names(blobs) == ["rejects/f-1.parquet", KEY]


def test_what_is_deleted_is_gone_and_may_be_deleted_again(blobs: Blobs, source: Path) -> None:
    blobs.put_file(source, KEY)
    blobs.delete(KEY)
    blobs.delete(KEY)
    assert not blobs.holds(KEY, len(BYTES))


def test_bytes_that_are_not_there_are_a_storage_fault_that_names_them(blobs: Blobs, tmp_path: Path) -> None:
    for ask in (lambda: blobs.size(KEY), lambda: blobs.local_copy(KEY, tmp_path / "copies")):
        with pytest.raises(StorageFault, match="is not in"):
            ask()


def test_an_object_of_another_size_is_replaced(source: Path, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    damaged = tmp_path / "blobs" / KEY
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"dam")
    blobs.put_file(source, KEY)
    assert damaged.read_bytes() == BYTES


def test_on_one_filesystem_no_byte_is_copied(source: Path, tmp_path: Path) -> None:
    before = source.stat().st_ino
    Blobs(tmp_path / "blobs").put_file(source, KEY)
    assert (tmp_path / "blobs" / KEY).stat().st_ino == before


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another filesystem than the tests' own."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one filesystem only")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def test_across_filesystems_the_bytes_are_copied(elsewhere: Path, tmp_path: Path) -> None:
    source = elsewhere / "f"
    source.write_bytes(BYTES)
    blobs = Blobs(tmp_path / "blobs")
    blobs.put_file(source, KEY)
    assert (tmp_path / "blobs" / KEY).read_bytes() == BYTES
    assert names(blobs) == [KEY]


def test_where_nameless_files_are_unknown_the_copy_is_renamed_when_whole(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # what an old filesystem makes of the flag: an error
    source = elsewhere / "f"
    source.write_bytes(BYTES)
    Blobs(tmp_path / "blobs").put_file(source, KEY)
    folder = (tmp_path / "blobs" / KEY).parent
    assert [path.name for path in folder.iterdir()] == [KEY.rpartition("/")[2]]


KILLED = """
import os, signal, sys
from pathlib import Path
import glimmr.stores.blobs as blobs
calls = [0]
def counted(call):
    def wrapped(*given, **named):
        calls[0] += 1
        if calls[0] == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given, **named)
    return wrapped
for name in ("open", "fsync", "link", "close", "fdopen"):
    setattr(os, name, counted(getattr(os, name)))
blobs.Blobs(Path(sys.argv[1])).put_file(Path(sys.argv[2]), sys.argv[3])
"""


def test_a_kill_at_any_moment_leaves_the_whole_object_or_nothing(elsewhere: Path, tmp_path: Path) -> None:
    source = elsewhere / "f"
    source.write_bytes(BYTES)
    seen = set[bool]()
    for step in range(1, 40):
        folder = tmp_path / f"blobs{step}"
        ended = subprocess.run([sys.executable, "-c", KILLED, folder, source, KEY, str(step)], check=False)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files in ([], [folder / KEY])
        assert all(path.read_bytes() == BYTES for path in files)
        seen.add(bool(files))
        if ended.returncode == 0:
            break
    else:
        raise AssertionError("put_file never ended")
    assert step > 5
    assert seen == {True, False}


def test_the_names_are_synced_as_well_as_the_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, really = list[str](), os.fsync

    def fsync(opened: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{opened}").readlink()))
        really(opened)

    monkeypatch.setattr(os, "fsync", fsync)
    Blobs(tmp_path / "blobs").put_file(source, KEY)
    folders = [str(folder) for folder in (tmp_path / "blobs" / KEY).parents if str(folder).startswith(str(tmp_path))]
    assert synced[0] == str(source)
    assert set(synced[1:]) == set(folders)


def test_a_full_disk_is_said_to_be_one(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="no space left"):
        Blobs(tmp_path / "blobs").put_file(source, KEY)
    assert not (tmp_path / "blobs" / KEY).exists()


def test_a_folder_that_is_a_file_is_a_storage_fault(source: Path, tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(StorageFault, match="blobs"):
        Blobs(tmp_path / "blobs").put_file(source, KEY)


def test_an_object_can_be_read_by_others_as_the_umask_says(elsewhere: Path, tmp_path: Path) -> None:
    source = elsewhere / "f"
    source.write_bytes(BYTES)
    Blobs(tmp_path / "blobs").put_file(source, KEY)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "blobs" / KEY).stat().st_mode) == 0o644 & ~umask
