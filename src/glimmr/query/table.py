"""The price table as DuckDB sees it at one moment: four views, three more on top, and a door that only reads."""

import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

import duckdb

from glimmr.errors import StorageFault, UsageError
from glimmr.query.answers import Answer, Ask, answer
from glimmr.query.sources import listed, relation
from glimmr.stores.lake import Lake, Published

VIEWS = ("prices", "amounts", "charge_codes")
_BATCH_ROWS = 2048
_DAMAGED = re.compile(r"No files found|[Ff]ile '.*\.parquet'")  # somebody deleted an object, or cut it short
_MENDED = "; `glimmr doctor --fix` and then `glimmr worker --drain` make again what is missing or damaged"
_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement gave: column names, rows (maps are dicts), and whether the limit cut some off."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool


class PriceTable:
    """The published price lists as they are when this is made. Use it in one thread, and close it.

    Statements can neither write nor reach any file but the objects of the price table, nor the network. `scratch` is
    where DuckDB spills what does not fit into memory.
    """

    def __init__(self, lake: Lake, scratch: Path | None = None) -> None:
        self._published = lake.published()
        self._connection = duckdb.connect(config={"temp_directory": str(scratch or tempfile.gettempdir())})
        self._remote = _register(self._connection, lake) if lake.is_remote else None
        with self._faults():
            self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
            self._connection.execute("SET enable_progress_bar = false")
            _create_views(self._connection, self._published)
            _shut_doors(self._connection, self._published)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory and files. Doing it twice is harmless."""
        self._connection.close()

    def prices(
        self,
        *codes: str,
        state: str | None = None,
        payer: str | None = None,
        setting: str | None = None,
        limit: int = 1000,
    ) -> Answer:
        """The published prices of codes; see `answers.answer`. Raises UsageError, StorageFault."""
        ask = Ask(state=state, payer=payer, setting=setting, limit=limit)
        with self._faults(), self._connection.cursor() as connection:
            return answer(connection, self._published, codes, ask)

    def sql(self, text: str, limit: int | None = None) -> Rows:
        """Run one statement that reads. Raises UsageError when it is wrong or does anything else, StorageFault."""
        columns, batches = self.stream(text)
        rows: list[tuple[Any, ...]] = []
        for batch in batches:
            rows += batch
            if limit is not None and len(rows) > limit:
                return Rows(columns, rows[:limit], more=True)
        return Rows(columns, rows, more=False)

    def stream(self, text: str) -> tuple[tuple[str, ...], Iterator[list[tuple[Any, ...]]]]:
        """As `sql`, in batches and constant memory: column names, and an iterator of batches."""
        with self._faults():
            connection = self._connection.cursor()  # so that an answer nobody read to its end is in nobody's way
            reader: Any = connection.sql(_only_reads(connection, text)).to_arrow_reader(_BATCH_ROWS)
            return tuple(reader.schema.names), self._batches(reader)

    def _batches(self, reader: Any) -> Iterator[list[tuple[Any, ...]]]:
        with self._faults():
            for batch in reader:  # by position: two columns may have one name
                columns = [column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns]
                yield list(zip(*columns, strict=True))

    @contextmanager
    def _faults(self) -> Generator[None]:
        if self._remote is not None:
            self._remote.fault = None
        try:
            with _faults():
                yield
        except (UsageError, StorageFault):
            fault = self._remote.fault if self._remote is not None else None
            if fault is None:
                raise
            hint = _MENDED if isinstance(fault.__cause__, FileNotFoundError) else ""
            raise StorageFault(f"{fault}{hint}") from fault


def _register(connection: duckdb.DuckDBPyConnection, lake: Lake) -> Any:
    """Let DuckDB read the objects in the bucket: its `RemoteFiles`. Raises UsageError where fsspec is not installed."""
    try:
        # Slow to import, and only a fleet has it.
        from glimmr.query.remote import RemoteFiles  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError(f"to read a bucket needs what is not installed ({error.name}): glimmr[fleet]") from None
    files = RemoteFiles(lake)
    connection.register_filesystem(files)
    connection.execute("SET enable_external_file_cache = false")  # memory stays flat
    return files


def _create_views(connection: duckdb.DuckDBPyConnection, published: Published) -> None:
    tables = {
        "charges": [uri for uris in published.charges.values() for uri in uris],
        "rates": [uri for uris in published.rates.values() for uri in uris],
        "files": published.files,
        "file_hospitals": published.file_hospitals,
    }
    for table, uris in tables.items():
        connection.execute(f"CREATE VIEW {table} AS {relation(table, uris)}")
    for view in VIEWS:
        connection.execute(view_sql(view))


def view_sql(view: str) -> str:
    """The documented SQL of a view, for whoever builds it elsewhere."""
    return resources.files("glimmr.query").joinpath("views", f"{view}.sql").read_text(encoding="utf-8")


def _shut_doors(connection: duckdb.DuckDBPyConnection, published: Published) -> None:
    large = [uri for table in (published.charges, published.rates) for uris in table.values() for uri in uris]
    allowed = [*large, *published.files, *published.file_hospitals]
    for setting in (
        f"allowed_paths = {listed(allowed)}",
        "python_enable_replacements = false",
        "allow_community_extensions = false",
        "autoinstall_known_extensions = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _only_reads(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The one statement in `text`: SELECT or EXPLAIN. COPY could write over the very objects the views read."""
    statements = connection.extract_statements(text)
    if len(statements) != 1:
        raise UsageError(f"one statement at a time, please (this is {len(statements)})")
    inner = statements
    if statements[0].type == duckdb.StatementType.EXPLAIN and (prefix := _EXPLAIN.match(text)):
        inner = connection.extract_statements(text[prefix.end() :])
    kinds = [statement.type.name for statement in inner]
    if kinds == ["MULTI"]:
        raise UsageError("this is several statements in one; a PIVOT must name its values: PIVOT … ON column IN (…)")
    if kinds != ["SELECT"]:
        raise UsageError(f"only statements that read are allowed here, such as SELECT; this is {' and '.join(kinds)}")
    return statements[0].query


@contextmanager
def _faults() -> Generator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.HTTPException, duckdb.InvalidInputException) as error:
        damaged = _DAMAGED.search(str(error)) is not None
        if isinstance(error, duckdb.InvalidInputException) and not damaged:
            raise UsageError(str(error)) from error
        hint = _MENDED if damaged else ""
        raise StorageFault(f"the price table could not be read: {str(error).rstrip()}{hint}") from error
    except duckdb.PermissionException as error:
        raise UsageError(f"a statement sees the price table only, no other file and no network: {error}") from error
    except duckdb.Error as error:
        raise UsageError(str(error)) from error
