"""One process works in one data folder: a lock of the operating system's, which lets go when its holder dies."""

import fcntl
import os
import re
import time
from pathlib import Path
from typing import Self

from glimmr.errors import UsageError

_NAME = "glimmr.lock"
_UNUSABLE = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f]|[\ud800-\udfff]")  # delta-rs 1.x decodes, or refuses


class FolderLock:
    """A held lock. It is released by `release`, by leaving the `with` block, and by the death of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> "FolderLock | None":
        """The lock on `folder`, or None when another process holds it (see `holder`). Creates the folder.

        Raises UsageError when there can be no such folder, or nothing can be written in it.
        """
        if _UNUSABLE.search(str(folder.absolute())):
            raise UsageError(
                f"{folder} cannot be the data folder: the price table's library takes no path with a backslash, a"
                " control character, or a percent sign before two hex digits"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be the data folder ({error.strerror}): name one that can be made and written, with"
                " --data or GLIMMR_DATA"
            ) from error
        # `holder` takes the lock for an instant to look; one who only looks must not turn a worker away.
        for _ in range(5):
            if _lock(descriptor, fcntl.LOCK_EX):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return cls(descriptor)
            time.sleep(0.02)
        os.close(descriptor)
        return None

    def release(self) -> None:
        """Let go. Doing it twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder(folder: Path) -> int | None:
    """The pid of the process that works in `folder`; 0 when it has not said yet; None when nobody does."""
    try:
        descriptor = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if _lock(descriptor, fcntl.LOCK_SH):
            return None
        text = os.pread(descriptor, 32, 0).decode()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
