"""The world as a program of its own."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

_COMMAND = [sys.executable, "-m", "glimmr.world", "--hospitals", "4", "--seed", "7", "--mix", "clean"]


@pytest.fixture
def process() -> "subprocess.Popen[str]":
    return subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_it_says_where_it_is_and_how_to_live_in_it(process: "subprocess.Popen[str]") -> None:
    with process:
        told = json.loads(process.stdout.readline())
        assert told["hospitals"] == 4
        assert told["settings"] == {
            "GLIMMR_CONNECT_TO": f"*=127.0.0.1:{told['port']}",
            "GLIMMR_ALLOW_ADDRESSES": "127.0.0.0/8",
            "GLIMMR_PRA_URL": "http://pts.patientrightsadvocatefiles.test",
            "GLIMMR_CMS_ROSTER_URL": "http://data.cms.test/provider-data/api/1/datastore/query/xubh-q36u/0",
            "GLIMMR_CMS_CATALOG_URL": "http://data.cms.test/data.json",
            "GLIMMR_SOURCES": "pra",
        }
        with urllib.request.urlopen(f"http://127.0.0.1:{told['port']}/__sim/truth", timeout=20) as reply:
            assert len(json.load(reply)) == told["files"]
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_sigterm_ends_it_although_stdin_is_open(process: "subprocess.Popen[str]") -> None:
    with process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
