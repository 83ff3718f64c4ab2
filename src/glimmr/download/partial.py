"""The file a download grows in: hashed as it grows, and noted down, so that a later attempt or process can go on."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from glimmr import events
from glimmr.errors import DiskFull
from glimmr.net.resume import Resume
from glimmr.net.transfer import Progress
from glimmr.stores.blobs import fault

_SYNC_BYTES = 32 * 2**20
_HASH_BYTES = 4 * 2**20
_TELL_BYTES = 8 * 2**20
_GB = 10**9
_WORDS = {"bytes": int, "validator": str, "size_bytes": int | None}


class Partial:
    """A sink that writes to a file and hashes what it writes. Its errors are this machine's, never the server's.

    Every 32 MiB the bytes are synced, and then a note beside them says how many there are and of what they are the
    beginning. Only what the note vouches for is believed by whoever opens the file next.
    """

    def __init__(self, path: Path, file: BinaryIO, min_free_bytes: int) -> None:
        self.path, self._file, self._min_free_bytes = path, file, min_free_bytes
        self._hash = hashlib.sha256()
        self._validator: str | None = None
        self._total_bytes: int | None = None
        self._synced_bytes = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of everything written, as 64 hex digits."""
        return self._hash.hexdigest()

    @property
    def resume(self) -> Resume | None:
        """What a transfer may go on from; None: from the beginning."""
        if not self.size_bytes or self._validator is None:
            return None
        return Resume(at=self.size_bytes, validator=self._validator, size_bytes=self._total_bytes)

    def take_up(self, tell: Progress) -> None:
        """Go on with what an earlier attempt left here, as far as its note vouches for it."""
        with self._faults():
            note = _read(_note(self.path))
            if note is None or self.path.stat().st_size < note["bytes"]:
                self.restart()
                return
            self._file.truncate(note["bytes"])
        while piece := self._next_piece():
            self._hash.update(piece)
            self.size_bytes += len(piece)
            tell(bytes=self.size_bytes, total=note["size_bytes"])
        self._validator, self._total_bytes = note["validator"], note["size_bytes"]
        self._synced_bytes = self.size_bytes

    def _next_piece(self) -> bytes:
        with self._faults():
            return self._file.read(_HASH_BYTES)

    def restart(self) -> None:
        """Begin with nothing."""
        with self._faults():
            _note(self.path).unlink(missing_ok=True)  # before the bytes change under it
            self._file.seek(0)
            self._file.truncate()
        self._hash = hashlib.sha256()
        self._validator, self._total_bytes = None, None
        self.size_bytes = self._synced_bytes = 0

    def begin(self, size_bytes: int | None, *, at: int = 0, validator: str | None = None) -> None:
        """Make ready for what follows `at`: the rest, or everything. Refuses what cannot end: raises DiskFull."""
        if at != self.size_bytes:
            self.restart()
        self._validator, self._total_bytes = validator, size_bytes
        events.tell(events.FETCH_BEGUN, total=size_bytes)
        free = shutil.disk_usage(self.path.parent).free
        wanted = max(0, (size_bytes or 0) - self.size_bytes) + self._min_free_bytes
        if free < wanted:
            raise DiskFull(
                f"{self.path.parent}: {free / _GB:.2f} GB are free, {wanted / _GB:.2f} GB are needed for the next"
                " file; free some (or lower GLIMMR_MIN_FREE_BYTES), and the work goes on by itself"
            )

    def write(self, data: bytes) -> None:
        """Write and hash."""
        with self._faults():
            self._file.write(data)
        self._hash.update(data)
        self.size_bytes += len(data)
        if self.size_bytes // _TELL_BYTES > (self.size_bytes - len(data)) // _TELL_BYTES:
            events.tell(events.FETCH_ADVANCED, bytes=self.size_bytes)
        if self.size_bytes - self._synced_bytes >= _SYNC_BYTES:
            self.sync()

    def sync(self) -> None:
        """Let what is here survive this process; the note is written after what it vouches for is on the disk."""
        with self._faults():
            self._file.flush()
            if self._validator is None:
                return
            os.fdatasync(self._file.fileno())
            note = {"bytes": self.size_bytes, "validator": self._validator, "size_bytes": self._total_bytes}
            written = _note(self.path).with_suffix(".new")
            written.write_text(json.dumps(note), encoding="utf-8")
            written.replace(_note(self.path))
        self._synced_bytes = self.size_bytes

    def keep(self) -> Path:
        """End: the file under a name nobody else knows, for the caller to remove."""
        kept = self.path.with_name(f"{os.getpid()}-{uuid4().hex}.download")
        with self._faults():
            self._file.flush()
            _note(self.path).unlink(missing_ok=True)
            self.path.rename(kept)
        return kept

    def throw_away(self) -> None:
        """Leave nothing."""
        with self._faults():
            _note(self.path).unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise fault(error, f"could not write {self.path}") from error


@contextmanager
def partial(
    folder: Path, name: str, *, tell: Progress, min_free_bytes: int, worth: Callable[[BaseException], bool]
) -> Generator[Partial]:
    """The file in which a download grows; what an earlier attempt of the same `name` left of it is taken up.

    On the disk the name is a hash: a server's is never a path. When the work on it ends with an error it stays where
    that is `worth` something, and is gone else. Raises StorageFault, DiskFull.
    """
    with _opened(folder, _name(name)) as (path, file):
        growing = Partial(path, file, min_free_bytes)
        growing.take_up(tell)
        try:
            yield growing
        except BaseException as error:
            if growing.resume is not None and worth(error):
                growing.sync()
            else:
                growing.throw_away()
            raise


@contextmanager
def _opened(folder: Path, name: str) -> Generator[tuple[Path, BinaryIO]]:
    """The file of that name, locked; where somebody else grows it (a run that lost its lease), one of another name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.part"
        file = _locked(path)
        if file is None:
            path = folder / f"{name}-{uuid4().hex}.part"
            file = _locked(path)
    except OSError as error:
        raise fault(error, f"could not create a file in {folder}") from error
    assert file is not None, "nobody else knows that name"
    with file:
        yield path, file


def _locked(path: Path) -> BinaryIO | None:
    """The file, or None while somebody else has it. What got another name meanwhile is not ours, either."""
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            file.seek(0)
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None


def _name(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _note(path: Path) -> Path:
    return path.with_suffix(".note")


def _read(path: Path) -> dict[str, Any] | None:
    """What a note says; None when there is none, or a power cut left half of one."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    fits = isinstance(note, dict) and all(isinstance(note.get(word, ...), kind) for word, kind in _WORDS.items())
    return note if fits else None


def unwanted(folder: Path, wanted: Iterable[str]) -> list[Path]:
    """What lies there for nobody: all but the files of the `wanted` names and their notes.

    A file that is finished lies there, too, until it is on its shelf: who deletes must let young ones be.
    """
    names = {_name(one) for one in wanted}
    return [path for path in sorted(folder.iterdir()) if path.stem not in names] if folder.is_dir() else []


def sweep(folder: Path, wanted: Iterable[str], older_than_seconds: float = 0.0) -> list[str]:
    """Delete what is `unwanted`, so old, and grown by nobody; its names."""
    return [path.name for path in unwanted(folder, wanted) if discard(path, older_than_seconds)]


def discard(path: Path, older_than_seconds: float = 0.0) -> bool:
    """Delete one of these files, unless it is younger or somebody grows it."""
    try:
        if time.time() - path.stat().st_mtime < older_than_seconds:
            return False
        file = _locked(path)
    except FileNotFoundError:
        return False
    if file is None:
        return False
    with file:  # who would take it up now waits for the lock, and finds that it is gone
        path.unlink(missing_ok=True)
    return True
