"""A process's log as it was before a test."""

import contextlib
import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def unlogged() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            with contextlib.suppress(OSError):  # a file on a full disk
                handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
