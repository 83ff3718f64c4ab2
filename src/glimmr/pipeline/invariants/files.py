"""Files and their jobs: a file without an end has a job that leads to one, and no job is without its file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from glimmr.jobs import ledger, recovery
from glimmr.jobs.invariant import Invariant, Violation, reading, writing
from glimmr.jobs.job import Live, NewJob
from glimmr.outcomes import Outcome
from glimmr.parse import PARSER_VERSION
from glimmr.pipeline.download_step import download_job, is_publishable, parse_job, publish_job
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.stores import underway
from glimmr.stores.database import Connection
from glimmr.stores.underway import Underway

_PAGE_ROWS = 500
Lost = Callable[[Connection, Sequence[Underway]], list[Underway]]


def of(parts: Parts) -> list[Invariant]:
    """The invariants of files and their jobs."""
    database = parts.database
    return [
        Invariant(
            name="file_on_its_way",
            text="a file that is `working` has a live job that leads to its end",
            cure="the job is put: parse or publish the bytes it gave last, or download them",
            find=reading(database, lambda c, after, most: _lost(c, "working", _without_job, after, most)),
            repair=writing(database, _put_next),
        ),
        Invariant(
            name="retry_in_ledger",
            text="a file that waits for another try has its download in the ledger",
            cure="the download is put, for the time it was promised",
            find=reading(database, lambda c, after, most: _lost(c, "waiting", _without_download, after, most)),
            repair=writing(database, _put_retry),
        ),
        Invariant(
            name="job_has_file",
            text="a live job about a file has that file's row",
            cure="the job ends as `cancelled`, reason `file_removed`; a run of it finds its lease lost",
            find=reading(database, _without_file),
            repair=writing(database, _withdraw),
        ),
        Invariant(
            name="bytes_there",
            text="the bytes a waiting file is to be read from are on the shelf, whole",
            cure="they are downloaded again",
            find=lambda after, most: _without_bytes(parts, after, most),
            repair=writing(database, lambda connection, subject: _bring_again(parts, connection, subject)),
            lists_a_shelf=True,
        ),
    ]


# -- a job for every file ----------------------------------------------------------------------------------------


def _lost(connection: Connection, state: str, lost: Lost, after: str, most: int) -> list[Violation]:
    """The first addresses in this state that `lost` says have lost their job."""
    found: list[Violation] = []
    page = underway.page(connection, state, after, _PAGE_ROWS)
    while page and len(found) < most:
        found += [_violation(one) for one in lost(connection, page)]
        page = underway.page(connection, state, page[-1].address.price_file_id, _PAGE_ROWS)
    return found[:most]


def _violation(one: Underway) -> Violation:
    key = one.address.price_file_id
    return Violation(key, f"price file {key} is `{one.state}`, and no job is left that would go on with it")


def _without_download(connection: Connection, page: Sequence[Underway]) -> list[Underway]:
    live = recovery.live_keys(connection, [download_job(one.address).key for one in page])
    return [one for one in page if download_job(one.address).key not in live]


def _without_job(connection: Connection, page: Sequence[Underway]) -> list[Underway]:
    live = recovery.live_keys(connection, [job.key for one in page for job in _ways(one)])
    lost = [one for one in page if not any(job.key in live for job in _ways(one))]
    if not lost:
        return []
    # What an older version put is read by this version's parser all the same.
    read = {args["file_id"] for args in recovery.live_args(connection, "parse")}
    return [one for one in lost if one.file_id not in read]


def _ways(one: Underway) -> list[NewJob]:
    """The jobs that lead to the end of a file."""
    key, file_id = one.address.price_file_id, one.file_id
    more = [parse_job(file_id), publish_job(file_id, key)] if file_id else []
    return [download_job(one.address), *more]


def _next(one: Underway) -> NewJob:
    """What is left to do for a file."""
    key, file_id = one.address.price_file_id, one.file_id
    if file_id is not None and one.parser_version != PARSER_VERSION:
        return parse_job(file_id)
    has_prices = one.read_as is not None and is_publishable(Outcome(one.read_as), one.charges or 0)
    if file_id is not None and has_prices and one.address.current_file_id != file_id:
        return publish_job(file_id, key)
    return download_job(one.address)


def _put_next(connection: Connection, subject: str) -> bool:
    one = underway.locked(connection, subject)
    if one is None or one.state != "working" or not _without_job(connection, [one]):
        return False
    return bool(ledger.enqueue(connection, [_next(one)]))


def _put_retry(connection: Connection, subject: str) -> bool:
    one = underway.locked(connection, subject)
    waits = one is not None and one.state == "waiting" and one.address.outcome is not None
    if one is None or not waits or not _without_download(connection, [one]):
        return False
    delay_seconds = (one.next_try_at - utcnow()).total_seconds() if one.next_try_at else 0.0
    job = replace(download_job(one.address), delay_seconds=max(0.0, delay_seconds))
    return bool(ledger.enqueue(connection, [job]))


# -- a file for every job ----------------------------------------------------------------------------------------


def _without_file(connection: Connection, after: str, most: int) -> list[Violation]:
    found: list[Violation] = []
    page = recovery.live_page(connection, after, _PAGE_ROWS)
    while page and len(found) < most:
        found += [
            Violation(job.key, f"{job.step} job {job.id} is about {gone}") for job, gone in _gone(connection, page)
        ]
        page = recovery.live_page(connection, page[-1].key, _PAGE_ROWS)
    return found[:most]


def _gone(connection: Connection, page: Iterable[Live]) -> list[tuple[Live, str]]:
    """The jobs whose address or snapshot has no row, and which."""
    about = [(job, _addresses_of(job), _snapshots_of(job)) for job in page]
    addresses = underway.known_addresses(connection, {key for _, keys, _ in about for key in keys})
    snapshots = underway.known_snapshots(connection, {key for _, _, keys in about for key in keys})
    gone = [(job, f"price file {key}") for job, keys, _ in about for key in keys if key not in addresses]
    gone += [(job, f"snapshot {key}") for job, _, keys in about for key in keys if key not in snapshots]
    return sorted({job.key: (job, f"{what}, which is not known any more") for job, what in gone}.values(), key=_by_key)


def _by_key(found: tuple[Live, str]) -> str:
    return found[0].key


def _addresses_of(job: Live) -> list[str]:
    key = job.args.get("price_file_id") if job.step in ("download", "publish") else None
    return [key] if key else []


def _snapshots_of(job: Live) -> list[str]:
    # A publish job without an address takes out of the price table what the catalog may not know any more.
    about_one = job.step == "parse" or (job.step == "publish" and job.args.get("price_file_id"))
    return [job.args["file_id"]] if about_one else []


def _withdraw(connection: Connection, subject: str) -> bool:
    job = recovery.live_job(connection, subject)
    for one, what in _gone(connection, [job] if job is not None else []):
        return ledger.withdraw(connection, one.id, reason="file_removed", message=f"it is about {what}")
    return False


# -- bytes for every file that is to be read ---------------------------------------------------------------------


def _without_bytes(parts: Parts, after: str, most: int) -> list[Violation]:
    found: list[Violation] = []
    while page := parts.database.read(lambda connection, after=after: _to_read(connection, after)):
        found += [
            Violation(one.address.price_file_id, f"the bytes {one.file_id} are not on the shelf, and are to be read")
            for one in page
            if not _holds(parts, one)
        ]
        after = page[-1].address.price_file_id
        if len(found) >= most:
            break
    return found[:most]


def _to_read(connection: Connection, after: str) -> list[Underway]:
    """The next files that are to be read from the shelf, and are not being brought home anyway."""
    while page := underway.page(connection, "working", after, _PAGE_ROWS):
        unread = [one for one in page if one.file_id is not None and one.parser_version != PARSER_VERSION]
        if wanted := _without_download(connection, unread):
            return wanted
        after = page[-1].address.price_file_id
    return []


def _holds(parts: Parts, one: Underway) -> bool:
    return one.blob_key is None or parts.blobs.holds(one.blob_key, one.bytes or 0)


def _bring_again(parts: Parts, connection: Connection, subject: str) -> bool:
    one = underway.locked(connection, subject)
    if one is None or one.state != "working" or one.file_id is None or one.parser_version == PARSER_VERSION:
        return False
    if _holds(parts, one) or not _without_download(connection, [one]):
        return False
    return bool(ledger.enqueue(connection, [download_job(one.address)]))
