"""`glimmr top`: what goes on now, drawn again and again on a terminal, told once anywhere else."""

import os
import select
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from glimmr.cli import show
from glimmr.cli.columns import Column, fitted
from glimmr.cli.look import AsJson, Data

_FILE_WIDTH = 200  # of what goes to a file or a pipe
_LEAST_ROWS = 3  # of a kind, before any kind gets more
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SILENT_SECONDS = 30.0  # a worker beats every ten
Facts = dict[str, Any]


def top(
    interval: Annotated[float, typer.Option(min=0.1, max=3600, metavar="S", help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Watch what goes on: queues, running jobs with their pace, workers, hosts left alone, what failed and why.

    On one machine beside the process at work, or anywhere a fleet's database is reached; it only looks. Ctrl-C ends it
    (exit 0). Where standard output is no terminal or one that nothing can be drawn on (TERM=dumb), and with --json, it
    looks once.
    """
    from glimmr import looking
    from glimmr.cli.options import load

    console = Console(highlight=False)
    with looking.top(load(data=data)) as look:
        if as_json:
            show.as_json(look())
        elif once or not console.is_terminal or console.is_dumb_terminal:
            width = console.width if console.is_terminal else _FILE_WIDTH
            typer.echo("\n".join(lines(look(), width)))
        else:
            _watch(console, look, interval)


def _watch(console: Console, look: Callable[[], Facts], interval: float) -> None:
    """Draw until somebody ends it; a database that does not answer for a while is waited for."""
    from rich.live import Live

    from glimmr.errors import LocalFault

    live = Live(console=console, screen=True, auto_refresh=False)
    with _ended_by_signals() as resized:
        facts, trouble = look(), ""
        try:
            live.start()
            while True:
                live.update(_drawing(facts, trouble, *console.size), refresh=True)
                if select.select([resized], [], [], interval)[0]:
                    os.read(resized, 4096)
                    continue
                try:
                    facts, trouble = look(), ""
                except LocalFault as fault:
                    trouble = f"no answer since {facts['at']:%H:%M:%S} UTC: {fault}"
        finally:
            live.stop()  # also where the signal came while it started


@contextmanager
def _ended_by_signals() -> Generator[int]:
    """Ends the block quietly at Ctrl-C, SIGTERM or SIGHUP; gives what can be read when the terminal's size changed."""

    def end(*_: object) -> NoReturn:
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)  # the terminal is being put right
        raise KeyboardInterrupt

    heard, tells = os.pipe()
    os.set_blocking(tells, False)
    former_fd = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    former = {number: signal.signal(number, end) for number in _ENDS}
    former[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: None)
    try:
        yield heard
    except KeyboardInterrupt:
        pass
    finally:
        for number, what in former.items():
            signal.signal(number, what)
        signal.set_wakeup_fd(former_fd)
        os.close(heard)
        os.close(tells)


def _drawing(facts: Facts, trouble: str, width: int, height: int) -> Text:
    """As many lines as there is room for, none of them wider than the terminal."""
    drawn = lines(facts, width, height - bool(trouble))
    if trouble:
        drawn.insert(1, fitted([Column("", takes_rest=True)], [[trouble]], width)[1])
    text = Text(no_wrap=True, overflow="crop", end="")
    for n, line in enumerate(drawn[:height]):
        is_heading = n == 0 or (n > 1 and not drawn[n - 1])
        style = "bold" if is_heading else "red" if trouble and n == 1 else ""
        text.append(("\n" if n else "") + line, style=style)
    return text


def lines(facts: Facts, width: int, height: int | None = None) -> list[str]:
    """Everything as lines, the headings first of each kind, with an empty line before them.

    Where there are more than `height` has room for, each kind says how many more there are.
    """
    kinds = [kind for kind in _kinds(facts) if kind.rows]
    told = [_sum_up(facts, width)]
    for kind, shown in zip(kinds, _shares(kinds, height), strict=True):
        rows, more = kind.rows[:shown], len(kind.rows) - shown
        told += ["", *fitted(kind.columns, rows, width)]
        if more:
            told.append(f"… and {more:,} more"[:width])
    return told


@dataclass(frozen=True, slots=True)
class _Kind:
    """One table of the view."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]

    @property
    def least(self) -> int:
        return min(len(self.rows), _LEAST_ROWS)


def _shares(kinds: Sequence[_Kind], height: int | None) -> list[int]:
    """How many rows of each kind are shown: a few of each, then all there is room for, the first kinds first."""
    if height is None:
        return [len(kind.rows) for kind in kinds]
    shares = [kind.least for kind in kinds]
    left = height - 1 - sum(shares) - 3 * len(kinds)  # an empty line, a heading and `… and more` each
    for n, kind in enumerate(kinds):
        more = max(0, min(left, len(kind.rows) - shares[n]))
        shares[n] += more
        left -= more
    return shares


def _sum_up(facts: Facts, width: int) -> str:
    steps = facts["steps"]
    running, waiting = (sum(step[name] for step in steps) for name in ("running", "waiting"))
    came = sum(job["bytes_per_second"] or 0 for job in facts["running"] if job["step"] == "download")
    late = steps[0]["recent"]["seconds"] / 60 if steps else 1
    ended = sum(step["recent"]["ended"] for step in steps)
    parts = (
        f"glimmr {facts['at']:%H:%M:%S} UTC",
        show.several(len(facts["workers"]), "worker") if facts["workers"] else "nobody is at work",
        f"{running:,} running",
        f"{waiting:,} waiting",
        f"{ended:,} ended in {late:.0f} min",
        f"{show.size(came)}/s coming home" if came else "",
    )
    return fitted([Column("", takes_rest=True)], [[" · ".join(filter(None, parts))]], width)[1]


def _kinds(facts: Facts) -> Iterator[_Kind]:
    yield _Kind(_QUEUE, [_queue(step) for step in facts["steps"]])
    yield _Kind(_RUNNING, [_run(job) for job in facts["running"]])
    yield _Kind(_WORKER, [_worker(worker) for worker in facts["workers"]])
    yield _Kind(_RESTING, [_rests(host) for host in facts["resting_hosts"]])
    yield _Kind(_FAILURE, [_failure(kind, facts["at"]) for kind in facts["failures"]])


_QUEUE = (
    Column("step"),
    Column("waiting", right=True),
    Column("running", right=True),
    Column("later", 4, right=True),
    Column("rescued", 2, right=True),
    Column("oldest", 1, right=True),
    Column("", 1),  # whether it is paused
    Column("ended/5min", 3, right=True),
    Column("failed", 5, right=True),
    Column("bytes/s", 6, right=True),
    Column("rows/s", 7, right=True),
)


def _queue(step: Facts) -> Sequence[object]:
    recent = step["recent"]
    numbers = (step[name] for name in ("waiting", "running", "later", "rescued"))
    bytes_per_second, rows_per_second = recent["bytes_per_second"], recent["rows_per_second"]
    return (
        step["step"],
        *(f"{number:,}" for number in numbers),
        "" if step["oldest_seconds"] is None else _span(step["oldest_seconds"]),
        "paused" if step["paused"] else "",
        f"{recent['ended']:,}",
        f"{recent['failed']:,}" if recent["failed"] else "",
        show.size(bytes_per_second) if bytes_per_second else "",
        f"{rows_per_second:,.0f}" if rows_per_second >= 1 else "",
    )


_RUNNING = (
    Column("job", 6, right=True),
    Column("step"),
    Column("what", takes_rest=True),
    Column("for", 4, right=True),
    Column("done", 1, right=True),
    Column("of", 1, right=True),
    Column("", 3, right=True),  # the share of it
    Column("rows", 3, right=True),
    Column("rate", 2, right=True),
    Column("left", 1, right=True),
    Column("try", 5, right=True),
    Column("worker", 7),
)


def _run(job: Facts) -> Sequence[object]:
    done, total, rate = job["bytes"], job["total"], job["bytes_per_second"]
    return (
        job["id"],
        job["step"],
        ("cancelling " if job["cancel_requested"] else "") + _what(job),
        _span(job["seconds"]),
        show.size(done) if done is not None else job["stage"],
        show.size(total) if total else "",
        f"{done / total:.0%}" if total and done is not None else "",
        f"{job['rows']:,}" if job["rows"] else "",
        f"{show.size(rate)}/s" if rate else "",
        "" if job["left_seconds"] is None else _span(job["left_seconds"]),
        f"{job['attempt']}" + (f"+{job['stalls']}" if job["stalls"] else ""),
        job["worker"],
    )


def _what(job: Facts) -> str:
    """The host and the file's name: both ends of an address, whose middle tells least."""
    if not job["url"]:
        return job["host"] or " ".join(str(value) for value in job["args"].values() if not isinstance(value, bool))
    parts = urlsplit(job["url"])
    name = parts.path.rstrip("/").rpartition("/")[2]
    return f"{parts.netloc} {name}".rstrip()


_WORKER = (
    Column("worker"),
    Column("pid", right=True),
    Column("version", 2),
    Column("up", 1, right=True),
    Column("last beat", right=True),
    Column("slots", 3, takes_rest=True),
)


def _worker(worker: Facts) -> Sequence[object]:
    silent = worker["silent_seconds"]
    slots = " ".join(f"{step} {count}" for step, count in (worker["slots"] or {}).items())
    return (
        worker["host"],
        worker["pid"],
        worker["version"],
        _span(worker["seconds"]),
        f"{_span(silent)} ago" + (" !" if silent > _SILENT_SECONDS else ""),
        slots or "takes nothing new",
    )


_RESTING = (
    Column("host left alone", takes_rest=True),
    Column("until", right=True),
    Column("for", 1, right=True),
    Column("time", 2, right=True),
)


def _rests(host: Facts) -> Sequence[object]:
    return (host["host"], f"{host['until']:%H:%M:%S} UTC", _span(host["seconds"]), f"{host['opened']}.")


_FAILURE = (
    Column("failed", right=True),
    Column("step"),
    Column("outcome", 2),
    Column("reason"),
    Column("again", 4, right=True),
    Column("last", 1, right=True),
    Column("job", 3, right=True),
    Column("message", 5, takes_rest=True),
)


def _failure(kind: Facts, now: datetime) -> Sequence[object]:
    return (
        f"{kind['jobs']:,}",
        kind["step"],
        kind["outcome"],
        kind["reason"],
        f"{kind['again']:,}" if kind["again"] else "",
        f"{_span(max(0.0, (now - kind['last_at']).total_seconds()))} ago",
        kind["job"],
        kind["message"],
    )


def _span(seconds: float) -> str:
    """A time as people read it: `12 s`, `3 min`, `2.5 h`, `4 d`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
