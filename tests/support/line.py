"""Running the real program, and reading what it left: rows, digests, leftovers."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from deltalake import DeltaTable

from glimmr.query import query
from glimmr.stores.blobs import Blobs
from glimmr.stores.lake import Lake
from glimmr.world import DIGEST_COLUMNS, Server, digest
from tests.support.prefork import program

TABLES = ("charges", "rates", "files", "file_hospitals")
# The simulated servers answer in milliseconds, so an afternoon of patience fits into seconds.
HURRY = {
    "GLIMMR_PRA_DELAY_SECONDS": "0",
    "GLIMMR_SOURCES": "pra",
    "GLIMMR_HEADER_TIMEOUT_SECONDS": "5",
    "GLIMMR_STALL_SECONDS": "2",
    "GLIMMR_RETRY_SCALE": "0.005",
    "GLIMMR_MAX_ATTEMPTS": "4",
    "GLIMMR_PATIENCE_SECONDS": "20",
    "GLIMMR_MIN_FREE_BYTES": "1",
    "GLIMMR_OPS_ADDRESS": "off",  # who tests health and metrics turns it on
}


def environment(server: Server | None = None, **more: str) -> dict[str, str]:
    of_the_shell = {"COLUMNS", "LINES"}  # they would stand for a terminal's own size
    clean = {n: value for n, value in os.environ.items() if not n.startswith("GLIMMR_") and n not in of_the_shell}
    return {**clean, **HURRY, **(server.settings if server else {}), **more}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "glimmr", *map(str, words)]


def glimmr(
    *words: str | Path, env: dict[str, str], exit_code: int | None = 0, timeout_seconds: float = 300
) -> "subprocess.CompletedProcess[str]":
    """The program, to its end, without its imports. Where its start or its signals are the point: `command`."""
    return program().run(*words, env=env, exit_code=exit_code, timeout_seconds=timeout_seconds)


def summary(*words: str | Path, env: dict[str, str], exit_code: int = 0) -> dict[str, Any]:
    return json.loads(glimmr(*words, "--json", env=env, exit_code=exit_code).stdout)


def uris(data: Path, table: str) -> list[str]:
    return DeltaTable(str(data / "lake" / table)).file_uris()


def bare(data: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over the `file_uris()` of the four tables, and nothing of Glimmr's."""
    connection = duckdb.connect()
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({uris(data, table)!r})")
    return connection


def digests(data: Path | str) -> dict[str, str]:
    """The digest of every published price list, by file_id. A bucket's URL is read through Glimmr's own door."""
    columns = ", ".join(DIGEST_COLUMNS)
    text = f"SELECT file_id, {columns} FROM charges LEFT JOIN rates USING (file_id, charge_id)"
    if isinstance(data, Path):
        found = bare(data).execute(text).fetchall()
    else:
        with query(Lake(f"{data}/lake")) as table:
            found = table.sql(text).rows
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for file_id, *row in found:
        rows.setdefault(file_id, []).append(tuple(row))
    return {file_id: digest(some) for file_id, some in rows.items()}


def whole_digest(data: Path) -> str:
    """One digest of every row of the four tables: what two runs over the same files must agree on.

    When it was fetched is not a property of the prices, so `fetched_at` is left out.
    """
    connection, parts = bare(data), hashlib.sha256()
    for table in TABLES:
        hidden = "EXCLUDE (fetched_at)" if table == "files" else ""
        texts = connection.execute(f"SELECT to_json(t)::VARCHAR FROM (SELECT * {hidden} FROM {table}) AS t ORDER BY 1")
        for (text,) in texts.fetchall():
            parts.update(text.encode() + b"\n")
    return parts.hexdigest()


def leftovers(data: Path) -> list[str]:
    """Objects nobody refers to: anything in scratch, half objects in blobs, Parquet in the lake no log entry names."""
    found = [str(path) for path in (data / "scratch").rglob("*") if path.is_file()]
    for blob in (data / "blobs").rglob("*"):
        rejects = blob.parent.name == "rejects"
        if blob.is_file() and not rejects and hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name:
            found.append(str(blob))
    for table in TABLES:
        named = {Path(uri.removeprefix("file://")).resolve() for uri in uris(data, table)}
        actions = [
            json.loads(line)
            for log in (data / "lake" / table / "_delta_log").glob("*.json")
            for line in log.read_text(encoding="utf-8").splitlines()
        ]
        gone = {
            (data / "lake" / table / action["remove"]["path"]).resolve() for action in actions if "remove" in action
        }
        for path in (data / "lake" / table).rglob("*"):
            logged = "_delta_log" in path.parts
            stray = path.name.endswith(".tmp") or "#" in path.name if logged else path.resolve() not in named | gone
            if path.is_file() and stray:
                found.append(str(path))
    return found


def strays(bucket: str, scratch: Path) -> list[str]:
    """As `leftovers`, of a fleet whose store is a bucket."""
    blobs, lake = Blobs(f"{bucket}/blobs"), Lake(f"{bucket}/lake")
    keys = [found.key for found in blobs.stored() if not found.key.startswith("rejects/")]
    kept = {key: blobs.local_copy(key, scratch).read_bytes() for key in keys}
    wrong = {key for key, content in kept.items() if hashlib.sha256(content).hexdigest() != key.rpartition("/")[2]}
    return sorted(wrong | strangers(lake))


def strangers(lake: Lake) -> set[str]:
    """Objects of the lake that neither the current version nor the log's history names."""
    found: set[str] = set()
    for table in TABLES:
        delta = DeltaTable(f"{lake.root}/{table}")
        named = {uri.removeprefix(f"{lake.root}/{table}/") for uri in delta.file_uris()}
        named |= set(delta.vacuum(0, enforce_retention_duration=False))
        for one in lake._objects.list(table):
            logged = one.path.startswith("_delta_log/")
            if (".tmp" in one.path or "#" in one.path) if logged else one.path not in named:
                found.add(f"{table}/{one.path}")
    return found


def rows_of(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from pq.read_table(file).to_pylist()


def write_list(path: Path, rows: Iterable[tuple[str, str, str, str]]) -> Path:
    lines = ["name,state,ccn,url", *(f'"{name}",{state},{ccn},{url}' for name, state, ccn, url in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
