"""Bytes handed to a person: a file of theirs gets its name when it is whole, and none of theirs is overwritten."""

import errno
import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from glimmr.errors import UsageError
from glimmr.sniff import Kind
from glimmr.stores.blobs import fault
from glimmr.stores.local_shelf import sync

_GROWING = ".glimmr-partial"  # beside what will be there, so on its disk: the last step is only a name
_NO_LINKS = frozenset((errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS))
_NO_ENDING = frozenset(
    (Kind.EMPTY, Kind.OTHER_ARCHIVE, Kind.ENCRYPTED_OFFICE, Kind.IMAGE, Kind.LFS_POINTER, Kind.DATABASE, Kind.UNKNOWN)
)
_ENDINGS = {Kind.SPREADSHEETML: ".xml", Kind.PAYER_JSON: ".json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where bytes go: a file, or a folder in which their sha256 is their name."""

    folder: Path
    name: str | None
    force: bool = False

    @classmethod
    def of(cls, to: str | None, *, force: bool = False) -> Self:
        """From the command line; nothing means the working folder, and missing folders are made.

        Raises UsageError when a file stands there and may not be overwritten, or none can be written.
        """
        path = Path(to or ".")
        is_folder = to is None or to.endswith("/") or path.is_dir()
        target = cls(folder=path if is_folder else path.parent, name=None if is_folder else path.name, force=force)
        if not is_folder and path.exists() and not force:
            raise _taken(path)
        try:
            target.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--to {to}: the folder cannot be made: {error.strerror}") from error
        if not os.access(target.folder, os.W_OK):
            raise UsageError(f"--to {to or '.'}: nothing can be written in {target.folder}; name another place")
        return target

    @property
    def scratch(self) -> Path:
        """The folder where files for this place grow."""
        return self.folder / _GROWING

    @contextmanager
    def growing(self) -> Generator[None]:
        """Afterwards that folder stays only while something is in it."""
        try:
            yield
        finally:
            with suppress(OSError):
                self.scratch.rmdir()

    def deliver(self, whole: Path, file_id: str, kind: Kind) -> Path:
        """Give the file `whole` (from `scratch`) its name, durable when this returns; the path it has now.

        What stands there under the same name with the same bytes is good as it is. Raises UsageError when other bytes
        stand there that may not be overwritten, StorageFault, DiskFull.
        """
        to = self.folder / (self.name or file_id + _ending(kind))
        try:
            if self.force:
                sync(whole)
                whole.replace(to)
            elif not _is_there(to, whole, file_id):
                sync(whole)
                _name(whole, to)
            whole.unlink(missing_ok=True)
            sync(self.folder)
        except FileExistsError:
            raise _taken(to) from None
        except OSError as error:
            raise fault(error, f"could not write {to}") from error
        return to


def _name(whole: Path, to: Path) -> None:
    """Unlike a rename, a link fails where somebody made a file of that name meanwhile."""
    try:
        os.link(whole, to)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        whole.rename(to)


def _ending(kind: Kind) -> str:
    return "" if kind in _NO_ENDING else _ENDINGS.get(kind, f".{kind}")


def _is_there(to: Path, whole: Path, file_id: str) -> bool:
    """Whether these very bytes stand there. Raises FileExistsError when others do."""
    if not to.exists():
        return False
    if to.is_file() and to.stat().st_size == whole.stat().st_size:
        with to.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == file_id:
                return True
    raise FileExistsError


def _taken(path: Path) -> UsageError:
    return UsageError(f"--to {path}: there is a file already; name another, or overwrite it with --force")
