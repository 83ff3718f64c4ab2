"""What a scan found: counted in what the sources' answers left in the database, whoever asked for them."""

from collections import Counter
from datetime import datetime
from typing import Any

from glimmr.jobs import ledger
from glimmr.outcomes import Fault, Outcome
from glimmr.stores import answers, tally
from glimmr.stores.database import Connection, Database
from glimmr.watch import report

_TOLD = ("moved", "unlisted", "relisted", "back", "renamed")


def summary(database: Database, since: datetime) -> dict[str, Any]:
    """What sources said `since` then: found, new, updated, skipped, failed; and which work waits because of it.

    `ours`: whether a fault of ours remains; `answered`: how many questions had an answer.
    """
    return database.read(lambda connection: _summary(connection, since))


def _summary(connection: Connection, since: datetime) -> dict[str, Any]:
    said = answers.since(connection, since)
    good = [one for one in said if one["outcome"] == Outcome.OK]
    changes = answers.changes_since(connection, since)
    skipped = Counter[str]()
    for one in good:
        skipped.update(one["skipped"])
    waiting = report.failed_scans(connection)
    again = {(one["source"], one["place"]) for one in waiting}
    ended = [_failed(one) for one in said if one["outcome"] != Outcome.OK and _asked(one) not in again]
    jobs = ledger.counts(connection)
    return {
        "asked": len(said),
        "answered": len([one for one in good if answers.is_heard(one)]),
        "found": answers.named_since(connection, since),
        "listed": sum(one["listed"] for one in good if one["source"] == "cms_roster"),
        "new": {"addresses": changes.get("new", 0), "hospitals": sum(one["new_hospitals"] for one in good)},
        "updated": {
            "addresses": sum(one["updated"] for one in good),
            "hospitals": sum(one["updated_hospitals"] for one in good),
        },
        "changes": {what: count for what, count in changes.items() if what in _TOLD},
        "skipped": dict(skipped),
        "failed": [*ended, *waiting],
        "waiting": {step: report.live(jobs, step) for step in ("scan", "download")},
        "counts": tally.counts(connection),
        "ours": any(report.fault(one["outcome"]) == Fault.OURS for one in said),
    }


def _asked(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["source"], answer["place"]


def _failed(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("source", "place", "reason", "message")} | {"next_try_at": None}
