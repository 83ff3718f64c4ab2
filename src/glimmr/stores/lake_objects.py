"""Where the lake's objects lie (a folder or a bucket), and how one of them is written, read, listed, removed."""

import errno
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from glimmr.errors import DiskFull, StorageFault
from glimmr.stores import object_store
from glimmr.stores.blobs import Blobs

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FOOTER_BYTES = 64 * 2**10  # of most price lists
_LONGEST = 1000  # letters of a message


@contextmanager
def storage_faults(what: str) -> Generator[None]:
    """The wall: whatever the disk, the object store or the Delta library says becomes DiskFull or StorageFault."""
    try:
        yield
    except (OSError, BaseError, DeltaError, pa.ArrowException) as error:
        full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error)
        fault = DiskFull if full else StorageFault
        raise fault(f"{what}: {object_store.told(error, _one_line(error))}") from error


def _one_line(error: BaseException) -> str:
    """Rust's libraries draw their causes as a tree, in colours."""
    return " ".join(_COLOUR.sub("", str(error)).split())[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Object:
    """One stored object: its path inside its table, how long ago it was written, and its size."""

    path: str
    age_seconds: float
    size_bytes: int


class LakeObjects:
    """The objects under one root. Holds an address; a bucket stays open once it was used."""

    def __init__(self, root: str | Path, timeout_seconds: float = object_store.TIMEOUT_SECONDS) -> None:
        text = str(root)
        path = url2pathname(urlsplit(text).path) if text.startswith("file://") else text
        self.folder: Path | None = None if "://" in path else Path(path).absolute()
        self.root = text.rstrip("/") if self.folder is None else str(self.folder)
        self._timeout_seconds = timeout_seconds
        self._blobs = Blobs(self.root, timeout_seconds)

    @property
    def delta_options(self) -> dict[str, str] | None:
        """What the Delta library is told beside an address."""
        return object_store.delta_options(self._timeout_seconds) if self.folder is None else None

    def has_log(self, table: str) -> bool:
        """Whether the table has a log, without reading it."""
        return DeltaTable.is_deltatable(self.uri(table), storage_options=self.delta_options)

    def probe(self) -> None:
        """As `Blobs.probe`."""
        self._blobs.probe()

    def uri(self, table: str, path: str = "") -> str:
        """The address of a table, or of one of its objects, as Delta and DuckDB take it (local: a plain path)."""
        return f"{self.root}/{table}/{path}" if path else f"{self.root}/{table}"

    def place(self, source: Path, table: str, path: str) -> None:
        """Move an immutable file to its final path unless something is there; durable when this returns.

        What is there stays, whatever its size: the log may name it. It counts as new from now on, so that a sweep
        running elsewhere does not take it away before the commit. The source goes, because it may be the same file
        under a second name: writing to it again would change the object.
        """
        key = f"{table}/{path}"
        if not self.exists(table, path):
            self._blobs.put_file(source, key)
        elif self.folder is not None:
            os.utime(self.folder / key)
        source.unlink(missing_ok=True)

    def write(self, table: str, path: str, data: bytes) -> None:
        """Write a small object whose path nobody else has; durable when this returns.

        A local one is written at its final path: nobody looks at it before a commit names it, and one cut short is
        what `sweep` removes.
        """
        if self.folder is None:
            with suppress(AlreadyExistsError):  # ours, after an answer that got lost: nobody else has this path
                obstore.put(self._store, f"{table}/{path}", data, mode="create")
            return
        final = self.folder / table / path
        final.parent.mkdir(parents=True, exist_ok=True)
        with final.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(final.parent)
        _sync_folder(final.parent.parent)

    def sync_log(self, table: str, version: int) -> None:
        """Make a commit survive a power cut: the Delta library does not wait for the disk."""
        if self.folder is None:
            return
        log = self.folder / table / "_delta_log"
        with (log / f"{version:020d}.json").open("rb") as file:
            os.fsync(file.fileno())
        _sync_folder(log)

    def read(self, table: str, path: str) -> pa.Table:
        """A small Parquet object, whole.

        In this thread alone: one of Arrow's own that still lets go of our bytes when Python ends aborts the process.
        """
        if self.folder is not None:
            source = self.folder / table / path
        else:
            source = pa.BufferReader(obstore.get(self._store, f"{table}/{path}").bytes())
        return pq.ParquetFile(source).read(use_threads=False)

    def footer(self, table: str, path: str) -> pq.FileMetaData:
        """The Parquet footer of an object: row count, row groups and their statistics."""
        if self.folder is not None:
            return pq.read_metadata(self.folder / table / path)
        size = self.size_bytes(table, path)
        tail = self.read_range(table, path, max(0, size - _FOOTER_BYTES), _FOOTER_BYTES) if size else b""
        needed = int.from_bytes(tail[-8:-4], "little") + 8  # Parquet format: the footer, its length, four letters
        if len(tail) < needed <= size:
            tail = self.read_range(table, path, size - needed, needed)
        return pq.read_metadata(BytesIO(tail))

    def read_range(self, table: str, path: str, start: int, length: int) -> bytes:
        """Some bytes of an object in a bucket."""
        return obstore.get_range(self._store, f"{table}/{path}", start=start, length=length).to_bytes()

    def size_bytes(self, table: str, path: str) -> int:
        """How large an object is. Raises FileNotFoundError when there is none."""
        if self.folder is not None:
            return (self.folder / table / path).stat().st_size
        size = object_store.size_bytes(self._store, f"{table}/{path}")
        if size is None:
            raise FileNotFoundError(f"{self.uri(table, path)} is not there")
        return size

    def exists(self, table: str, path: str) -> bool:
        """Whether the object is there."""
        try:
            self.size_bytes(table, path)
        except FileNotFoundError:
            return False
        return True

    def delete(self, table: str, path: str) -> None:
        """Remove an object; one that is not there is fine."""
        if self.folder is not None:
            (self.folder / table / path).unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError):
            obstore.delete(self._store, f"{table}/{path}")

    def list(self, table: str) -> Iterator[Object]:
        """Every object of a table, the log's and the leftovers of killed writers included."""
        now = time.time()
        if self.folder is None:
            for page in obstore.list(self._store, prefix=f"{table}/"):
                for meta in page:
                    age_seconds = now - meta["last_modified"].timestamp()
                    yield Object(meta["path"].removeprefix(f"{table}/"), age_seconds, meta["size"])
            return
        folder = self.folder / table  # walked by hand: obstore hides its own unfinished files (`name#1`)
        for file in folder.rglob("*"):
            try:
                if file.is_file():
                    stat = file.stat()
                    yield Object(file.relative_to(folder).as_posix(), now - stat.st_mtime, stat.st_size)
            except FileNotFoundError:
                continue

    @cached_property
    def _store(self) -> ObjectStore:
        return object_store.opened(self.root, self._timeout_seconds)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
