"""The price table's objects in a bucket as files DuckDB can read: it asks for ranges, and no more is fetched."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import fsspec

from glimmr.errors import StorageFault
from glimmr.stores.lake import Lake

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # objects never change


class RemoteFiles(fsspec.AbstractFileSystem):
    """What DuckDB asks of a file system; its own for buckets would have to be downloaded.

    `fault` is why the last failed read failed: DuckDB keeps only an error's text.
    """

    cachable = False  # each price table has its own

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.protocol = lake.root.partition("://")[0]
        self.fault: StorageFault | None = None
        self._lake = lake
        self._sizes: dict[str, int] = {}

    def open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """A file to read at any place. Raises StorageFault."""
        del mode
        return _RemoteFile(self, path, self.size(path))

    def size(self, path: str) -> int:
        """Of an object, in bytes. Raises StorageFault."""
        if path not in self._sizes:
            with self._remembered():
                self._sizes[path] = self._lake.size_bytes(path)
        return self._sizes[path]

    def read(self, path: str, start: int, length: int) -> bytes:
        """Some bytes of an object. Raises StorageFault."""
        with self._remembered():
            return self._lake.read_range(path, start, length)

    def modified(self, path: str) -> datetime:
        """When an object came to be: the same for all."""
        del path
        return _LONG_AGO

    def glob(self, path: str, *_: Any, **__: Any) -> list[str]:
        """An address stands for itself."""
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        """The log says so."""
        del path
        return True

    @contextmanager
    def _remembered(self) -> Generator[None]:
        try:
            yield
        except StorageFault as fault:
            self.fault = fault
            raise


class _RemoteFile:
    """One object. DuckDB seeks and then reads; should its threads share a file, each has a place of its own in it."""

    def __init__(self, files: RemoteFiles, path: str, size_bytes: int) -> None:
        self._files, self._path, self._size_bytes = files, path, size_bytes
        self._mine = threading.local()

    def seek(self, position: int) -> int:
        """Where this thread reads next."""
        self._mine.position = position
        return position

    def read(self, length: int) -> bytes:
        """At most `length` bytes from there on. Raises StorageFault."""
        position = getattr(self._mine, "position", 0)
        length = min(length, self._size_bytes - position)
        self._mine.position = position + length
        return self._files.read(self._path, position, length) if length > 0 else b""

    def close(self) -> None:
        """Nothing is open."""
