"""The real program, many times, without waiting for its imports: a process that has them forks for every run.

Each run is a process of its own that calls the program's own `main`, as `python -m glimmr` does.
"""

import atexit
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_TOO_LONG = 124


class Prefork:
    """Start with `with`; then `run` as often as wanted, one at a time."""

    def __enter__(self) -> Self:
        # OpenBLAS would start threads at its import, and a process with threads is better not forked.
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([*filter(None, sys.path)])}
        command = [sys.executable, "-m", "tests.support.prefork"]
        self._process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self, *words: str | Path, env: dict[str, str], exit_code: int | None = 0, timeout_seconds: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """How `glimmr words…` ended, run where the caller is; its exit code must be `exit_code`, unless None."""
        assert self._process.stdin
        assert self._process.stdout
        told = [str(word) for word in words]
        request = {"words": told, "env": env, "folder": str(Path.cwd()), "seconds": timeout_seconds}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        done = subprocess.CompletedProcess(told, answer["exit_code"], answer["out"], answer["err"])
        if exit_code is not None:
            assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done


@functools.cache
def program() -> Prefork:
    """The one of this process, begun when first asked for."""
    running = Prefork().__enter__()
    atexit.register(running.__exit__)
    return running


def _serve() -> None:
    for module in ("alembic.command", "glimmr.cli.walk", "glimmr.jobs.engines.docket"):  # what a run imports
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints cannot mix with the answers
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answers.write(json.dumps(_run(**request)).encode() + b"\n")
        answers.flush()


def _run(words: list[str], env: dict[str, str], folder: str, seconds: float) -> dict[str, Any]:
    out, err = os.memfd_create("out"), os.memfd_create("err")
    pid = os.fork()
    if pid == 0:
        _become(words, env, folder, (out, err))
    until = time.monotonic() + seconds
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            ended = (os.waitpid(pid, 0)[0], _TOO_LONG << 8)  # no signal's exit code: nobody's death but this one's
            os.write(err, b"\nkilled: it took too long")
            break
        time.sleep(0.005)
    return {"exit_code": os.waitstatus_to_exitcode(ended[1]), "out": _text(out), "err": _text(err)}


def _text(written: int) -> str:
    with os.fdopen(written, "rb") as file:
        file.seek(0)
        return file.read().decode(errors="replace")


def _become(words: list[str], env: dict[str, str], folder: str, output: tuple[int, int]) -> None:
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output[0], 1)
        os.dup2(output[1], 2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["glimmr", *words]
        from glimmr.cli.main import main  # noqa: PLC0415

        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - the test sees it in the output
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
