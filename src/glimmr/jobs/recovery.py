"""What the rescuer asks of the ledger, and writes there: plain functions of the caller's Connection."""

from collections.abc import Collection
from typing import Any

from glimmr.jobs import statements as sql
from glimmr.jobs.job import Live
from glimmr.stores.database import Connection
from glimmr.stores.in_parts import in_parts


def silent_workers(connection: Connection, silence_seconds: float, *, after: str, most: int) -> list[str]:
    """Workers that have not beaten for so long, by name, from after that one on."""
    values = {"delay_seconds": -silence_seconds, "after": after, "most": most}
    return list(connection.execute(sql.SILENT, values).scalars())


def forget_worker(connection: Connection, worker: str, silence_seconds: float) -> bool:
    """Remove the worker's row if it has not beaten for so long; whether it had not."""
    values = {"worker": worker, "delay_seconds": -silence_seconds}
    return bool(connection.execute(sql.FORGET_SILENT, values).rowcount)


def live_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of these keys that a live job has."""
    parts = in_parts(sorted(keys))
    return {key for part in parts for key in connection.execute(sql.LIVE_KEYS, {"keys": part}).scalars()}


def live_args(connection: Connection, step: str) -> list[dict[str, Any]]:
    """The arguments of every live job of a step."""
    return list(connection.execute(sql.LIVE_ARGS, {"step": step}).scalars())


def live_page(connection: Connection, after_key: str, most: int) -> list[Live]:
    """Live jobs by their key, from after that one on."""
    return [Live(*row) for row in connection.execute(sql.LIVE_PAGE, {"after": after_key, "most": most})]


def live_job(connection: Connection, key: str) -> Live | None:
    """The live job with this key."""
    row = connection.execute(sql.LIVE_JOB, {"key": key}).one_or_none()
    return Live(*row) if row else None


def count_repair(connection: Connection, invariant: str) -> None:
    """One more breach of this invariant was repaired."""
    connection.execute(sql.COUNT_REPAIR[connection.dialect.name], {"name": invariant})


def repairs(connection: Connection) -> list[dict[str, Any]]:
    """What was repaired so far: `name, repaired, last_at`, by name."""
    if not connection.dialect.has_table(connection, "repairs"):  # written by an older version, and only looked at
        return []
    return [dict(row) for row in connection.execute(sql.REPAIRS).mappings()]
