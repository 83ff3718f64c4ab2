"""What a process that only parses goes without: the cycle collector, pandas, and a heap that gives everything back."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT_BLOCK_BYTES, _KEPT_BYTES = 16 * 2**20, 64 * 2**20
_only_parses = False


class _NoPandas:
    """Says that pandas is not there, whatever is installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed for parsing", name=fullname)
        return None


@contextlib.contextmanager
def lean() -> Generator[None]:
    """While this lasts no garbage is collected and pandas is not found.

    Parsing makes millions of objects and no cycles: the collector would only look at them again and again. Arrow
    imports pandas, where it is installed, for its first array: that takes longer than a small file, and 40 MB.
    """
    global _only_parses  # noqa: PLW0603 - it is about the whole process
    _only_parses = True
    no_pandas = _NoPandas()
    sys.meta_path.insert(0, no_pandas)
    gc.disable()
    try:
        yield
    finally:
        _only_parses = False
        gc.enable()
        sys.meta_path.remove(no_pandas)


def keep_freed_blocks() -> None:
    """Let glibc keep the blocks of one text for the next, instead of giving them back (12 % of the time of a CSV).

    Texts of a table come and go alike. Not for JSON, whose small objects would stay between them and make the heap of
    a long file fill with holes (see `jobs.child.HEAP`). Only in a process that does nothing but parse.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if _only_parses else None
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _KEPT_BLOCK_BYTES)
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)
