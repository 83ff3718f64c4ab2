"""A snapshot's bytes handed out from the shelf, compared with their sha256 while they are copied."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from glimmr.errors import StorageFault, UsageError
from glimmr.jobs.job import Tell
from glimmr.net import redact
from glimmr.pipeline.delivery import Target
from glimmr.pipeline.in_thread import in_thread
from glimmr.sniff import HEAD_BYTES, Kind, sniff
from glimmr.stores.blobs import Blobs, fault
from glimmr.stores.database import Database
from glimmr.stores.lookup import find_snapshot


async def hand_out(database: Database, blobs: Blobs, file_id: str, to: Target | BinaryIO, tell: Tell) -> dict[str, Any]:
    """Copy the bytes of the snapshot whose id begins with `file_id`; its facts, and where they are `to` now.

    What is written to a stream can no longer be taken back when the bytes turn out to be damaged: an error says so at
    the end. Raises UsageError when there is no such snapshot or its bytes are not kept any more, StorageFault.
    """
    found = database.read(lambda connection: find_snapshot(connection, file_id))
    if not blobs.holds(found["blob_key"], found["bytes"]):
        raise _not_kept(found)
    told: dict[str, Any] = {name: found[name] for name in ("file_id", "bytes", "outcome", "reason")}
    told["url"] = redact(found["url"]) if found["url"] else None
    if isinstance(to, Target):
        path, kind = await in_thread(lambda telling: _into_place(blobs, found, to, telling), tell)
        return told | {"kind": kind, "to": str(path)}
    head = await in_thread(lambda telling: _copy(blobs, found, to.write, telling), tell)
    to.flush()
    return told | {"kind": sniff(head, found["bytes"]), "to": "-"}


def _into_place(blobs: Blobs, found: dict[str, Any], to: Target, tell: Tell) -> tuple[Path, Kind]:
    with to.growing():
        try:
            to.scratch.mkdir(exist_ok=True)
            copy = to.scratch / f"{os.getpid()}-{uuid4().hex}"
            try:
                with copy.open("xb") as file:
                    head = _copy(blobs, found, file.write, tell)
                kind = sniff(head, found["bytes"])
                return to.deliver(copy, found["file_id"], kind), kind
            finally:
                copy.unlink(missing_ok=True)
        except OSError as error:
            raise fault(error, f"could not write in {to.folder}") from error


def _copy(blobs: Blobs, found: dict[str, Any], write: Callable[[bytes], Any], tell: Tell) -> bytes:
    """Gives the first bytes, from which their kind is told."""
    digest, came, head = hashlib.sha256(), 0, b""
    for piece in blobs.pieces(found["blob_key"], found["bytes"]):
        tell(bytes=came, total=found["bytes"])
        digest.update(piece)
        head = head or piece[:HEAD_BYTES]
        write(piece)
        came += len(piece)
    if digest.hexdigest() != found["file_id"]:
        raise StorageFault(
            f"the bytes of {found['file_id']} on the shelf are damaged (their sha256 is {digest.hexdigest()}): delete"
            f" {found['blob_key']} there, and `glimmr run --refresh` brings home what its address serves now"
        )
    return head


def _not_kept(found: dict[str, Any]) -> UsageError:
    where = f" ({redact(found['url'])})" if found["url"] else ""
    return UsageError(
        f"the bytes of {found['file_id']} are not kept any more; `glimmr run --refresh` or `glimmr download URL` brings"
        f" home what its address{where} serves now, and the price table still has what was read in them"
    )
