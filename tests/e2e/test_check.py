"""`glimmr validate` and `glimmr inspect` as a shell sees them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import http_server, line
from tests.support.http_server import HttpServer

_ABOVE = "hospital_name,last_updated_on,version,hospital_location,hospital_address,license_number|VT,{}\n"
_SENTENCE = (
    '"To the best of its knowledge and belief, the hospital has included all applicable standard charge information in'
    " accordance with the requirements of 45 CFR 180.50, and the information encoded is true, accurate, and complete as"
    ' of the date indicated."'
)
_GOOD = (
    _ABOVE.format(_SENTENCE) + "General,2024-07-01,2.0.0,Burlington,1 Main St,123,true\n"
    "description,code|1,code|1|type,setting,standard_charge|gross,standard_charge|discounted_cash,payer_name,plan_name,"
    "standard_charge|negotiated_dollar,standard_charge|negotiated_percentage,standard_charge|negotiated_algorithm,"
    "standard_charge|methodology,standard_charge|min,standard_charge|max,additional_generic_notes\n"
    "MRI of the brain,70551,CPT,outpatient,1000.00,500.00,Aetna,PPO,400,,,case rate,300,400,\n"
)
_BAD = _GOOD.replace("outpatient", "at\x1b[2Jhome").replace("2024-07-01", "soon").replace(",400,,,case", ",0,,,case")
_NAME = "12-3456789_general_standardcharges.csv"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / _NAME
    path.write_text(_GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text(_BAD)
    return path


def _validated(*words: str | Path, exit_code: int, **more: str) -> dict[str, Any]:
    done = line.glimmr("validate", *words, "--json", env=line.environment(**more), exit_code=exit_code)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def _codes(told: dict[str, Any]) -> list[str]:
    return [finding["code"] for member in told["members"] for finding in member["findings"]]


def test_a_file_without_errors_is_valid(good: Path) -> None:
    told = _validated(good, exit_code=0)
    assert (told["valid"], _codes(told), told["counts"]) == (True, [], {"error": 0, "warning": 0, "info": 0})
    done = line.glimmr("validate", good, env=line.environment())
    assert "no errors: nothing was found" in done.stdout
    assert "General · 2024-07-01 · tall · template 2.0.0" in done.stdout


def test_a_warning_leaves_a_file_valid(good: Path, tmp_path: Path) -> None:
    told = _validated(good.rename(tmp_path / "prices.csv"), exit_code=0)
    assert (told["valid"], _codes(told)) == (True, ["GL-FILE-NAME"])


def test_errors_come_by_weight_with_their_cells_and_rules(bad: Path) -> None:
    told = _validated(bad, exit_code=1)
    assert not told["valid"]
    assert _codes(told) == ["GL-DATE", "GL-UNKNOWN-SETTING", "GL-ZERO-AMOUNT", "GL-FILE-NAME"]
    setting = told["members"][0]["findings"][1]
    assert setting["examples"] == [{"position": "R4C4", "cell": "D4", "field": "setting", "value": "at\x1b[2Jhome"}]
    assert (setting["severity"], setting["count"]) == ("error", 1)
    assert setting["rule"]
    assert setting["source"].startswith("CMS data dictionary")


def test_what_a_person_reads_names_cells_and_cannot_steer_the_terminal(bad: Path) -> None:
    done = line.glimmr("validate", bad, env=line.environment(), exit_code=1)
    assert "D4 (R4C4)  setting = at\\x1b[2Jhome" in done.stdout
    assert "I4 (R4C9)  standard_charge|negotiated_dollar = 0" in done.stdout
    assert "errors to fix: 3 x error of 3 kinds, 1 x warning of 1 kind" in done.stdout
    assert "\x1b" not in done.stdout


def test_standard_input_has_no_name_to_check(good: Path) -> None:
    command = line.command("validate", "-", "--json")
    done = subprocess.run(command, input=good.read_bytes(), env=line.environment(), capture_output=True, check=False)
    assert done.returncode == 0
    assert _codes(json.loads(done.stdout)) == []


def test_an_address_is_brought_home_and_its_name_checked(good: Path) -> None:
    answer = http_server.answer(good.read_bytes())
    with HttpServer({f"/prices/{_NAME}": answer, "/x.csv": answer}) as server:
        right = _validated(server.url(f"/prices/{_NAME}"), exit_code=0, GLIMMR_ALLOW_ADDRESSES="127.0.0.1")
        wrong = _validated(server.url("/x.csv"), exit_code=0, GLIMMR_ALLOW_ADDRESSES="127.0.0.1")
    assert (_codes(right), _codes(wrong)) == ([], ["GL-FILE-NAME"])


@pytest.mark.parametrize(("content", "code"), [("<!doctype html><html></html>", 3), ("{}", 1), (_GOOD[:-60], 1)])
def test_what_is_no_whole_price_file_is_refused_or_wrong(tmp_path: Path, content: str, code: int) -> None:
    path = tmp_path / _NAME
    path.write_text(content)
    assert not _validated(path, exit_code=code)["valid"]
    said = line.glimmr("validate", path, env=line.environment(), exit_code=code).stdout
    assert "no errors" not in said


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    for command in ("validate", "inspect"):
        done = line.glimmr(command, "/nowhere/f.csv", env=line.environment(), exit_code=2)
        assert "there is no such file" in done.stderr


def test_inspect_shows_the_head(bad: Path) -> None:
    said = line.glimmr("inspect", bad, "--rows", "1", env=line.environment()).stdout
    for shown in (
        "csv, tall, template 2.0.0, utf-8, comma",
        "hospital_name: General",
        "15 columns (row 3): description",
    ):
        assert shown in said
    assert "error GL-DATE B2" in said
    assert "MRI of the brain · CPT 70551 · at\\x1b[2Jhome · gross_charge 1,000.00" in said


def test_inspect_tells_a_machine(bad: Path) -> None:
    told = json.loads(line.glimmr("inspect", bad, "--json", env=line.environment()).stdout)
    assert (told["kind"], len(told["rows"]), told["members"][0]["header_row"]) == ("csv", 1, 3)
    assert "charges" not in told
    assert told["members"][0]["columns"][0] == "description"


def test_inspect_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"%PDF-1.7")
    assert "a PDF document" in line.glimmr("inspect", path, env=line.environment(), exit_code=3).stdout
