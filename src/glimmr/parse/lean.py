"""What a process that only parses goes without: the cycle collector, and pandas."""

import contextlib
import gc
import sys
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


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
    no_pandas = _NoPandas()
    sys.meta_path.insert(0, no_pandas)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.meta_path.remove(no_pandas)
