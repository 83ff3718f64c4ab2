"""What goes on at this moment, for who watches: queues, workers, running jobs and their pace, hosts, failures."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from glimmr.jobs import ledger, overview
from glimmr.stores import hosts
from glimmr.stores.database import Connection, Database
from glimmr.watch import report

RECENT_SECONDS = 300.0
_FAILURE_SECONDS = 3600.0
_MOST = 200  # of each kind: more than a screen has lines
_NONE_QUEUED = {"waiting": 0, "later": 0, "running": 0, "rescued": 0, "oldest_at": None}
_NONE_ENDED = {"ended": 0, "failed": 0, "bytes": 0, "rows": 0}

_Seen = tuple[datetime, int, int]  # when, bytes, rows


class Top:
    """Looks again and again. It remembers how far each run was, and tells from that how fast it is."""

    def __init__(self, database: Database, steps: Sequence[str]) -> None:
        self._database, self._steps = database, steps
        self._seen: dict[tuple[int, int], tuple[_Seen, _Seen]] = {}  # run → what its row said last, and before that

    def look(self) -> dict[str, Any]:
        """Everything, from one consistent view: plain values. Raises DatabaseFault when the database is away."""
        facts = self._database.read(self._look)
        running = [self._paced(job, facts["at"]) for job in facts["running"]]
        still = {(job["id"], job["epoch"]) for job in running}
        self._seen = {run: seen for run, seen in self._seen.items() if run in still}
        return facts | {"running": running}

    def _look(self, connection: Connection) -> dict[str, Any]:
        now = overview.now(connection)
        jobs = report.jobs(connection, _MOST, state="running")
        resting = hosts.resting(connection, _MOST)
        return {
            "at": now,
            "steps": _steps(connection, self._steps, now),
            "running": sorted((_running(job, now) for job in jobs), key=lambda job: -job["seconds"]),
            "workers": [_worker(worker, now) for worker in overview.present(connection)],
            "resting_hosts": [host | {"seconds": _since(now, host["until"])} for host in resting],
            "failures": overview.failures(connection, _FAILURE_SECONDS, _MOST),
        }

    def _paced(self, job: dict[str, Any], now: datetime) -> dict[str, Any]:
        """With its rates. A run's row changes every few seconds, so they are over the time between two changes.

        Of a run that is seen for the first time they are what it did since its start.
        """
        told: _Seen = (now, job["bytes"] or 0, job["rows"] or 0)
        run = (job["id"], job["epoch"])
        last, before = self._seen.get(run, (told, (job["started_at"], 0, 0)))
        if told[1:] != last[1:]:
            last, before = told, last
        self._seen[run] = (last, before)
        seconds = _since(before[0], last[0])
        bytes_rate, rows_rate = _rate(last[1] - before[1], seconds), _rate(last[2] - before[2], seconds)
        total, done = job["total"], job["bytes"]
        left = max(0, total - done) / bytes_rate if total and done is not None and bytes_rate else None
        return job | {"bytes_per_second": bytes_rate, "rows_per_second": rows_rate, "left_seconds": left}


def _steps(connection: Connection, names: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Each step: its queue now, and what ended of late (`recent`)."""
    queues, recent = overview.queues(connection), overview.recent(connection, RECENT_SECONDS)
    paused = ledger.paused(connection)
    told: list[dict[str, Any]] = []
    for name in _in_order(names, (*queues, *recent, *paused)):
        queue = dict[str, Any](queues.get(name, _NONE_QUEUED))
        oldest = queue.pop("oldest_at")
        late = recent.get(name, _NONE_ENDED)
        rates = {f"{what}_per_second": late[what] / RECENT_SECONDS for what in ("bytes", "rows")}
        told.append(
            {
                "step": name,
                **queue,
                "oldest_seconds": None if oldest is None else _since(oldest, now),
                "paused": name in paused,
                "recent": {"seconds": RECENT_SECONDS, **late, **rates},
            }
        )
    return told


def _in_order(names: Sequence[str], found: Iterable[str]) -> list[str]:
    return [*names, *sorted(set(found) - set(names))]


def _running(job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    progress = job["progress"] or {}
    kept = ("id", "step", "args", "host", "url", "attempt", "stalls", "epoch", "started_at", "cancel_requested")
    return {
        **{name: job[name] for name in kept},
        "worker": job["owner"],
        "seconds": _since(job["started_at"], now),
        **{name: progress.get(name) for name in ("bytes", "total", "rows", "stage")},
    }


def _worker(worker: dict[str, Any], now: datetime) -> dict[str, Any]:
    silent, up = _since(worker["beat_at"], now), _since(worker["started_at"], now)
    return worker | {"silent_seconds": silent, "seconds": up}


def _since(then: datetime, now: datetime) -> float:
    """Never negative: machines of a fleet do not quite agree on the time."""
    return max(0.0, (now - then).total_seconds())


def _rate(done: int, seconds: float) -> float | None:
    return done / seconds if done > 0 and seconds > 0 else None
