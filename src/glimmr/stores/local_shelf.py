"""A file's name on a local shelf: given all at once, and durable together with the bytes before anybody goes on."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from glimmr import events

_COPY_BYTES = 8 * 2**20
_NO_LINKS = frozenset((errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS))


def place(source: Path, target: Path, root: Path, *, there: bool) -> None:
    """Give the file its name on the shelf, all at once. Bytes reach the disk before the name, the name before we go on.

    obstore's LocalStore would copy, and syncs nothing: a power cut could leave an empty object under a good name.
    """
    made = _make_folders(target.parent, root)
    if there:
        with suppress(PermissionError):  # another user's
            os.utime(target)  # it counts as new: who looks for what nothing refers to must not take it away just now
    else:
        sync(source)
        events.tell(events.OBJECT_SYNCED, name=target.name)
        try:
            _name(source, target)
        except FileExistsError:
            _replace_if_broken(source, target)
        events.tell(events.OBJECT_NAMED, name=target.name)
    for folder in (target.parent, *made):
        sync(folder)


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


def sync(path: Path) -> None:
    """What a file holds, or the names in a folder, is on the disk when this returns. Raises OSError."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
