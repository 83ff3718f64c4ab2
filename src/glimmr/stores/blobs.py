"""The shelf of bytes: a local folder or any object store by URL, every object whole and durable before it is seen."""

import errno
import hashlib
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from glimmr import events
from glimmr.errors import DiskFull, StorageFault
from glimmr.stores import object_store
from glimmr.stores.local_shelf import place

_PROBE = "is-writable"
_PROBE_BYTES = 4096  # a full disk still takes an empty file
_HALF = ".partial"
_PIECE_BYTES = 4 * 2**20
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def blob_key(sha256: str) -> str:
    """The key of a snapshot's bytes, from their sha256 (64 hex digits): content decides the name, no server does."""
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def is_half(key: str) -> bool:
    """Whether it names an object that was never finished."""
    return key.endswith(_HALF)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object on the shelf, or half of one that a killed writer left there."""

    key: str
    age_seconds: float


class Blobs:
    """A shelf, opened per use. Keys are relative paths of ours; an object never changes once it is there.

    Every method raises StorageFault (DiskFull where there is no space): a local fault, never the file's.
    """

    def __init__(self, url_or_folder: str | Path, timeout_seconds: float = object_store.TIMEOUT_SECONDS) -> None:
        self._where = str(url_or_folder)
        self._folder = _folder(url_or_folder)
        self._timeout_seconds = timeout_seconds

    def put_file(self, path: Path, key: str) -> None:
        """Put the file at `path` on the shelf, unless something of its size is there; durable when this returns.

        On one filesystem no byte is copied: the file gets a second name, or moves. So it must not be changed
        afterwards, and may be gone.
        """
        with self._faults(f"put {path.name} to {key}"):
            held = self._size(key)
            there = held == path.stat().st_size
            if self._folder is not None:
                place(path, self._folder / key, self._folder, there=there)
            elif not there:
                object_store.upload(self._store, path, key, replacing=held is not None)
        events.tell(events.OBJECT_PLACED, key=key, new=not there)

    def must_take_bytes(self) -> None:
        """Prove that the shelf takes bytes now, before anybody asks a hospital for some that nobody could keep.

        A tiny object comes and goes; in a folder, a file that never gets a name.
        """
        with self._faults("write"):
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self._folder) as probe:
                    probe.write(bytes(_PROBE_BYTES))
                return
            obstore.put(self._store, _PROBE, b"", mode="overwrite")
        self.delete(_PROBE)

    def holds(self, key: str, size_bytes: int) -> bool:
        """Whether the object is there with its size; by hand, one may vanish or be cut short."""
        with self._faults(f"look for {key}"):
            return self._size(key) == size_bytes

    def size(self, key: str) -> int:
        """The object's size in bytes. Raises StorageFault when it is not there."""
        with self._faults(f"look for {key}"):
            size_bytes = self._size(key)
        if size_bytes is None:
            raise StorageFault(f"{key} is not in {self._where}: was it deleted by hand? Download it again")
        return size_bytes

    def local_copy(self, key: str, scratch: Path) -> Path:
        """The object as a file to read: the object itself on a local shelf, else a copy in the folder `scratch`.

        Raises StorageFault when it is not there.
        """
        size_bytes = self.size(key)
        if self._folder is not None:
            return self._folder / key
        copy = scratch / key.rpartition("/")[2]
        with self._faults(f"read {key}"):
            scratch.mkdir(parents=True, exist_ok=True)
            object_store.fetch(self._store, key, copy, size_bytes)
        if copy.stat().st_size != size_bytes:
            raise StorageFault(f"{key} in {self._where}: {copy.stat().st_size} of {size_bytes} bytes were read")
        return copy

    def pieces(self, key: str, size_bytes: int) -> Iterator[bytes]:
        """The object's bytes in order, a few megabytes at a time; each is one request with its own time limit."""
        with self._faults(f"read {key}"):
            if self._folder is not None:
                with (self._folder / key).open("rb") as file:
                    while piece := file.read(_PIECE_BYTES):
                        yield piece
                return
            for start in range(0, size_bytes, _PIECE_BYTES):
                length = min(_PIECE_BYTES, size_bytes - start)
                yield obstore.get_range(self._store, key, start=start, length=length).to_bytes()

    def delete(self, key: str) -> None:
        """Remove the object; removing what is not there is no error."""
        with self._faults(f"delete {key}"), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def stored(self) -> Iterator[Stored]:
        """Everything that lies on the shelf, in any order."""
        with self._faults("list everything"):
            now = time.time()
            if self._folder is None:
                for batch in obstore.list(self._store):
                    yield from (Stored(found["path"], now - found["last_modified"].timestamp()) for found in batch)
                return
            for file in self._folder.rglob("*"):
                with suppress(FileNotFoundError):
                    if file.is_file():
                        yield Stored(file.relative_to(self._folder).as_posix(), now - file.stat().st_mtime)

    def age_seconds(self, key: str) -> float | None:
        """How long ago the object was written; None when it is not there."""
        with self._faults(f"look for {key}"), suppress(FileNotFoundError):
            if self._folder is not None:
                return time.time() - (self._folder / key).stat().st_mtime
            if found := object_store.look(self._store, key):
                return time.time() - found["last_modified"].timestamp()
        return None

    @cached_property
    def _store(self) -> ObjectStore:
        if self._folder is not None:
            return LocalStore(self._folder)
        return object_store.opened(self._where, self._timeout_seconds)

    def _size(self, key: str) -> int | None:
        if self._folder is not None:
            try:
                return (self._folder / key).stat().st_size
            except FileNotFoundError:
                return None
        return object_store.size_bytes(self._store, key)

    @contextmanager
    def _faults(self, doing: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise fault(error, f"{self._where}: could not {doing}") from error
        except BaseError as error:
            said = object_store.told(error, _first_line(error))
            raise StorageFault(f"{self._where}: could not {doing}: {said}") from error


def sha256_of(path: Path) -> str:
    """The sha256 (hex) of a file's bytes. Raises StorageFault."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise fault(error, f"could not read {path}") from error


def fault(error: OSError, what: str) -> StorageFault | DiskFull:
    """The local fault an operating system's error is: `what` says which file and what was tried."""
    if error.errno in _FULL:
        return DiskFull(f"{what}: no space left; free some, and the work goes on by itself")
    return StorageFault(f"{what}: {error.strerror or object_store.told(error, _first_line(error))}")


def _folder(url_or_folder: str | Path) -> Path | None:
    """The folder a local shelf is in, made absolute; None for an object store."""
    if isinstance(url_or_folder, Path):
        return url_or_folder.absolute()
    parts = urlsplit(url_or_folder)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path)).absolute()
    return None if "://" in url_or_folder else Path(url_or_folder).absolute()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
