"""One question at a time, asked in a thread of its own: who wants the answer waits no longer than he may."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Question(Generic[T]):
    """Any thread may ask. While it hangs it is not asked a second time, so that a dead server costs one thread."""

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._name, self._ask = name, ask
        self._lock = threading.Lock()
        self._asked: _Asked[T] | None = None

    def begin(self) -> None:
        """Ask now, unless the answer to the last time is still to come."""
        with self._lock:
            if self._asked is None or self._asked.done.is_set():
                self._asked = _Asked(self._ask)
                threading.Thread(target=self._asked.run, name=self._name, daemon=True).start()

    def answer(self, seconds: float) -> "Answer[T] | None":
        """What came within that time, None: nothing. Raises what the asking raised."""
        asked = self._asked
        assert asked is not None, "it was asked"
        if not asked.done.wait(max(0.0, seconds)):
            return None
        if asked.error is not None:
            raise asked.error
        assert asked.answer is not None, "it is done"
        return asked.answer

    @property
    def waited_seconds(self) -> float:
        """How long ago it was asked last."""
        return time.monotonic() - self._asked.began if self._asked else 0.0


class Answer(Generic[T]):
    """What was answered, and how long that took."""

    def __init__(self, said: T, seconds: float) -> None:
        self.said, self.seconds = said, seconds


class _Asked(Generic[T]):
    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self.began = time.monotonic()
        self.done = threading.Event()
        self.answer: Answer[T] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = Answer(self._ask(), time.monotonic() - self.began)
        except BaseException as error:  # noqa: BLE001 - raised where the answer is wanted
            self.error = error
        finally:
            self.done.set()
