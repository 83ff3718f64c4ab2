"""`glimmr scan` over a small simulated world: what it finds, what it leaves, how it ends."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from glimmr.stores.folder_lock import FolderLock
from glimmr.world import File, PraRules, World, serve_in_thread, world
from glimmr.world.known import in_roster
from glimmr.world.pages import linked
from tests.support import http_server, line

# The world answers at once; its hosts speak no TLS, which is asked for first.
_AT_ONCE = {"GLIMMR_CONNECT_TIMEOUT_SECONDS": "0.1", "GLIMMR_CRAWL_DELAY_SECONDS": "0"}


def _built() -> World:
    return world(seed=3, n=4, mix="clean")


def test_a_scan_finds_what_the_sources_know_and_downloads_nothing(tmp_path: Path) -> None:
    built = _built()
    states = sorted({hospital.state for hospital in built.hospitals})
    wanted = {file.url for file in built.files}
    with serve_in_thread(built) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"))
        first = line.summary("scan", "--state", ",".join(states), env=env)
        assert first["found"] == first["new"]["addresses"] == first["waiting"]["download"] == len(wanted)
        assert not [entry for entry in server.log if entry["path"].startswith("/pricing")]
        again = line.glimmr("scan", "--state", ",".join(states), env=env)
    assert "new: 0 hospitals, 0 addresses" in again.stdout
    assert "`glimmr worker --drain` brings them home" in again.stdout


def test_a_state_that_fails_has_its_reason_and_the_others_complete(tmp_path: Path) -> None:
    built = _built()
    failing, *others = sorted({hospital.state for hospital in built.hospitals})
    known = {hospital.ccn for hospital in built.hospitals if hospital.state in others and hospital.ccn}
    with serve_in_thread(built, pra=PraRules(failing_states=frozenset({failing}))) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"), GLIMMR_MAX_ATTEMPTS="2")
        told = line.summary("scan", "--state", ",".join((failing, *others)), env=env)
        (failed,) = told["failed"]
        assert (failed["source"], failed["place"], failed["reason"]) == ("pra", failing, "server_error")
        assert (told["asked"], told["answered"]) == (1 + len(others), len(others))
        listed: Any = json.loads(line.glimmr("hospitals", "--json", env=env).stdout)
        assert {one["ccn"] for one in listed["hospitals"] if one["ccn"]} == known
        line.glimmr("scan", "--state", failing, env=env, exit_code=1)


@pytest.mark.parametrize("command", ["scan", "run"])
def test_while_a_source_is_left_alone_it_is_told_how_many_questions_wait(command: str, tmp_path: Path) -> None:
    built = _built()
    with serve_in_thread(built, pra=PraRules(requests=2)) as server:
        more = {"GLIMMR_DATA": str(tmp_path / "data"), "GLIMMR_PATIENCE_SECONDS": "0", "GLIMMR_SCANS": "1"}
        env = line.environment(server, **_AT_ONCE, **more)
        told = line.glimmr(command, "--state", "AL,AK,AZ,AR,CA,VT", env=env, exit_code=None).stdout
    assert "questions to sources have no answer yet, so this is not all: `glimmr jobs --step scan`" in told


def test_a_scan_beside_one_that_has_only_just_begun_leaves_its_questions_to_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    lock = FolderLock.take(data)
    assert lock is not None
    with lock:
        assert line.summary("scan", "--state", "VT,NH", "--data", data, env=line.environment())["put"] == 2


def test_a_domain_is_asked_for_its_own_text(tmp_path: Path) -> None:
    built = _built()
    site = built.sites[0]
    assert site.hospital is not None
    with serve_in_thread(built) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"), GLIMMR_SOURCES="cms_hpt")
        told = line.summary("scan", "--domain", f"http://www.{site.host}/prices", env=env)
    assert (told["asked"], told["answered"]) == (1, 1)
    assert told["found"] == len(built.files_of(site.hospital))


def test_a_site_that_was_not_reached_has_not_answered_and_is_asked_by_the_next_scan(tmp_path: Path) -> None:
    built = _built()
    states = sorted({hospital.state for hospital in built.hospitals})
    words, sites = ("scan", "--state", ",".join(states)), len({hospital.host for hospital in built.hospitals})
    with serve_in_thread(built, pra=PraRules(requests=1000)) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"), GLIMMR_SOURCES="pra,cms_hpt")
        pra = urlsplit(env["GLIMMR_PRA_URL"]).hostname
        cut = env | {"GLIMMR_CONNECT_TO": f"{pra}=127.0.0.1:{server.port},*=127.0.0.1:1"}  # where nobody listens
        first = line.summary(*words, env=cut)
        assert (first["asked"], first["answered"]) == (len(states) + sites, len(states))
        assert sum(count for reason, count in first["skipped"].items() if "was not reached" in reason) == sites
        alone = line.summary("scan", "--domain", built.hospitals[0].host, env=cut, exit_code=1)
        assert (alone["asked"], alone["answered"]) == (1, 0)
        again = line.summary(*words, env=env)
        assert again["asked"] == again["answered"] == len(states) + sites
        assert line.summary(*words, env=env)["asked"] == len(states)


def test_only_the_rosters_hospitals_are_said_to_be_listed_by_cms(tmp_path: Path) -> None:
    with serve_in_thread(world(seed=3, n=59, mix="scan"), pra=PraRules(requests=1000)) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"), GLIMMR_SOURCES="pra")
        told = line.summary("scan", "--all", env=env)
    assert told["skipped"]["no price file is known"] > 0  # whose hospitals PRA lists
    assert told["listed"] == 0


def test_the_prices_of_a_hospital_that_only_its_page_leads_to_are_brought_home(tmp_path: Path) -> None:
    built = world(seed=3, n=59, mix="scan")
    own = (one for one in built.hospitals if one.number % 15 == 0 and in_roster(built, one))
    meant = next(one for one in own if (files := built.files_of(one)) and all(_is_plain(file) for file in files))
    with serve_in_thread(built, pra=PraRules(requests=1000)) as server:
        env = line.environment(server, **_AT_ONCE, GLIMMR_DATA=str(tmp_path / "data"), GLIMMR_SOURCES="cms_roster,page")
        line.glimmr("scan", "--state", meant.state, env=env)
        told = line.summary("scan", "--domain", meant.host, env=env)
        assert told["found"] == len(linked(built, meant))
        line.glimmr("worker", "--drain", env=env)
    addresses: Any = json.loads(line.glimmr("hospital", meant.ccn, "--json", env=env).stdout)["addresses"]
    assert {one["url"] for one in addresses} == {file.url for file in built.files_of(meant)}
    assert {(one["standing"], one["match_method"]) for one in addresses} == {("prices", "name+address")}
    said = " ".join(line.glimmr("find", meant.ccn, "--why", env=env).stdout.split())
    assert f"{addresses[0]['url']}: 206, a price file" in said
    assert "1 skipped: a link to no price file: pdf" in said


def _is_plain(file: File) -> bool:
    return file.script == "ok" and file.shows_header


def test_a_scan_that_is_interrupted_ends_130_and_the_next_one_goes_on(tmp_path: Path) -> None:
    rows = b"facility_id,facility_name,state\n470001,General Hospital,VT\n"
    endless = http_server.drip(http_server.head("200 OK", "Content-Length: 1000000"), rows, 0.02)
    with http_server.HttpServer({"/roster": http_server.in_turn(endless, http_server.answer(rows))}) as server:
        env = line.environment(
            GLIMMR_ALLOW_ADDRESSES="127.0.0.1",
            GLIMMR_SOURCES="cms_roster",
            GLIMMR_CMS_ROSTER_URL=server.url("/roster"),
            GLIMMR_CMS_CATALOG_URL="off",
            GLIMMR_CRAWL_DELAY_SECONDS="0",
            GLIMMR_DATA=str(tmp_path / "data"),
        )
        words = line.command("scan", "--state", "VT", "--json")
        with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) as process:
            while not server.requests:  # its arrival is the signal
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=30)
        assert process.returncode == 130
        stopped = json.loads(printed)
        assert (stopped["interrupted"], stopped["answered"], stopped["waiting"]["scan"]) == (True, 0, 1)
        assert line.summary("scan", "--state", "VT", env=env)["listed"] == 1


@pytest.mark.long
def test_the_demo_knows_who_of_the_roster_publishes_and_who_does_not(tmp_path: Path) -> None:
    env = line.environment()
    line.glimmr("demo", "--hospitals", "3", "--data", tmp_path, env=env, exit_code=None)
    states = line.summary("coverage", "--data", tmp_path, env=env)["states"]
    assert {one["state"]: one["roster"] for one in states} == {"ME": 1, "NH": 1, "VT": 1}
