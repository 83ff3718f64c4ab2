"""The lake: four Delta tables, changed one file_id at a time, all or nothing."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from glimmr.errors import LeaseLost, StorageFault
from glimmr.stores import lake as lake_module
from glimmr.stores import lake_commit, lake_sweep
from glimmr.stores.lake import Lake, object_path
from glimmr.stores.lake_rows import typed
from tests.support.price_lists import charge, file_id, file_row, hospital_row, rate, write_price_list

A, B = file_id("a"), file_id("b")


def free() -> None:
    """A fence that lets everything through."""


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if getattr(request, "param", "folder") == "bucket":
        return Lake(f"{request.getfixturevalue('bucket')}/lake")
    return Lake(tmp_path / "lake")


in_both = pytest.mark.parametrize("lake", ["folder", "bucket"], indirect=True)
"""What a bucket does in its own way."""


@pytest.fixture
def place(lake: Lake, tmp_path: Path) -> Callable[..., None]:
    def place_one(of: str = A, parser_version: str = "1", rates: int = 2, charges: int = 3) -> None:
        folder = tmp_path / "scratch" / f"{of}-{parser_version}"
        lake.place(of, parser_version, write_price_list(folder, of, [charge(rates=[rate()] * rates)] * charges))

    return place_one


def version(lake: Lake, table: str) -> int:
    return DeltaTable(f"{lake.root}/{table}").version()


def objects(lake: Lake, table: str) -> set[str]:
    return {found.path for found in lake._objects.list(table) if not found.path.startswith("_delta_log/")}


def ids(lake: Lake, table: str) -> list[str]:
    return lake.rows(table)["file_id"].to_pylist()


@in_both
def test_a_placed_price_list_is_on_the_shelf_but_in_no_table(lake: Lake, place: Callable[..., None]) -> None:
    place(rates=2, charges=3)
    assert lake.placed(A, "1")
    assert lake.sizes(A, "1") == lake_module.Sizes(charges=3, rates=6)
    assert lake.file_uris("charges") == lake.file_uris("rates") == []


@in_both
def test_an_object_never_changes_once_it_is_placed(lake: Lake, tmp_path: Path) -> None:
    folder = write_price_list(tmp_path / "s", A, [charge()])
    lake.place(A, "1", folder)
    lake.replace("charges", A, "1", free)
    assert list(folder.iterdir()) == []  # a writer into the scratch folder cannot reach the object
    write_price_list(folder, A, [charge(), charge()])
    assert lake.place(A, "1", folder).charges == 1
    assert DeltaTable(f"{lake.root}/charges").to_pyarrow_table().num_rows == 1


def test_the_root_may_be_a_file_url(lake: Lake, place: Callable[..., None]) -> None:
    place()
    assert Lake(Path(lake.root).as_uri()).placed(A, "1")


@in_both
def test_replacing_twice_commits_once(lake: Lake, place: Callable[..., None]) -> None:
    place()
    assert lake.replace("charges", A, "1", free)
    before = version(lake, "charges")
    place()
    assert not lake.replace("charges", A, "1", free)
    assert version(lake, "charges") == before
    assert lake.file_uris("charges") == [f"{lake.root}/charges/{object_path(A, '1')}"]


@in_both
def test_a_newer_parser_version_takes_the_place_of_the_older_in_one_commit(
    lake: Lake, place: Callable[..., None]
) -> None:
    place(parser_version="1")
    place(parser_version="2", charges=5)
    lake.replace("charges", A, "1", free)
    before = version(lake, "charges")
    assert lake.replace("charges", A, "2", free)
    assert version(lake, "charges") == before + 1
    assert DeltaTable(f"{lake.root}/charges").to_pyarrow_table().num_rows == 5
    assert DeltaTable(f"{lake.root}/charges", version=before).to_pyarrow_table().num_rows == 3


def test_every_commit_counts_up_the_application_transaction_of_its_file(lake: Lake, place: Callable[..., None]) -> None:
    place(parser_version="1")
    place(parser_version="2")
    for parser_version in ("1", "2", "2", "1"):
        lake.replace("rates", A, parser_version, free)
    assert DeltaTable(f"{lake.root}/rates").transaction_version(f"rates/{A}") == 3
    assert DeltaTable(f"{lake.root}/rates").transaction_version(f"rates/{B}") is None


@in_both
def test_the_log_says_rows_and_bounds_so_that_readers_skip_objects(lake: Lake, tmp_path: Path) -> None:
    for of, codes in ((A, ["99213", "99215"]), (B, ["J0135"])):
        lake.place(of, "1", write_price_list(tmp_path / of, of, [charge(code) for code in codes]))
        lake.replace("charges", of, "1", free)
    table = DeltaTable(f"{lake.root}/charges")
    assert table.file_uris(file_pruning_predicate="hcpcs = '99214'") == [f"{lake.root}/charges/{object_path(A, '1')}"]
    adds = table.get_add_actions(flatten=True)
    by_path = dict(
        zip(
            adds["path"].to_pylist(),
            zip(
                *(
                    adds[c].to_pylist()
                    for c in ("num_records", "min.hcpcs", "max.hcpcs", "null_count.ms_drg", "max.charge_id")
                ),
                strict=True,
            ),
            strict=True,
        )
    )
    assert by_path == {
        object_path(A, "1"): (2, "99213", "99215", 2, 1),
        object_path(B, "1"): (1, "J0135", "J0135", 1, 0),
    }


@in_both
def test_a_price_list_without_rates_takes_old_rates_away(lake: Lake, place: Callable[..., None]) -> None:
    place(parser_version="1", rates=2)
    place(parser_version="2", rates=0)
    assert lake.sizes(A, "2").rates == 0
    lake.replace("rates", A, "1", free)
    assert lake.replace("rates", A, "2", free)
    assert lake.file_uris("rates") == []
    assert not lake.replace("rates", A, "2", free)


@in_both
def test_charges_that_were_never_placed_are_a_storage_fault(lake: Lake) -> None:
    with pytest.raises(StorageFault, match="charges did not take"):
        lake.replace("charges", A, "1", free)
    with pytest.raises(StorageFault, match="not on the shelf"):
        lake.sizes(A, "1")


def test_a_root_that_cannot_be_written_is_a_storage_fault(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file, not a folder")
    with pytest.raises(StorageFault):
        Lake(tmp_path / "lake").create()
    with pytest.raises(StorageFault):
        Lake(tmp_path / "lake").put_rows("files", A, [file_row(A, [])], free)


@in_both
def test_a_lost_lease_commits_nothing_and_leaves_nothing(lake: Lake, place: Callable[..., None]) -> None:
    def lost() -> None:
        raise LeaseLost("somebody else has it")

    lake.create()
    place()
    for change in (
        lambda: lake.replace("charges", A, "1", lost),
        lambda: lake.put_rows("files", A, [file_row(A, [])], lost),
    ):
        with pytest.raises(LeaseLost):
            change()
    assert {table: version(lake, table) for table in ("charges", "files")} == {"charges": 0, "files": 0}
    assert objects(lake, "files") == set()


@in_both
def test_who_is_overtaken_decides_again_on_the_new_version(lake: Lake) -> None:
    """Both file_ids lie in one bucket: without a second look, the faster writer's row would be lost."""
    other = A[0] + B[1:]
    calls: list[int] = []

    def overtaken() -> None:
        calls.append(1)
        if len(calls) <= 2:
            lake.put_rows("files", other, [file_row(other, [], url=f"https://h.example/{len(calls)}")], free)

    assert lake.put_rows("files", A, [file_row(A, [])], overtaken)
    assert len(calls) == 3
    assert ids(lake, "files") == sorted([A, other])
    assert len(lake.file_uris("files")) == 1
    assert lake.sweep() == []


@in_both
def test_who_loses_the_lease_while_overtaken_writes_nothing(lake: Lake) -> None:
    calls: list[int] = []

    def overtaken_then_lost() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise LeaseLost("somebody else has it")
        lake.put_rows("files", B, [file_row(B, [])], free)

    with pytest.raises(LeaseLost):
        lake.put_rows("files", A, [file_row(A, [])], overtaken_then_lost)
    assert ids(lake, "files") == [B]
    assert lake.sweep() == []


def test_two_runs_of_one_job_add_its_object_once(lake: Lake, place: Callable[..., None]) -> None:
    place()
    assert not lake.replace("charges", A, "1", lambda: None if lake.file_uris("charges") else _also(lake))
    assert len(lake.file_uris("charges")) == 1


def _also(lake: Lake) -> None:
    lake.replace("charges", A, "1", free)


def test_always_being_overtaken_ends_in_a_storage_fault(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_commit, "_ATTEMPTS", 3)
    calls: list[int] = []

    def overtaken() -> None:
        calls.append(1)
        lake.put_rows("files", B, [file_row(B, [], url=f"https://h.example/{len(calls)}")], free)

    with pytest.raises(StorageFault, match="3 attempts"):
        lake.put_rows("files", A, [file_row(A, [])], overtaken)
    lake.sweep()
    assert ids(lake, "files") == [B]
    assert len(calls) == 3


@in_both
def test_the_rows_of_a_file_are_replaced_as_a_whole(lake: Lake) -> None:
    assert lake.put_rows("file_hospitals", A, [hospital_row("470001"), hospital_row("470002")], free)
    assert lake.put_rows("file_hospitals", B, [hospital_row("330001", state="NY")], free)
    before = version(lake, "file_hospitals")
    assert not lake.put_rows("file_hospitals", A, [hospital_row("470001"), hospital_row("470002")], free)
    assert version(lake, "file_hospitals") == before
    assert lake.put_rows("file_hospitals", A, [hospital_row("470002", current=False)], free)
    rows = lake.rows("file_hospitals").to_pylist()
    assert {(row["file_id"], row["hospital_id"], row["current"]) for row in rows} == {
        (A, "470002", False),
        (B, "330001", True),
    }


_READ_ALONE = """
import sys, time
from io import BytesIO
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from glimmr.stores.lake_objects import LakeObjects

def threads():  # begun by the reading one since it has this name: a thread has its parent's until it takes its own
    names = []
    for task in Path("/proc/self/task").iterdir():
        try:
            names.append((task / "comm").read_text())
        except (FileNotFoundError, ProcessLookupError):
            pass  # ended meanwhile
    return names.count("reads\\n") - 1

pq.write_table(pa.table({"a": [1, 2, 3]}), file := BytesIO())
objects = LakeObjects(sys.argv[1])
objects.write("files", "one.parquet", file.getvalue())
Path("/proc/self/comm").write_text("reads")
assert objects.read("files", "one.parquet")["a"].to_pylist() == [1, 2, 3]
end = time.monotonic() + 10
while threads() and time.monotonic() < end:  # one of Rust's takes its own name once it runs; Arrow's never do
    time.sleep(0.01)
print(threads())
"""


def test_an_object_of_a_bucket_is_read_without_a_thread_that_needs_python_after_its_end(bucket: str) -> None:
    """One of Arrow's threads that lets go of a Python buffer while Python ends aborts the process (SIGABRT)."""
    words = [sys.executable, "-c", _READ_ALONE, f"{bucket}/lake"]
    assert subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout == "0\n"


def test_the_small_tables_stay_within_sixteen_objects(lake: Lake) -> None:
    every = [f"{number % 16:x}{file_id(str(number))[1:]}" for number in range(40)]
    for of in every:
        lake.put_rows("files", of, [file_row(of, [])], free)
    assert ids(lake, "files") == sorted(every)
    assert len(lake.file_uris("files")) == 16


def test_dates_may_be_text_and_a_time_without_zone_is_utc() -> None:
    row = typed("files", [file_row(A, [], fetched_at="2025-08-01T10:00:00")]).to_pylist()[0]
    assert row["last_updated_on"].isoformat() == "2025-07-01"
    assert row["fetched_at"].isoformat() == "2025-08-01T10:00:00+00:00"


@pytest.mark.parametrize(("wrong", "error"), [({"colour": "red"}, KeyError), ({"charges": None}, ValueError)])
def test_a_row_that_does_not_fit_the_table_is_refused(wrong: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        typed("files", [{**file_row(A, []), **wrong}])


@in_both
def test_removing_takes_a_file_out_of_all_four_tables(lake: Lake, place: Callable[..., None]) -> None:
    for of in (A, B):
        place(of)
        lake.replace("rates", of, "1", free)
        lake.replace("charges", of, "1", free)
        lake.put_rows("file_hospitals", of, [hospital_row()], free)
        lake.put_rows("files", of, [file_row(of, [])], free)
    assert lake.remove(A, free)
    assert not lake.remove(A, free)
    assert [len(lake.file_uris(table)) for table in ("charges", "rates")] == [1, 1]
    assert ids(lake, "files") == ids(lake, "file_hospitals") == [B]


@in_both
def test_readers_keep_the_old_parser_version_of_both_tables_until_the_new_one_is_published(
    lake: Lake, place: Callable[..., None]
) -> None:
    place(parser_version="1")
    place(parser_version="2")
    lake.replace("rates", A, "1", free)
    lake.replace("charges", A, "1", free)
    assert lake.published().charges == {}
    assert lake.named() == {A}
    assert not lake.is_published(A)
    lake.put_rows("files", A, [file_row(A, [], "1")], free)
    lake.replace("rates", A, "2", free)
    seen = lake.published()
    assert seen.rates == {A: [f"{lake.root}/rates/{object_path(A, '1')}"]}
    assert seen.charges == {A: [f"{lake.root}/charges/{object_path(A, '1')}"]}
    lake.sweep()
    assert lake.placed(A, "1")
    place(parser_version="2")
    lake.replace("charges", A, "2", free)
    lake.put_rows("files", A, [file_row(A, [], "2")], free)
    assert lake.published().rates == {A: [f"{lake.root}/rates/{object_path(A, '2')}"]}
    assert lake.is_published(A)


def test_a_sweep_removes_what_killed_writers_leave_and_nothing_else(lake: Lake, place: Callable[..., None]) -> None:
    place(A)
    lake.replace("charges", A, "1", free)
    place(B)  # never committed
    log = Path(lake.root) / "charges" / "_delta_log"
    (log / "_commit_0b1c.json.tmp").write_text("{")
    (log / "00000000000000000002.json#1").write_text("{")
    kept = {path.name for path in log.iterdir() if path.suffix == ".json"}
    assert lake.sweep(older_than_seconds=3600) == []
    assert set(lake.sweep()) == {
        f"charges/{object_path(B, '1')}",
        f"rates/{object_path(A, '1')}",
        f"rates/{object_path(B, '1')}",
        "charges/_delta_log/_commit_0b1c.json.tmp",
        "charges/_delta_log/00000000000000000002.json#1",
    }
    assert {path.name for path in log.iterdir()} == kept
    assert objects(lake, "charges") == {object_path(A, "1")}


@in_both
def test_a_sweep_spares_the_objects_a_waiting_job_wants(lake: Lake, place: Callable[..., None]) -> None:
    place(A)
    place(B)
    lake.sweep(keep={B})
    assert (lake.placed(A, "1"), lake.placed(B, "1")) == (False, True)


@in_both
def test_replaced_objects_go_when_their_time_is_over(
    lake: Lake, place: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for parser_version in ("1", "2"):
        place(parser_version=parser_version)
        lake.replace("charges", A, parser_version, free)
        lake.replace("rates", A, parser_version, free)
    assert lake.sweep() == []
    monkeypatch.setattr(lake_sweep, "RETENTION_HOURS", 0)
    assert set(lake.sweep()) == {f"charges/{object_path(A, '1')}", f"rates/{object_path(A, '1')}"}
    assert len(lake.file_uris("charges")) == 1


def test_a_file_published_again_after_its_removal_is_not_swept(
    lake: Lake, place: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_sweep, "RETENTION_HOURS", 0)
    place()
    lake.replace("charges", A, "1", free)
    lake.remove(A, free)
    lake.replace("charges", A, "1", free)
    lake.sweep()
    assert lake.placed(A, "1")


def test_the_log_gets_checkpoints_so_that_many_commits_stay_fast(lake: Lake) -> None:
    for number in range(60):
        lake.put_rows("files", A, [file_row(A, [], url=f"https://h.example/{number}")], free)
    log = Path(lake.root) / "files" / "_delta_log"
    assert json.loads((log / "_last_checkpoint").read_text())["version"] >= 49
    assert lake.rows("files")["url"].to_pylist() == ["https://h.example/59"]


@pytest.mark.parametrize("bad", ["../x", "1/2", "", "1 2"])
def test_a_parser_version_that_is_no_file_name_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="path"):
        object_path(A, bad)
