"""The shelf of bytes: a local folder or any object store by URL, every object whole and durable before it is seen."""

import errno
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from glimmr.errors import DiskFull, StorageFault

_COPY_BYTES = 8 * 2**20
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_NO_LINKS = frozenset((errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS))


def blob_key(sha256: str) -> str:
    """The key of a snapshot's bytes, from their sha256 (64 hex digits): content decides the name, no server does."""
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


class Blobs:
    """A shelf, opened per use. Keys are relative paths of ours; an object never changes once it is there.

    Every method raises StorageFault (DiskFull where there is no space): a local fault, never the file's.
    """

    def __init__(self, url_or_folder: str | Path) -> None:
        self._where = str(url_or_folder)
        self._folder = _folder(url_or_folder)

    def put_file(self, path: Path, key: str) -> None:
        """Put the file at `path` on the shelf, unless something of its size is there; durable when this returns.

        On one filesystem no byte is copied: the file gets a second name, or moves. So it must not be changed
        afterwards, and may be gone.
        """
        with self._faults(f"put {path.name} to {key}"):
            there = self._size(key) == path.stat().st_size
            if self._folder is not None:
                _place(path, self._folder / key, self._folder, there=there)
            elif not there:
                self._upload(path, key)

    def exists(self, key: str) -> bool:
        """Whether the object is there, whole."""
        with self._faults(f"look for {key}"):
            return self._size(key) is not None

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
            with copy.open("wb") as file:
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=_COPY_BYTES):
                    file.write(chunk)
        if copy.stat().st_size != size_bytes:
            raise StorageFault(f"{key} in {self._where}: {copy.stat().st_size} of {size_bytes} bytes were read")
        return copy

    def delete(self, key: str) -> None:
        """Remove the object; removing what is not there is no error."""
        with self._faults(f"delete {key}"), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key in the folder `prefix`, or all."""
        with self._faults(f"list {prefix or 'everything'}"):
            if self._folder is not None and not self._folder.is_dir():
                return
            for batch in obstore.list(self._store, prefix=prefix or None):
                yield from (found["path"] for found in batch if not found["path"].endswith(".partial"))

    @property
    def _store(self) -> ObjectStore:
        return LocalStore(self._folder) if self._folder is not None else from_url(self._where)

    def _size(self, key: str) -> int | None:
        if self._folder is not None:
            try:
                return (self._folder / key).stat().st_size
            except FileNotFoundError:
                return None
        try:
            return obstore.head(self._store, key)["size"]
        except FileNotFoundError:
            return None

    def _upload(self, path: Path, key: str) -> None:
        """Stream to the object store in parts; an unfinished upload is not an object."""
        with path.open("rb") as file:
            obstore.put(self._store, key, file, use_multipart=True, chunk_size=_COPY_BYTES, max_concurrency=4)

    @contextmanager
    def _faults(self, doing: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise fault(error, f"{self._where}: could not {doing}") from error
        except BaseError as error:
            raise StorageFault(f"{self._where}: could not {doing}: {_first_line(error)}") from error


def fault(error: OSError, what: str) -> StorageFault | DiskFull:
    """The local fault an operating system's error is: `what` says which file and what was tried."""
    if error.errno in _FULL:
        return DiskFull(f"{what}: no space left; free some, and the work goes on by itself")
    return StorageFault(f"{what}: {error.strerror or _first_line(error)}")


def _folder(url_or_folder: str | Path) -> Path | None:
    """The folder a local shelf is in, made absolute; None for an object store."""
    if isinstance(url_or_folder, Path):
        return url_or_folder.absolute()
    parts = urlsplit(url_or_folder)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path)).absolute()
    return None if "://" in url_or_folder else Path(url_or_folder).absolute()


def _place(source: Path, target: Path, root: Path, *, there: bool) -> None:
    """Give the file its name on the shelf, all at once. Bytes reach the disk before the name, the name before we go on.

    obstore's LocalStore would copy, and syncs nothing: a power cut could leave an empty object under a good name.
    """
    made = _make_folders(target.parent, root)
    if not there:
        _sync(source)
        try:
            _name(source, target)
        except FileExistsError:
            _replace_if_broken(source, target)
    for folder in (target.parent, *made):
        _sync(folder)


def _name(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy(source, target)
        elif error.errno in _NO_LINKS:
            source.rename(target)
        else:
            raise


def _copy(source: Path, target: Path) -> None:
    """Copy across filesystems, into a file that has no name until it is whole (O_TMPFILE): a kill leaves nothing."""
    try:
        unnamed = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError:  # a filesystem that cannot do that (NFS)
        partial = target.with_name(f".{target.name}.partial")
        _write(source, os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644))
        partial.rename(target)
        return
    _write(source, unnamed, name=target)


def _write(source: Path, opened: int, name: Path | None = None) -> None:
    with os.fdopen(opened, "wb") as copy, source.open("rb") as file:
        shutil.copyfileobj(file, copy, _COPY_BYTES)
        copy.flush()
        os.fsync(opened)
        if name is not None:
            # Only with a folder given does Python let the kernel follow this link (linkat, AT_SYMLINK_FOLLOW).
            os.link(f"/proc/self/fd/{opened}", name, src_dir_fd=opened, follow_symlinks=True)


def _replace_if_broken(source: Path, target: Path) -> None:
    """Somebody else put it there meanwhile, or it was damaged by hand: what has another size cannot be it."""
    if target.stat().st_size != source.stat().st_size:
        target.unlink()
        _name(source, target)


def _make_folders(folder: Path, root: Path) -> list[Path]:
    """Make `folder`; gives the folders that got a new entry, which are to be synced."""
    parents = [folder, *folder.parents]
    above = parents[: parents.index(root) + 1] if root in parents else parents[:1]
    missing = [one for one in above if not one.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    return [one.parent for one in missing]


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
