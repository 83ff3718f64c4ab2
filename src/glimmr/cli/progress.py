"""Live progress of long work: a drawing on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from glimmr.cli.show import clean, size
from glimmr.errors import LocalFault
from glimmr.watch.board import Board, UnderWay

_MOST_NAME = 20  # letters, so that a bar, the bytes, their rate and the time left fit beside it into 80
_DRAW_SECONDS, _LINE_SECONDS = 0.25, 5.0
_LIVE = ("ready", "running")
Counts = dict[str, dict[str, int]]  # step → state → jobs


@contextmanager
def line(board: Board, counts: Callable[[], Counts], *, shown: bool) -> Generator[None]:
    """Show how the line gets on while the block runs. `counts` asks the ledger."""
    if not shown:
        yield
        return
    console, told = Console(stderr=True), _from_now_on(counts)
    with _drawn(console, board, told) if console.is_terminal else _printed(board, told):
        yield


def _from_now_on(counts: Callable[[], Counts]) -> Callable[[], Counts]:
    """The same without the jobs that have ended already: they are no part of the work that begins."""
    before = {(step, state): jobs for step, state, jobs in _ended(counts())}

    def told() -> Counts:
        now = counts()
        for step, state, jobs in _ended(now):
            now[step][state] = max(0, jobs - before.get((step, state), 0))  # old ones are removed meanwhile
        return now

    return told


def _ended(counts: Counts) -> list[tuple[str, str, int]]:
    return [
        (step, state, jobs) for step, states in counts.items() for state, jobs in states.items() if state not in _LIVE
    ]


@contextmanager
def _drawn(console: Console, board: Board, counts: Callable[[], Counts]) -> Generator[None]:
    with (
        Live(_table(board, {}), console=console, transient=True, auto_refresh=False) as live,
        _every(_DRAW_SECONDS, lambda: live.update(_table(board, counts()), refresh=True)),
    ):
        yield


@contextmanager
def _printed(board: Board, counts: Callable[[], Counts]) -> Generator[None]:
    started = time.monotonic()

    def one_line() -> None:
        told = counts()
        rooms = ", ".join(f"{step} {_share(told[step])}" for step in told)
        did = _came(board) if "download" in told else f"{board.named():,} named"
        typer.echo(f"{time.monotonic() - started:5.0f} s  {rooms}  {did}{_now(board, told)}", err=True)

    with _every(_LINE_SECONDS, one_line):
        yield


@contextmanager
def _every(seconds: float, work: Callable[[], None]) -> Generator[None]:
    """Call `work` in a thread of its own, now and then, until the block ends; what this machine hinders is left out."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds):
            with suppress(LocalFault):
                work()

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _share(states: dict[str, int]) -> str:
    ended = sum(count for state, count in states.items() if state not in _LIVE)
    return f"{ended}/{sum(states.values())}"


def _came(board: Board) -> str:
    done = board.rooms()
    came = done["download"].bytes if "download" in done else 0
    rows = done["publish"].rows if "publish" in done else 0
    return f"{size(came)}, {rows:,} rows"


def _now(board: Board, told: Counts) -> str:
    only_scan = list(told) == ["scan"]
    under_way = [job for job in board.under_way() if only_scan or job.step != "scan"]
    return f"  {_what(under_way[0])}" if under_way else ""


def _what(job: UnderWay) -> str:
    if job.step == "scan":
        return f"{job.args.get('source', '')} {clean(job.args.get('place', ''))}".strip()
    done, total = job.progress.get("bytes"), job.progress.get("total")
    share = f" {done / total:.0%}" if done and total else (f" {size(done)}" if done else "")
    return f"{job.step} {clean(job.host)}{share}".replace("  ", " ")


def _table(board: Board, counts: Counts) -> Table:
    rooms, under_way = board.rooms(), board.under_way()
    table = Table.grid(padding=(0, 2))
    for step, states in counts.items():
        room = rooms.get(step)
        came = size(room.bytes) if room and step == "download" else ""
        found = f"{board.named():,} named" if step == "scan" else ""
        rate = f"{size(board.bytes_per_second())}/s" if step == "download" else ""
        rows = f"{room.rows:,} rows" if room and step in ("parse", "publish") else ""
        shown = (_what(job).removeprefix(step).strip() for job in under_way if job.step == step)
        busy = ", ".join(filter(None, shown))
        waiting = f"{room.retried} retried" if room and room.retried else ""
        table.add_row(
            Text(step, style="bold"),
            Text(_share(states), justify="right"),
            Text(came or rows or found, justify="right"),
            rate,
            waiting,
            Text(busy, style="cyan", overflow="ellipsis", no_wrap=True),
        )
    return table


@contextmanager
def one_file(name: str, *, shown: bool) -> Generator[Callable[..., None]]:
    """A progress bar over the bytes of one file, a line now and then where there is no terminal.

    Gives the callable that moves it.
    """
    console = Console(stderr=True)
    if shown and not console.is_terminal:
        with _one_file_printed() as tell_lines:
            yield tell_lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),  # a file may be called [/v2].csv
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task(clean(name)[-_MOST_NAME:], total=None)

        def tell(**progress: Any) -> None:
            if "bytes" in progress:
                bar.update(task, completed=progress["bytes"], total=progress.get("total"))

        yield tell


@contextmanager
def _one_file_printed() -> Generator[Callable[..., None]]:
    started, told = time.monotonic(), {"bytes": 0, "total": None, "from": None}

    def tell(**progress: Any) -> None:
        if "bytes" in progress:
            told["from"] = progress["bytes"] if told["from"] is None else told["from"]
            told.update({name: progress.get(name) for name in ("bytes", "total")})

    def one_line() -> None:
        seconds, done, total = time.monotonic() - started, told["bytes"] or 0, told["total"]
        rate = (done - (told["from"] or 0)) / seconds
        left = f", {(total - done) / rate:.0f} s left" if total and rate > 0 else ""
        of = f" of {size(total)}" if total else ""
        typer.echo(f"{seconds:5.0f} s  {size(done)}{of}, {size(rate)}/s{left}", err=True)

    with _every(_LINE_SECONDS, one_line):
        yield tell
