"""The whole line, as a user runs it, on a simulated world whose truth is known."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from glimmr.world import PraRules, Server, World, serve_in_thread, world
from tests.support import line


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest) -> World:
    """By default so few that each kind, container, script and outcome of the mix is there."""
    return world(seed=11, n=70 if request.config.getoption("--long") else 40, mix="demo")


@pytest.fixture
def server(built: World) -> Iterator[Server]:
    with serve_in_thread(built) as running:
        yield running


def _outcomes(data: Path, env: dict[str, str]) -> dict[str, tuple[str, str]]:
    done = line.glimmr("jobs", "--data", data, "--limit", "10000", "--json", env=env)
    assert json.loads(done.stdout)
    with closing(sqlite3.connect(data / "glimmr.sqlite")) as connection:
        rows = connection.execute("SELECT url, outcome, reason FROM price_files").fetchall()
    return {url: (outcome, reason) for url, outcome, reason in rows}


def test_a_run_ends_as_the_world_knows_it_must(built: World, server: Server, tmp_path: Path) -> None:
    words = [word for state in sorted({hospital.state for hospital in built.hospitals}) for word in ("--state", state)]
    data, env = tmp_path / "data", line.environment(server)
    first = line.summary("run", *words, "--data", data, env=env)
    expected = {file.url: (file.expect.outcome, file.expect.reason) for file in built.files}
    assert _outcomes(data, env) == expected
    truth = {file.expect.sha256: file.expect for file in built.files if file.expect.outcome == "ok"}
    published = line.digests(data)  # also of what is whole of a cut file, of which the world promises nothing
    assert {file_id: published[file_id] for file_id in truth} == {one: truth[one].digest for one in truth}
    ended_incomplete = sum(file.expect.outcome == "incomplete" for file in built.files)
    assert len(published) <= len(truth) + ended_incomplete
    charges = sum(expect.charges or 0 for expect in truth.values())
    assert first["counts"]["charges"] >= charges
    assert first["ours"] is False
    assert first["success_rate"] == 1.0
    assert line.leftovers(data) == []
    _must_name_hospital_state_payer_amount_date_and_cell(data, env, built.hospitals[0].state)
    _must_open_without_glimmr(data, env)

    before = sum(entry["bytes"] for entry in server.log if entry["host"].endswith(".test"))
    assert before > 0
    requests = len(_file_requests(server))
    second = line.summary("run", *words, "--data", data, env=env)
    assert second["download"] == {"files": 0, "bytes": 0, "failed": 0}
    assert len(_file_requests(server)) == requests
    assert second["counts"] == first["counts"]


def _file_requests(server: Server) -> list[dict[str, object]]:
    return [entry for entry in server.log if not entry["host"].startswith("pts.")]


def _must_name_hospital_state_payer_amount_date_and_cell(data: Path, env: dict[str, str], state: str) -> None:
    words = ("prices", "27447", "--state", state, "--data", data)
    shown = line.glimmr(*words, "--json", "--limit", "5000", env=env)
    rows = json.loads(shown.stdout)["rows"]
    assert rows
    one = next(row for row in rows if row["kind"] == "negotiated" and row["amount"])
    assert one["state"] == state
    assert all(one[name] for name in ("hospital", "payer", "amount", "last_updated_on", "source_pos", "url"))
    nothing = line.glimmr("prices", "00000", "--data", data, env=env)
    assert "unknown code" in nothing.stdout


def _must_open_without_glimmr(data: Path, env: dict[str, str]) -> None:
    query = (
        "SELECT h.state, count(*) AS charges FROM charges JOIN file_hospitals AS h USING (file_id)"
        " GROUP BY ALL ORDER BY ALL"
    )
    ours = json.loads(line.glimmr("sql", query, "--data", data, "--json", env=env).stdout)
    assert [(row["state"], row["charges"]) for row in ours] == line.bare(data).execute(query).fetchall()
    assert ours


def test_one_failing_state_does_not_stop_the_others(built: World, tmp_path: Path) -> None:
    states = sorted({hospital.state for hospital in built.hospitals})[:3]
    with serve_in_thread(built, pra=PraRules(failing_states=frozenset({states[0]}))) as server:
        env = line.environment(server, GLIMMR_MAX_ATTEMPTS="2")
        words = [word for state in states for word in ("--state", state)]
        told = line.summary("run", *words, "--data", tmp_path / "data", "--limit", "4", env=env)
    assert [failed["place"] for failed in told["failed_scans"]] == [states[0]]
    assert told["failed_scans"][0]["reason"] == "server_error"
    assert told["scan"]["found"] > 0
    assert sum(outcome["files"] for outcome in told["outcomes"] if outcome["outcome"]) == 4


def test_a_refresh_costs_no_bytes_where_nothing_changed(built: World, server: Server, tmp_path: Path) -> None:
    data, env = tmp_path / "data", line.environment(server)
    fine = [file for file in built.files if file.script == "ok"][:5]
    listed = line.write_list(tmp_path / "list.csv", [("A", "VT", "470001", file.url) for file in fine])
    line.summary("run", "--from", listed, "--data", data, env=env)
    told = line.summary("run", "--from", listed, "--data", data, "--refresh", env=env)
    assert told["download"]["bytes"] == 0
    assert {outcome["outcome"] for outcome in told["outcomes"]} == {"unchanged"}
    assert line.bare(data).execute("SELECT count(*) FROM files").fetchone() == (len({f.expect.sha256 for f in fine}),)


def test_a_dry_run_writes_nothing(built: World, server: Server, tmp_path: Path) -> None:
    state = built.hospitals[0].state
    done = line.glimmr(
        "run", "--state", state, "--dry-run", "--json", "--data", tmp_path / "d", env=line.environment(server)
    )
    assert {row["state"] for row in json.loads(done.stdout)} == {state}
    assert not (tmp_path / "d").exists()


def test_without_a_source_the_run_says_what_to_do(tmp_path: Path) -> None:
    done = line.glimmr("run", "--data", tmp_path / "d", env=line.environment(), exit_code=2)
    assert "--from list.csv" in done.stderr
    assert not (tmp_path / "d").exists()
