"""The price table and the catalog agree: what is current is in the table, whole, and nothing else is."""

from dataclasses import dataclass

from glimmr.jobs import ledger, recovery
from glimmr.jobs.invariant import Count, Invariant, Violation, writing
from glimmr.outcomes import Outcome
from glimmr.pipeline.download_step import is_publishable, reconcile_job
from glimmr.pipeline.invariants.current import point_anew
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.stores import snapshots, underway
from glimmr.stores.database import Connection


def of(parts: Parts) -> list[Invariant]:
    """The invariants of the price table; that its small tables can be read at all comes first."""
    return [
        Invariant(
            name="table_rows_there",
            text="the objects of `files` and `file_hospitals` are on the shelf, whole",
            cure="the log forgets them; whose rows they were is published again",
            find=lambda after, most: _lost_rows(parts, after, most),
            repair=lambda violation, count: _forget_rows(parts, violation, count),
            lists_a_shelf=True,
        ),
        Invariant(
            name="table_as_catalog",
            text="what is current is in the price table, whole, and nothing else is",
            cure="a publish job makes the table say what the catalog says; what is lost is parsed again, or downloaded",
            find=lambda after, most: _disagreements(parts, after, most),
            repair=writing(parts.database, _reconcile),
            lists_a_shelf=True,
        ),
    ]


def _lost_rows(parts: Parts, after: str, most: int) -> list[Violation]:
    lost = sorted(name for name in parts.lake.lost_rows() if name > after)
    return [Violation(name, f"{name} is named by the log and is not there whole") for name in lost[:most]]


def _forget_rows(parts: Parts, violation: Violation, count: Count) -> bool:
    if violation.subject not in parts.lake.lost_rows():
        return False
    parts.lake.forget_lost_rows()
    parts.database.write(count)
    return True


@dataclass(frozen=True, slots=True)
class _Said:
    """What the catalog says: the current snapshots, and those that somebody is at."""

    current: set[str]
    under_way: set[str]


def _said(connection: Connection) -> _Said:
    busy = {args["file_id"] for args in recovery.live_args(connection, "publish")}
    return _Said(snapshots.current(connection), snapshots.wanted(connection) | busy)


def _disagreements(parts: Parts, after: str, most: int) -> list[Violation]:
    """What was asked before and after the look at the shelf: in between, a publish may have come to its end."""
    before = parts.database.read(_said)
    named, intact = parts.lake.named(), parts.lake.check().intact
    since = parts.database.read(_said)
    left_alone = before.under_way | since.under_way
    found = [(one, "is current and not whole in the price table") for one in (before.current & since.current) - intact]
    # What the catalog never heard of stays: that is a catalog lost or put back from an old copy, not a file given up.
    known = parts.database.read(lambda connection: underway.known_snapshots(connection, named - since.current)).keys()
    found += [(one, "is in the price table and not current") for one in (named & known) - before.current]
    wrong = sorted((one, text) for one, text in found if one > after and one not in left_alone)
    return [Violation(one, f"price list {one} {text}") for one, text in wrong[:most]]


def _reconcile(connection: Connection, subject: str) -> bool:
    if is_under_way(connection, subject):
        return False
    row = snapshots.snapshot(connection, subject)
    if row is not None and row["outcome"] and not is_publishable(Outcome(row["outcome"]), row["charges"]):
        # A newer parser finds no prices in it, so that nothing would make it whole again.
        for key in underway.pointing(connection, subject):
            if one := underway.locked(connection, key):
                point_anew(connection, one.address)
    ledger.enqueue(connection, [reconcile_job(subject, utcnow())])
    return True


def is_under_way(connection: Connection, file_id: str) -> bool:
    """Whether somebody waits for the price list, or is about to change what the price table says of it."""
    busy = any(args["file_id"] == file_id for args in recovery.live_args(connection, "publish"))
    return busy or bool(snapshots.waiting_for(connection, file_id))


def spared(parts: Parts) -> set[str]:
    """Whose objects a sweep of the shelf must spare although no log names them: they will be named, or named again."""
    said = parts.database.read(_said)
    return said.under_way | (said.current - parts.lake.check().intact)
