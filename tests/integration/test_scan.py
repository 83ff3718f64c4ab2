"""The scan of a world in which no source knows all: it finds what can be found, whatever fails or is killed."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from glimmr import fleet
from glimmr.stores.database import Database
from glimmr.stores.folder_lock import holder
from glimmr.world import PRA_HOST, PraRules, Server, findable, serve_in_thread, world
from glimmr.world.known import is_enrolled, is_exempt
from glimmr.world.roster import npi
from tests.support import line, scanning
from tests.support.audit import rows
from tests.support.fleet import until
from tests.support.servers import PostgreSql

ROOMY = PraRules(requests=10_000)
LONG = pytest.mark.long


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serve_in_thread(world(seed=3, n=request.param, mix="scan"), pra=ROOMY) as running:
        yield running


def must_be_as_the_truth_says(database: Database, server: Server) -> None:
    built = server.world
    assert scanning.found(database) == findable(built)
    known = {row["hospital_id"]: row for row in rows(database, "SELECT * FROM hospitals")}
    assert {key: row["name"] for key, row in known.items() if "cms_roster" in row["sources"]} == scanning.named(built)
    for hospital in built.hospitals:
        row = known[hospital.ccn]
        assert row["state"] == hospital.state
        assert row["npis"] == (npi(hospital) if is_enrolled(built, hospital) else None)
        assert row["exempt_reason"] == ("veterans_affairs" if is_exempt(built, hospital) else None)
    assert len(known) == len(built.hospitals)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", [118, pytest.param(5000, marks=LONG)], indirect=True)
def test_a_scan_finds_exactly_what_can_be_found(server: Server, tmp_path: Path) -> None:
    settings = scanning.settings_of(server, tmp_path, pra_requests=ROOMY.requests)
    scanning.scan(settings)
    with closing(fleet.database(settings)) as database:
        must_be_as_the_truth_says(database, server)
        assert Counter(row["place"] for row in rows(database, "SELECT place FROM source_answers WHERE source = 'pra'"))
        assert {row["state"] for row in rows(database, "SELECT DISTINCT state FROM jobs")} == {"done"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", [118, pytest.param(5000, marks=LONG)], indirect=True)
def test_a_fleet_finds_the_same(server: Server, postgresql: PostgreSql, tmp_path: Path) -> None:
    more = {"GLIMMR_DATABASE_URL": postgresql.url(), "GLIMMR_STORE_URL": str(tmp_path / "store")}
    env = line.environment(server, GLIMMR_PRA_REQUESTS=str(ROOMY.requests), GLIMMR_SCANS="3", **more)
    running = [scanning.start(tmp_path / f"{number}", env) for number in range(2)]
    assert [process.wait(800) for process in running] == [0, 0]
    with closing(Database(more["GLIMMR_DATABASE_URL"])) as database:
        must_be_as_the_truth_says(database, server)
        assert len(rows(database, "SELECT DISTINCT worker FROM attempts")) == 2


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("server", "kills"), [(59, 2), pytest.param(1180, 12, marks=LONG)], indirect=["server"])
def test_killed_at_random_and_run_again_a_scan_remembers_the_same(server: Server, kills: int, tmp_path: Path) -> None:
    quiet, killed, chance = tmp_path / "quiet", tmp_path / "killed", random.Random(os.getpid())
    settings = scanning.settings_of(server, quiet, pra_requests=ROOMY.requests)
    scanning.scan(settings)
    usual = len(server.log)
    with closing(fleet.database(settings)) as database:
        expected = scanning.remembered(database)

    env = line.environment(server, GLIMMR_PRA_REQUESTS=str(ROOMY.requests), GLIMMR_SCANS="4")
    # Together they ask less than a whole scan has to ask, so that none ends before it is killed.
    moments = [chance.randrange(usual * 4 // 5 // kills) for _ in range(kills)]
    for requests in moments:
        process, before = scanning.start(killed, env), len(server.log)
        until(lambda process=process: holder(killed) == process.pid)
        until(lambda last=before + requests: len(server.log) >= last)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    scanning.scan(scanning.settings_of(server, killed, pra_requests=ROOMY.requests))
    with closing(fleet.database(scanning.settings_of(server, killed))) as database:
        assert scanning.remembered(database) == expected, moments


def test_a_failing_a_nameless_and_an_empty_state_each_have_their_reason_and_the_others_are_found(
    tmp_path: Path,
) -> None:
    rules = PraRules(failing_states=frozenset({"VT"}), nameless_state="NH", empty_states=frozenset({"ME"}))
    with serve_in_thread(world(seed=3, n=118, mix="scan"), pra=rules) as server:
        settings = scanning.settings_of(server, tmp_path, sources="pra", max_attempts=2, patience_seconds=1)
        scanning.scan(settings, "VT", "NH", "ME", "RI", "DC")
        with closing(fleet.database(settings)) as database:
            told = {row["place"]: row for row in rows(database, "SELECT * FROM source_answers")}
            jobs = {row["place"]: row for row in rows(database, JOBS)}
            found = scanning.found(database)
    truth = findable(server.world)
    there = {hospital.ccn for hospital in server.world.hospitals if hospital.state in ("RI", "DC")}
    assert found == {one for one in truth if one[0] == "pra" and one[1] in there}
    ended = {place: (row["outcome"], row["reason"], row["found"]) for place, row in told.items()}
    assert {place: end for place, end in ended.items() if not end[2]} == {
        "VT": ("unreachable", "server_error", 0),
        "NH": ("ok", "", 0),
        "ME": ("ok", "", 0),
    }
    assert "200 skipped: no hospital name" in jobs["NH"]["message"]
    assert jobs["ME"]["message"] == "0 addresses found"
    assert "500" in jobs["VT"]["message"]
    assert {place: job["state"] for place, job in jobs.items()} == dict.fromkeys(("NH", "ME", "RI", "DC"), "done") | {
        "VT": "dead"
    }


JOBS = "SELECT state, message, json_extract(args, '$.place') AS place FROM jobs WHERE step = 'scan'"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("states", "rules", "delay_seconds"),
    [
        (("VT", "NH", "ME", "RI", "DC", "DE", "GU"), PraRules(requests=5, window_seconds=3.0), 0.02),
        pytest.param((), PraRules(requests=40, window_seconds=18.0), 0.2, marks=LONG, id="ten times as fast"),
        pytest.param((), PraRules(), 2.0, marks=LONG, id="as fast as allowed"),
    ],
)
def test_pra_is_asked_at_its_pace_as_it_counts_itself(
    states: tuple[str, ...], rules: PraRules, delay_seconds: float, tmp_path: Path
) -> None:
    with serve_in_thread(world(seed=3, n=59, mix="scan"), pra=rules) as server:
        pace = {"pra_requests": rules.requests, "pra_window_seconds": rules.window_seconds}
        scanning.scan(
            scanning.settings_of(server, tmp_path, sources="pra", pra_delay_seconds=delay_seconds, **pace), *states
        )
        asked: list[dict[str, Any]] = [entry for entry in server.log if entry["host"] == PRA_HOST]
        assert server.pra.refused == 0
    moments = [entry["t"] for entry in asked]
    for at, moment in enumerate(moments):
        assert sum(moment <= other < moment + rules.window_seconds * 0.99 for other in moments[at:]) <= rules.requests
    searches = [entry["t"] for entry in asked if "search" in entry["path"]]
    assert len(searches) == len(states or range(59))
    # The moments are taken apart; on the way each may be late by a little, which brings two nearer together.
    assert searches[-1] - searches[0] > 0.9 * delay_seconds * (len(searches) - 1)
    assert all(later > earlier for earlier, later in pairwise(searches))


RUNS = "SELECT ended_as FROM attempts JOIN jobs ON jobs.id = job_id WHERE step = 'scan'"


def ended(tmp_path: Path, **more: Any) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """How two states of PRA's ended that were scanned one after the other, and every run of a job."""
    with serve_in_thread(world(seed=3, n=59, mix="scan"), pra=ROOMY) as server:
        settings = scanning.settings_of(server, tmp_path, sources="pra", pra_requests=ROOMY.requests, **more)
        scanning.scan(settings, "VT", "NH")
        with closing(fleet.database(settings)) as database:
            answers = rows(database, "SELECT place, outcome, reason FROM source_answers")
            runs = rows(database, RUNS)
    return {row["place"]: (row["outcome"], row["reason"]) for row in answers}, [row["ended_as"] for row in runs]


def test_a_scan_that_waits_for_longer_than_its_lease_keeps_it(tmp_path: Path) -> None:
    answers, runs = ended(tmp_path, pra_delay_seconds=2.5, lease_seconds=1.0)
    assert answers == dict.fromkeys(("VT", "NH"), ("ok", ""))
    assert runs == ["ok", "ok"]


def test_a_scan_that_takes_longer_than_it_may_is_given_up_with_its_reason(tmp_path: Path) -> None:
    answers, runs = ended(tmp_path, pra_delay_seconds=60, scan_deadline_seconds=2.0, max_attempts=1, patience_seconds=0)
    assert sorted(answers.values()) == [("ok", ""), ("unreachable", "deadline")]
    assert len(runs) == 2
