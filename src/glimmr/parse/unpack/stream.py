"""A stream one can look at before reading, and turn into a file; damage ends it early and is remembered."""

import contextlib
import lzma
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from isal import isal_zlib

from glimmr.errors import ContentError, CutShort
from glimmr.parse.limits import Enough
from glimmr.parse.text import Readable
from glimmr.parse.unpack.budget import Budget
from glimmr.sniff import HEAD_BYTES

_STEP_BYTES = 1 << 20
_SPOOL_BYTES = 16 << 20  # what a nested workbook or archive may take of memory before it goes to scratch
# What the standard library, isal and pyarrow raise for damaged data.
_ISAL_ERROR: type[Exception] = isal_zlib.IsalError  # pyright: ignore[reportAssignmentType] - its stub is wrong
DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, _ISAL_ERROR, ValueError, struct.error)


class Nothing:
    """The stream of a member that cannot be read."""

    def read(self, size: int, /) -> bytes:
        """Nothing."""
        del size
        return b""


class Stream:
    """Bytes of a member. `damage` says what was wrong with the container they come from, once they have ended early.

    `file` is the content itself where it lies in a file of its own; `scratch` is the folder for one where it does not.
    """

    def __init__(
        self, inner: Readable, budget: Budget | None, *, file: IO[bytes] | None = None, scratch: Path | None = None
    ) -> None:
        self._inner = inner
        self._budget = budget
        self._limits = None if budget is None else budget.limits  # whose clock counts when the budget is spent
        self._file = file
        self._scratch = scratch
        self._spool: IO[bytes] | None = None
        self._ahead = b""
        self._rewound = False
        self.skipped_bytes = 0  # before the first that is read
        self.damage: ContentError | None = None

    def peek(self) -> bytes:
        """The first HEAD_BYTES, without taking them."""
        while len(self._ahead) < HEAD_BYTES:
            part = self._more(HEAD_BYTES - len(self._ahead))
            if not part:
                break
            self._ahead += part
        return self._ahead

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b"" at the end. Raises Bomb or UnpackedTooLarge."""
        if self._ahead:
            part, self._ahead = self._ahead[:size], self._ahead[size:]
            return part
        return self._more(size)

    @property
    def is_file(self) -> bool:
        """Whether it lies in a file of its own, so that `seekable` costs nothing."""
        return self._file is not None

    def skip(self, size_bytes: int) -> None:
        """Take some of what `peek` has shown."""
        self._ahead = self._ahead[size_bytes:]
        self.skipped_bytes += size_bytes

    def seekable(self) -> IO[bytes]:
        """All the content as a file one can seek in, at its start; to be asked for before anything is read.

        It is the file itself, or a copy in memory or scratch; it is closed with the member, not by who asked for it.
        From then on the stream reads it, too, and another call goes back to its start. Raises Bomb or UnpackedTooLarge;
        content that ends early sets `damage`.
        """
        if self._file is None and self._spool is None:
            scratch = None if self._scratch is None else str(self._scratch)
            # It lives as long as the member: `close` ends it.
            spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=scratch)  # noqa: SIM115
            self._spool = spool  # pyright: ignore[reportAttributeAccessIssue] - it has all that a file has
            while part := self.read(_STEP_BYTES):
                spool.write(part)
        file = self._file or self._spool
        assert file is not None
        file.seek(0)
        self._inner, self._ahead, self._budget, self._rewound = file, b"", None, True
        self.skipped_bytes = 0
        return file

    def drain(self) -> ContentError | None:
        """Look at what a reader has left, as far as it takes to know whether it is a bomb: Bomb or UnpackedTooLarge.

        A look that has taken its time leaves it.
        """
        budget = self._budget
        try:
            with contextlib.suppress(Enough):
                while budget is not None and budget.undecided and self._more(_STEP_BYTES):
                    pass
        except ContentError as failure:
            return failure
        return None

    def close(self) -> None:
        """Give back what `seekable` took."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _more(self, size: int) -> bytes:
        if self.damage is not None and not self._rewound:
            return b""
        try:
            part = self._inner.read(size)
        except CutShort as damage:
            self.damage = damage
            return b""
        except EOFError:
            self.damage = CutShort("the compressed data ends too early", reason="truncated")
            return b""
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's fault, not the data's
            self.damage = CutShort(f"the compressed data is damaged: {error}", reason="truncated")
            return b""
        if self._budget is not None:
            self._budget.spend(len(part))
        elif self._limits is not None:
            self._limits.look_at_clock()
        return part
