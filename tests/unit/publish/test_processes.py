"""Publishing from several processes at once, and from processes that are killed."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from glimmr.price_table import TABLES
from glimmr.query import query
from glimmr.stores.lake import Lake
from tests.support.line import strangers
from tests.support.price_lists import file_id
from tests.support.publisher import price_list, publish_name

ROOT = Path(__file__).parents[3]


def start(lake: Lake, scratch: Path, *words: str) -> "subprocess.Popen[str]":
    """A publisher that has done its imports and waits for `go`."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "publisher.py"), lake.root, str(scratch), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def let_go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


OURS = """
    SELECT file_id, (SELECT count(*) FROM charges AS c WHERE c.file_id = f.file_id),
           (SELECT count(*) FROM rates AS r WHERE r.file_id = f.file_id),
           (SELECT sum(negotiated_dollar)::BIGINT FROM rates AS r WHERE r.file_id = f.file_id)
    FROM files AS f JOIN file_hospitals USING (file_id)
"""


def rows(lake: Lake) -> dict[str, tuple[int, int, int]]:
    """By file_id, as an outsider sees them: charges, rates, and the sum of negotiated dollars."""
    if lake.is_remote:  # bare DuckDB cannot look into a bucket
        with query(lake) as table:
            return {row[0]: row[1:] for row in table.sql(OURS).rows}
    with duckdb.connect() as connection:
        uris = {table: DeltaTable(f"{lake.root}/{table}").file_uris() for table in TABLES}
        found = connection.execute(
            """
            SELECT file_id, (SELECT count(*) FROM read_parquet($charges) AS c WHERE c.file_id = f.file_id),
                   (SELECT count(*) FROM read_parquet($rates) AS r WHERE r.file_id = f.file_id),
                   (SELECT sum(negotiated_dollar)::BIGINT FROM read_parquet($rates) AS r WHERE r.file_id = f.file_id)
            FROM read_parquet($files) AS f JOIN read_parquet($file_hospitals) USING (file_id)
            """,
            uris,
        ).fetchall()
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row[1:] for row in found}


def truth(*names: str) -> dict[str, tuple[int, int, int]]:
    lists = {file_id(name): price_list(name) for name in names}
    return {
        of: (len(charges), sum(len(c["_rates"]) for c in charges),
             int(sum(r["negotiated_dollar"] for c in charges for r in c["_rates"])))
        for of, charges in lists.items()
    }  # fmt: skip


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    where = getattr(request, "param", "folder")
    return Lake(f"{request.getfixturevalue('bucket')}/lake" if where == "bucket" else tmp_path / "lake")


@pytest.mark.parametrize("lake", ["folder", "bucket"], indirect=True)
def test_two_processes_publishing_at_once_end_right(lake: Lake, tmp_path: Path) -> None:
    shared, own = ["s1", "s2", "s3"], {0: ["a1", "a2", "a3"], 1: ["b1", "b2", "b3"]}
    if lake.is_remote:
        shared, own = ["s1", "s2"], {0: ["a1"], 1: ["b1"]}
    publishers = [start(lake, tmp_path / str(n), *own[n], *shared) for n in own]
    for publisher in publishers:
        let_go(publisher)
    for publisher in publishers:
        publisher.communicate(timeout=60)
    assert [publisher.returncode for publisher in publishers] == [0, 0]
    assert rows(lake) == truth(*shared, *own[0], *own[1])
    lake.sweep()
    assert strangers(lake) == set()


@pytest.mark.parametrize(
    ("question", "lake"),
    [(1, "folder"), (2, "folder"), (3, "folder"), (4, "folder"), (3, "bucket")],
    indirect=["lake"],
)
def test_one_killed_between_two_commits_is_completed_by_the_next(lake: Lake, tmp_path: Path, question: int) -> None:
    publish_name(lake, tmp_path, "before", lambda: None)
    killed = start(lake, tmp_path, "victim", f"die={question}")
    let_go(killed)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    lake.sweep(keep={file_id("victim")})
    assert rows(lake) == truth("before")
    publish_name(lake, tmp_path, "victim", lambda: None)
    lake.sweep()
    assert rows(lake) == truth("before", "victim")
    assert strangers(lake) == set()


@pytest.mark.parametrize(
    ("seed", "lake"),
    [
        (0, "folder"),
        (1, "folder"),
        (0, "bucket"),
        *(pytest.param(seed, where, marks=pytest.mark.long) for where in ("folder", "bucket") for seed in range(2, 8)),
    ],
    indirect=["lake"],
)
def test_one_killed_at_any_moment_leaves_nothing_partial(lake: Lake, tmp_path: Path, seed: int) -> None:
    names = [f"n{number}" for number in range(6)]
    killed = start(lake, tmp_path, *names)
    timer = threading.Timer(random.Random(seed).uniform(0, 0.5), killed.kill)
    timer.start()
    let_go(killed)
    told = killed.communicate(timeout=60)[0].split()
    timer.join()
    lake.create()
    lake.sweep()
    assert strangers(lake) == set()
    for name in names:
        publish_name(lake, tmp_path, name, lambda: None)
    assert rows(lake) == truth(*names)
    assert set(told) <= set(names)
    assert lake.sweep() == []
