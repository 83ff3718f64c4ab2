"""Work in a fresh process of one thread, and what the operating system says it cost."""

import compileall
import contextlib
import functools
import importlib.util
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Libraries ask for these when they are first imported: a spawned process inherits them.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Used:
    """What a piece of work took. CPU and wall seconds count imports too; `told` is what the work returned."""

    cpu_seconds: float
    wall_seconds: float
    peak_rss_bytes: int
    threads: int
    told: Any = None


def run(work: Callable[..., Any], *given: Any) -> Used:
    """Call `work(*given)` in a process of its own; raises RuntimeError with the child's traceback when it fails."""
    return together([(work, given)])[0]


def together(works: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Used]:
    """The same for several at once, one process each."""
    _compile()
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in works]
    with _one_thread():
        processes = [
            spawn.Process(target=_measured, args=(there, work, given))
            for (work, given), (_, there) in zip(works, pipes, strict=True)
        ]
        for process in processes:
            process.start()
    answers: list[Used] = []
    for (here, there), process in zip(pipes, processes, strict=True):
        there.close()
        answer = here.recv()
        process.join()
        if isinstance(answer, str):
            raise RuntimeError(answer)  # noqa: TRY004 - it is the child's traceback
        answers.append(answer)
    return answers


@functools.cache
def _compile() -> None:
    """Compile the product once, also where Python may write no bytecode: else every process would do it again."""
    found = importlib.util.find_spec("glimmr")
    assert found is not None
    for folder in (*(found.submodule_search_locations or ()), Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    from glimmr.jobs.child import HEAP  # noqa: PLC0415 - for the parent alone: what is measured imports its own things

    environment = dict.fromkeys(_THREADS, "1") | HEAP  # as the product's own child processes have it
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _measured(there: Any, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    begun = time.monotonic()
    try:
        told = work(*given)
    except BaseException:
        there.send(traceback.format_exc())
        raise
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    there.send(
        Used(
            cpu_seconds=time.process_time(),
            wall_seconds=time.monotonic() - begun,
            # Not ru_maxrss: that keeps the peak of whoever started the process.
            peak_rss_bytes=int(status["VmHWM"].split()[0]) * 1024,
            threads=int(status["Threads"]),
            told=told,
        )
    )


def note_of_machine() -> str:
    """One line on where the numbers come from."""
    import platform  # noqa: PLC0415

    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load}, Python {platform.python_version()}, {sys.platform}"
