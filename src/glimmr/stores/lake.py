"""The price table on its shelf: four Delta tables under one root, changed one file_id at a time, all or nothing.

    <root>/charges/<aa>/<file_id>-<parser_version>.parquet   one immutable object per price list, and its log entry
    <root>/rates/…                                           the same
    <root>/files/<a>/<random>.parquet                        ≤ 16 small objects, rewritten (see `lake_rows`)
    <root>/file_hospitals/…                                  the same

A price list enters in three moves: `place` (its objects are there, nobody sees them), `replace` in rates and charges
(the log names them), `put_rows` in `files` (it is published). Every move may be repeated, by anybody, at any time.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from glimmr import events
from glimmr.errors import StorageFault
from glimmr.price_table import TABLES, schema
from glimmr.stores.lake_check import Check, check, forget_lost, lost_rows
from glimmr.stores.lake_commit import Change, Fence, View, commit, create, look
from glimmr.stores.lake_objects import LakeObjects, storage_faults
from glimmr.stores.lake_rows import Row, put_rows, read_rows
from glimmr.stores.lake_stats import add_action
from glimmr.stores.lake_sweep import leftovers
from glimmr.stores.object_store import TIMEOUT_SECONDS

LARGE = ("rates", "charges")
"""The tables with one object per price list, in the order they are published."""
_SAFE = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of one price list."""

    charges: int
    rates: int


@dataclass(frozen=True, slots=True)
class Published:
    """The addresses of the objects of every published price list, as one moment sees them.

    `charges` and `rates` map file_id to addresses. They follow the row in `files`: while a newer parser's price list is
    on its way in, both still name the older one, so that no charge ever meets a rate of another parser version.
    """

    charges: dict[str, list[str]]
    rates: dict[str, list[str]]
    files: list[str]
    file_hospitals: list[str]


class Lake:
    """The four tables under `root`, a folder or an object store's URL. One answer takes `timeout_seconds` at most."""

    def __init__(self, root: str | Path, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._objects = LakeObjects(root, timeout_seconds)
        self.root = self._objects.root

    def create(self) -> None:
        """Make the four tables where they are missing, so that outsiders can open an empty price table.

        Rows of `files` and `file_hospitals` whose objects vanished are forgotten; see `check`.
        """
        with storage_faults("the price table could not be made"):
            for table in TABLES:
                create(self._objects, table)
            forget_lost(self._objects)

    # -- writing ---------------------------------------------------------------------------------------------------

    def place(self, file_id: str, parser_version: str, folder: Path) -> Sizes:
        """Move `charges.parquet` and `rates.parquet` of a price list to their final paths; durable when this returns.

        A price list without rates has no rates.parquet. Nothing refers to the objects yet. What is there already stays
        as it is (the same snapshot and parser give the same rows), so a second call with an empty folder is fine.
        Raises StorageFault, DiskFull.
        """
        path = object_path(file_id, parser_version)
        with storage_faults(f"the price list of {file_id[:12]} could not be stored"):
            if (folder / "rates.parquet").exists():  # before charges: where charges are, the rates are too, if any
                self._objects.place(folder / "rates.parquet", "rates", path)
            if (folder / "charges.parquet").exists():
                self._objects.place(folder / "charges.parquet", "charges", path)
        return self.sizes(file_id, parser_version)

    def sizes(self, file_id: str, parser_version: str) -> Sizes:
        """Rows of a placed price list, from the Parquet footers. Raises StorageFault when it is not placed."""
        path = object_path(file_id, parser_version)
        with storage_faults(f"the price list of {file_id[:12]} (parser {parser_version}) is not on the shelf"):
            charges = self._objects.footer("charges", path).num_rows
            has_rates = self._objects.exists("rates", path)
            return Sizes(charges, self._objects.footer("rates", path).num_rows if has_rates else 0)

    def placed(self, file_id: str, parser_version: str) -> bool:
        """Whether the objects of a price list are at their final paths."""
        with storage_faults("the price table's objects could not be looked at"):
            return self._objects.exists("charges", object_path(file_id, parser_version))

    def holds(self, file_id: str, parser_version: str, expected: Sizes) -> bool:
        """Whether a price list is placed, readable, with just so many rows; by hand, one may vanish or be cut short."""
        try:
            return self.sizes(file_id, parser_version) == expected
        except StorageFault as fault:
            if isinstance(fault.__cause__, FileNotFoundError | pa.ArrowInvalid):
                return False
            raise

    def discard(self, file_id: str, parser_version: str) -> None:
        """Delete the objects of a price list that no log names, so that it can be placed anew."""
        path = object_path(file_id, parser_version)
        with storage_faults(f"the price list of {file_id[:12]} could not be discarded"):
            for table in ("charges", "rates"):  # in this order: half discarded it must not look like one without rates
                self._objects.delete(table, path)

    def replace(self, table: str, file_id: str, parser_version: str, fence: Fence) -> bool:
        """Make the placed price list all that `table` (charges, rates) names for `file_id`: one atomic commit.

        False, and no commit, when it is already just that. `fence` is asked before every commit attempt. Raises what
        `fence` raises, and StorageFault.
        """
        path = object_path(file_id, parser_version)

        def decide(view: View) -> Change | None:
            held = [active for active in view.active if active.file_id == file_id]
            old = tuple(active for active in held if active.path != path)
            named = len(old) < len(held)
            if named or (table == "rates" and not self._objects.exists(table, path)):
                return Change(remove=old) if old else None
            size_bytes = self._objects.size_bytes(table, path)
            return Change((add_action(path, size_bytes, self._objects.footer(table, path), file_id),), old)

        with storage_faults(f"{table} did not take {file_id[:12]}"):
            return commit(self._objects, table, file_id, decide, fence)

    def put_rows(self, table: str, file_id: str, rows: Sequence[Row], fence: Fence) -> bool:
        """Make `rows` all that `table` (files, file_hospitals) says of `file_id`. False when it says that already."""
        with storage_faults(f"{table} did not take {file_id[:12]}"):
            return put_rows(self._objects, table, file_id, rows, fence)

    def remove(self, file_id: str, fence: Fence) -> bool:
        """Take a file_id out of all four tables, `files` first: from then on it is not published. False: in none."""

        def decide(view: View) -> Change | None:
            held = tuple(active for active in view.active if active.file_id == file_id)
            return Change(remove=held) if held else None

        with storage_faults(f"{file_id[:12]} could not be removed from the price table"):
            changed = [put_rows(self._objects, table, file_id, (), fence) for table in ("files", "file_hospitals")]
            changed += [commit(self._objects, table, file_id, decide, fence) for table in ("charges", "rates")]
        return any(changed)

    # -- reading ---------------------------------------------------------------------------------------------------

    def file_uris(self, table: str) -> list[str]:
        """The objects of the current version of a table: what `deltalake.DeltaTable(…).file_uris()` says."""
        with storage_faults(f"the table {table} could not be read"):
            view = look(self._objects, table)
        return [self._objects.uri(table, active.path) for active in view.active] if view else []

    def rows(self, table: str) -> pa.Table:
        """All rows of `files` or `file_hospitals`, ordered by file_id."""
        with storage_faults(f"the table {table} could not be read"):
            view = look(self._objects, table)
            return read_rows(self._objects, table, view.active) if view else schema(TABLES[table]).empty_table()

    def published(self) -> Published:
        """What readers should read now; see `Published`. The objects stay readable for 24 hours after a replacement."""
        with storage_faults("the price table could not be read"):
            view = look(self._objects, "files")
            rows = read_rows(self._objects, "files", view.active).to_pylist() if view else []
            versions = {row["file_id"]: row["parser_version"] for row in rows}
            return Published(
                charges=self._addresses("charges", versions),
                rates=self._addresses("rates", versions),
                files=[self._objects.uri("files", active.path) for active in view.active] if view else [],
                file_hospitals=self.file_uris("file_hospitals"),
            )

    def probe(self) -> None:
        """Prove that the shelf takes bytes and gives them back. Raises StorageFault, DiskFull."""
        self._objects.probe()

    def missing(self) -> list[str]:
        """Those of the four tables that are not there, at the cost of a look at each. Raises StorageFault."""
        with storage_faults("the price table could not be looked at"):
            return [table for table in TABLES if not self._objects.has_log(table)]

    @property
    def is_remote(self) -> bool:
        """Whether its objects lie in a bucket."""
        return self._objects.folder is None

    def size_bytes(self, uri: str) -> int:
        """How large one of the `Published` objects is. Raises StorageFault."""
        with storage_faults(f"{uri} could not be read"):
            return self._objects.size_bytes(*self._parts(uri))

    def read_range(self, uri: str, start: int, length: int) -> bytes:
        """Some bytes of one of the `Published` objects in a bucket. Raises StorageFault."""
        with storage_faults(f"{uri} could not be read"):
            return self._objects.read_range(*self._parts(uri), start, length)

    def _parts(self, uri: str) -> tuple[str, str]:
        table, _, path = uri.removeprefix(f"{self.root}/").partition("/")
        return table, path

    def check(self, file_id: str | None = None) -> Check:
        """Which price lists are whole, log and shelf; or whether this one is."""
        with storage_faults("the price table could not be checked"):
            return check(self._objects, file_id)

    def is_published(self, file_id: str) -> bool:
        """Whether a price list is in `files`."""
        return file_id in self.rows("files")["file_id"].to_pylist()

    def named(self) -> set[str]:
        """Every file_id that the log of any table names: published, on its way in, or broken off."""
        with storage_faults("the price table could not be read"):
            views = [view for view in (look(self._objects, table) for table in LARGE) if view]
            large = {active.file_id for view in views for active in view.active if active.file_id is not None}
        return large | set(self.rows("files")["file_id"].to_pylist())

    def _addresses(self, table: str, versions: dict[str, str]) -> dict[str, list[str]]:
        view = look(self._objects, table)
        held: dict[str, list[str]] = {}
        for active in view.active if view else ():
            held.setdefault(active.file_id or "", []).append(active.path)
        found: dict[str, list[str]] = {}
        for file_id, parser_version in versions.items():
            path = object_path(file_id, parser_version)
            paths = held.get(file_id, [])
            if path not in paths and self._objects.exists(table, path):
                paths = [path]  # a newer one is on its way in
            found[file_id] = [self._objects.uri(table, one) for one in ([path] if path in paths else paths)]
        return found

    # -- keeping it clean ------------------------------------------------------------------------------------------

    def leftovers(self, older_than_seconds: float = 0, keep: Collection[str] = ()) -> list[str]:
        """What no table version of the last 24 hours names, as `<table>/<path>`: see `sweep`."""
        with storage_faults("the price table's shelf could not be looked through"):
            return list(leftovers(self._objects, older_than_seconds, keep))

    def names(self, name: str) -> bool:
        """Whether the log names an object now, given as by `leftovers`."""
        table, _, path = name.partition("/")
        with storage_faults(f"the table {table} could not be read"):
            view = look(self._objects, table)
        return view is not None and any(active.path == path for active in view.active)

    def discard_leftover(self, name: str) -> None:
        """Delete an object, named as by `leftovers`."""
        with storage_faults(f"{name} could not be deleted from the price table's shelf"):
            table, path = name.split("/", 1)
            self._objects.delete(table, path)
            events.tell(events.OBJECT_SWEPT, table=table, path=path)

    def sweep(self, older_than_seconds: float = 0, keep: Collection[str] = ()) -> list[str]:
        """Delete what no table version of the last 24 hours names; the deleted objects, as `<table>/<path>`.

        That is: objects of broken-off publishes, leftovers of killed commits, and what was replaced long ago. `keep`
        are file_ids whose placed objects a waiting job still wants. With 0 seconds nobody else may be publishing (one
        machine, folder lock held); in a fleet give hours.
        """
        swept = self.leftovers(older_than_seconds, keep)
        for name in swept:
            self.discard_leftover(name)
        return swept

    def lost_rows(self) -> list[str]:
        """The objects of `files` and `file_hospitals` that the log names and that are not there whole."""
        with storage_faults("the price table could not be checked"):
            return lost_rows(self._objects)

    def forget_lost_rows(self) -> None:
        """Take them out of the log. Whose rows they were is not known; see `check` for who is not whole any more."""
        with storage_faults("the price table could not be mended"):
            forget_lost(self._objects)


def object_path(file_id: str, parser_version: str) -> str:
    """Where, inside its table, the object of a price list lies. Not `file_id=…/`: bare DuckDB would add a column."""
    if not (_SAFE.fullmatch(file_id) and _SAFE.fullmatch(parser_version)):
        raise ValueError(f"a path cannot be made of file_id {file_id!r} and parser version {parser_version!r}")
    return f"{file_id[:2]}/{file_id}-{parser_version}.parquet"
