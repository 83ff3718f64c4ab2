"""Looks at what keeps things: database, Redis, the shelves of bytes and of prices."""

import time
from collections.abc import Callable
from typing import Any

from glimmr.stores.blobs import Blobs
from glimmr.stores.database import Database, is_migrated
from glimmr.stores.lake import Lake
from glimmr.watch.health import Seen, Status, with_status

_SLOW_SECONDS = 1.0
_CROWDED_SHARE = 0.8
_NO_SCHEMA = "start `glimmr serve`, `worker` or `run`, which makes it"


def database(database: Database) -> Seen:
    """It answers, takes writes, and has connections left."""
    answered_seconds = database.check()
    seen = Seen(observed={"kind": "sqlite" if database.is_sqlite else "postgresql", "answer_seconds": answered_seconds})
    if not is_migrated(database):
        return with_status(seen, Status.FAIL, "there is no schema in it yet", _NO_SCHEMA)
    began = time.monotonic()
    database.must_take_writes()
    seen.observed["write_seconds"] = time.monotonic() - began
    if found := database.connections():
        used, most = found
        seen.observed.update(connections=used, most_connections=most)
        if used > _CROWDED_SHARE * most:
            why = f"{used} of its {most} connections are taken"
            seen = with_status(seen, Status.WARN, why, "raise max_connections, or run fewer processes")
    if answered_seconds + seen.observed["write_seconds"] > _SLOW_SECONDS:
        seen = with_status(seen, Status.WARN, f"it took {answered_seconds:.1f} s to answer", "look at its load")
    return seen


def redis(ask: Callable[[], dict[str, Any] | None]) -> Seen:
    """It answers and is fit for messages. `ask` gives what `RedisStatus` holds."""
    told = ask()
    assert told is not None, "there is one"
    connections: list[dict[str, Any]] = list(told.pop("connections"))
    observed = {
        "role": told["role"],
        "policy": told["policy"],
        "used_bytes": told["used_bytes"],
        "most_bytes": told["most_bytes"],
        "connections": len(connections),
        "answer_seconds": told["seconds"],
    }
    if not told["answers"]:
        return Seen(Status.FAIL, told["message"] or "it does not answer", observed)
    return Seen(Status.WARN if told["message"] else Status.PASS, told["message"], observed)


def blobs(shelf: Blobs) -> Seen:
    """A probe comes and goes."""
    shelf.probe()
    return Seen()


def lake(table: Lake) -> Seen:
    """Its four tables are there, and their shelf takes a probe."""
    table.probe()
    if missing := table.missing():
        why = f"there is no table {', '.join(missing)}"
        return Seen(Status.FAIL, why, cure="`glimmr doctor --fix`, and then `glimmr worker --drain`")
    return Seen()
