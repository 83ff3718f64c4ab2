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
from glimmr.stores.lake import Lake
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


def rows(lake: Lake) -> dict[str, tuple[int, int, int]]:
    """By file_id, as an outsider sees them: charges, rates, and the sum of negotiated cents."""
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


def strangers(lake: Lake) -> set[str]:
    """Files under the lake that neither the current version nor the log's history names."""
    named: set[str] = set()
    for table in TABLES:
        delta = DeltaTable(f"{lake.root}/{table}")
        named |= {str(Path(uri)) for uri in delta.file_uris()}
        named |= {f"{lake.root}/{table}/{path}" for path in delta.vacuum(0, enforce_retention_duration=False)}
    present = {str(path) for path in Path(lake.root).rglob("*") if path.is_file() and path.parent.name != "_delta_log"}
    odd = {str(path) for path in Path(lake.root).rglob("_delta_log/*") if ".tmp" in path.name or "#" in path.name}
    return (present - named) | odd


def test_two_processes_publishing_at_once_end_right(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    shared, own = ["s1", "s2", "s3"], {0: ["a1", "a2", "a3"], 1: ["b1", "b2", "b3"]}
    publishers = [start(lake, tmp_path / str(n), *own[n], *shared) for n in own]
    for publisher in publishers:
        let_go(publisher)
    for publisher in publishers:
        publisher.communicate(timeout=60)
    assert [publisher.returncode for publisher in publishers] == [0, 0]
    assert rows(lake) == truth(*shared, *own[0], *own[1])
    lake.sweep()
    assert strangers(lake) == set()


@pytest.mark.parametrize("question", [1, 2, 3, 4])
def test_one_killed_between_two_commits_is_completed_by_the_next(tmp_path: Path, question: int) -> None:
    lake = Lake(tmp_path / "lake")
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


@pytest.mark.parametrize("seed", range(4))
def test_one_killed_at_any_moment_leaves_nothing_partial(tmp_path: Path, seed: int) -> None:
    lake = Lake(tmp_path / "lake")
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
