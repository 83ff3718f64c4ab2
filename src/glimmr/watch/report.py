"""What `status` and the summary of a run say: counts from SQL, and what this process did."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from glimmr.errors import UsageError
from glimmr.jobs import ledger, recovery, selection
from glimmr.net import redact
from glimmr.outcomes import MEANINGS, Fault, Outcome
from glimmr.stores import catalog, tally
from glimmr.stores.database import Connection, Database
from glimmr.watch.board import Board, Room

_MOST_TROUBLED = 1000
_MOST_HELD_UP = 20
_ENDED = ("done", "dead")
_LIVE = ("ready", "running")


def status(database: Database) -> dict[str, Any]:
    """Everything known at one moment: counts, outcomes of files, jobs by step and state, success rate, troubles."""
    return database.read(_status)


def _status(connection: Connection) -> dict[str, Any]:
    jobs = ledger.counts(connection)
    return {
        "counts": tally.counts(connection),
        "outcomes": [
            {"state": state, "outcome": outcome, "reason": reason, "fault": fault(outcome), "files": files}
            for state, outcome, reason, files in tally.outcomes(connection)
        ],
        "jobs": jobs,
        "paused": ledger.paused(connection),
        "held_up": selection.held_up(connection, _MOST_HELD_UP),
        "success_rate": success_rate(jobs),
        "troubled": [file | {"url": redact(file["url"])} for file in tally.troubled(connection, _MOST_TROUBLED)],
        "failed_scans": failed_scans(connection),
        "repairs": recovery.repairs(connection),
        "weak_transport": [weak | {"url": redact(weak["url"])} for weak in tally.weak_transport(connection)],
    }


def jobs(connection: Connection, most: int, **equal: str | None) -> list[dict[str, Any]]:
    """Jobs as `ledger.listing` gives them, with the `url` each is about (None: a scan, a schedule)."""
    listed = ledger.listing(connection, most=most, **equal)
    return [one | {"url": url} for one, url in zip(listed, _urls(connection, listed), strict=True)]


def job(connection: Connection, job_id: int) -> dict[str, Any]:
    """Everything about one job, with its `attempts`, oldest first. Raises UsageError when there is no such job."""
    facts = selection.one(connection, job_id)
    if facts is None:
        raise UsageError(f"there is no job {job_id} (ended ones are kept for a while only): `glimmr jobs` lists them")
    attempts = [asdict(attempt) for attempt in ledger.history(connection, job_id)]
    (url,) = _urls(connection, [facts])
    return facts | {"url": url, "paused": facts["step"] in ledger.paused(connection), "attempts": attempts}


def _urls(connection: Connection, told: Sequence[dict[str, Any]]) -> list[str | None]:
    about = [one["args"].get("price_file_id") or one["args"].get("file_id") for one in told]
    urls = catalog.urls_behind(connection, {key for key in about if key})
    return [redact(urls[key]) if key in urls else None for key in about]


def fault(outcome: str | None) -> str:
    """Whose fault an outcome is; empty while there is none."""
    return MEANINGS[Outcome(outcome)].fault.value if outcome else ""


def success_rate(jobs: list[dict[str, Any]]) -> float | None:
    """Ended jobs that count as success among those that count (PRICE_TABLE.md section 3); None before any has ended."""
    ended = [(MEANINGS[Outcome(job["outcome"])].success, job["jobs"]) for job in jobs if job["state"] in _ENDED]
    yes = sum(count for success, count in ended if success)
    no = sum(count for success, count in ended if success is False)
    return yes / (yes + no) if yes + no else None


def by_step(jobs: list[dict[str, Any]], steps: Sequence[str]) -> dict[str, dict[str, int]]:
    """Jobs by step and state, in the line's order."""
    told: dict[str, dict[str, int]] = {step: {} for step in steps}
    for job in jobs:
        if job["step"] in told:
            states = told[job["step"]]
            states[job["state"]] = states.get(job["state"], 0) + job["jobs"]
    return told


def live(jobs: list[dict[str, Any]], step: str) -> int:
    """How many jobs of a step have not ended."""
    return sum(job["jobs"] for job in jobs if job["step"] == step and job["state"] in _LIVE)


def summary(database: Database, board: Board, said: Mapping[str, Any]) -> dict[str, Any]:
    """What this run did, what sources `said` in that time (`watch.scanned`), and how everything stands after it.

    `answered`: whether any source did; `ours`: whether a fault of ours remains.
    """
    facts = status(database)
    rooms = board.rooms()
    download, parse, publish = (rooms.get(name, Room()) for name in ("download", "parse", "publish"))
    brought = sum(count for (outcome, _), count in download.ended.items() if outcome == Outcome.OK)
    failed_downloads = download.retried + sum(
        count for (outcome, _), count in download.ended.items() if fault(outcome) != Fault.NONE
    )
    return facts | {
        "scan": {"found": said["found"], "skipped": said["skipped"]},
        "download": {"files": brought, "bytes": download.bytes, "failed": failed_downloads},
        "parsed": parse.done,
        "rows": publish.rows,
        "failed_scans": said["failed"],
        "open_questions": said["waiting"]["scan"],
        "answered": said["answered"] > 0,
        "ours": said["ours"] or any(_is_ours(row) for row in (*facts["outcomes"], *board.given_up())),
    }


def _is_ours(row: dict[str, Any]) -> bool:
    """A fault of ours, or work that stands still without anybody's fault: either way the file has no outcome yet."""
    return fault(row["outcome"]) == Fault.OURS or row["state"] == "working"


def failed_scans(connection: Connection) -> list[dict[str, Any]]:
    """The scans that failed and wait for another try."""
    waiting = ledger.listing(connection, most=_MOST_TROUBLED, step="scan", state="ready")
    return [_failed_scan(job) | {"next_try_at": job["run_at"]} for job in waiting if job["outcome"]]


def _failed_scan(job: dict[str, Any]) -> dict[str, Any]:
    said = {name: job["args"][name] for name in ("source", "place")}
    return {**said, "reason": job["reason"], "message": job["message"], "next_try_at": None}
