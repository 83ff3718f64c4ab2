"""The bytes of snapshots that GLIMMR_KEEP_BYTES does not keep leave the shelf; their rows, and their prices, stay."""

from dataclasses import dataclass

from glimmr import events
from glimmr.jobs import recovery
from glimmr.jobs.job import Tell
from glimmr.pipeline.parts import Parts, utcnow
from glimmr.stores import keeping, snapshots
from glimmr.stores.blobs import blob_key
from glimmr.stores.database import Connection

_PAGE_ROWS = 500
_YOUNG_SECONDS = 3600.0  # a download puts bytes on the shelf before it says whose they are


@dataclass(frozen=True, slots=True)
class Freed:
    """What went."""

    snapshots: int = 0
    bytes: int = 0


def free(parts: Parts, tell: Tell) -> Freed:
    """Delete what is not kept and no job wants. Raises as `Database.write`, `Blobs.delete` and `tell` do."""
    keep, after, freed = parts.settings.keep_bytes, "", Freed()
    while page := parts.database.read(lambda c, after=after: keeping.unkept(c, keep, after, _PAGE_ROWS)):
        for file_id in page:
            size_bytes = _free_one(parts, file_id)
            if size_bytes is not None:
                freed = Freed(freed.snapshots + 1, freed.bytes + size_bytes)
                events.tell(events.OBJECT_SWEPT, key=blob_key(file_id), bytes=size_bytes)
            tell(freed=freed.snapshots)
        after = page[-1]
    return freed


def _free_one(parts: Parts, file_id: str) -> int | None:
    """How many bytes it freed; None: they are young, or wanted after all.

    The object goes inside of the transaction that says so: until that ends nobody can begin to want it by its row. Who
    brings the same bytes home in this moment finds them gone, and has them brought again, uncharged.
    """
    age_seconds = parts.blobs.age_seconds(blob_key(file_id))
    if age_seconds is not None and age_seconds < _YOUNG_SECONDS:
        return None

    def work(connection: Connection) -> int | None:
        snapshots.hold(connection, file_id)
        size_bytes = keeping.unkept_bytes(connection, parts.settings.keep_bytes, file_id)
        if size_bytes is None or _has_job(connection, file_id):
            return None
        parts.blobs.delete(blob_key(file_id))
        keeping.removed(connection, file_id, utcnow())
        return size_bytes

    return parts.database.write(work)


def _has_job(connection: Connection, file_id: str) -> bool:
    """Whether a job is about to read the bytes, or their price list, which is made of them anew when it is damaged."""
    return any(
        args["file_id"] == file_id for step in ("parse", "publish") for args in recovery.live_args(connection, step)
    )
