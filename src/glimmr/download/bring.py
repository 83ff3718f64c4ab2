"""From an address to a file in scratch with its sha256: streamed, bounded, and nothing left behind when it fails."""

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from glimmr.errors import DiskFull
from glimmr.model import Fetched
from glimmr.net import Client, redact
from glimmr.net.transfer import Progress
from glimmr.stores.blobs import fault

_GB = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The server says that it still has the bytes we have."""

    http_status: int
    final_url: str


def bring(
    url: str,
    *,
    client: Client,
    scratch: Path,
    tell: Progress | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
    max_bytes: int | None = None,
    min_free_bytes: int = 0,
) -> Fetched | NotModified:
    """Stream what is at `url` into a new file in the folder `scratch`; the caller removes it.

    `tell(bytes=, total=)` is called about twice a second and may raise to stop. Raises a FetchError, DiskFull before
    the space is short (`min_free_bytes` stay free), StorageFault, or what `tell` raises; then no file is left.
    """
    with _new_file(scratch) as (path, file):
        sink = _HashedFile(file, path, min_free_bytes)
        answer = client.fetch(url, sink, etag=etag, last_modified=last_modified, tell=tell, max_bytes=max_bytes)
        sink.end()
        if answer.not_modified:
            path.unlink()
            return NotModified(http_status=answer.status, final_url=redact(answer.final_url))
    return Fetched(
        path=str(path),
        file_id=sink.sha256,
        size_bytes=sink.size_bytes,
        http_status=answer.status,
        final_url=redact(answer.final_url),
        etag=answer.etag,
        last_modified=answer.last_modified,
        content_type=answer.content_type,
        disposition_name=answer.disposition_name,
    )


class _HashedFile:
    """A sink that writes to a file and hashes what it writes. Its errors are this machine's, never the server's."""

    def __init__(self, file: BinaryIO, path: Path, min_free_bytes: int) -> None:
        self._file, self._path, self._min_free_bytes = file, path, min_free_bytes
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of everything written, as 64 hex digits."""
        return self._hash.hexdigest()

    def begin(self, size_bytes: int | None) -> None:
        """Refuse to begin what cannot end: raises DiskFull."""
        free = shutil.disk_usage(self._path.parent).free
        wanted = (size_bytes or 0) + self._min_free_bytes
        if free < wanted:
            raise DiskFull(
                f"{self._path.parent}: {free / _GB:.2f} GB are free, {wanted / _GB:.2f} GB are needed for the next"
                " file; free some (or lower GLIMMR_MIN_FREE_BYTES), and the work goes on by itself"
            )

    def write(self, data: bytes) -> None:
        """Write and hash."""
        try:
            self._file.write(data)
        except OSError as error:
            raise fault(error, f"could not write {self._path}") from error
        self._hash.update(data)
        self.size_bytes += len(data)

    def end(self) -> None:
        """Hand what is still buffered to the disk."""
        try:
            self._file.flush()
        except OSError as error:
            raise fault(error, f"could not write {self._path}") from error


@contextmanager
def _new_file(scratch: Path) -> Generator[tuple[Path, BinaryIO]]:
    """A new file, removed again when anything goes wrong. Its name is ours: a server's is never a path."""
    path = scratch / f"{os.getpid()}-{uuid4().hex}.download"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except OSError as error:
        raise fault(error, f"could not create a file in {scratch}") from error
    try:
        with file:
            yield path, file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
