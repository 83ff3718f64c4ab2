import json
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glimmr import app
from glimmr.cli import ask, show
from glimmr.cli.options import one_of
from glimmr.errors import UsageError
from glimmr.settings import Settings
from tests.support import line


def test_a_name_with_a_new_line_cannot_forge_a_line() -> None:
    assert show.clean("General\nok: Other Hospital") == "General\\x0aok: Other Hospital"


@pytest.mark.parametrize("code", [0x00, 0x1B, 0x7F, 0x9B, 0x2028, 0x202A, 0x202E, 0x2066, 0x2069])
def test_what_steers_a_terminal_or_turns_text_around_is_escaped(code: int) -> None:
    assert show.clean(f"a{chr(code)}b") in {f"a\\x{code:02x}b", f"a\\u{code:04x}b"}
    assert chr(code) not in show.json_text({chr(code): chr(code)})
    assert json.loads(show.json_text([chr(code)])) == [chr(code)]


def test_letters_of_any_script_stay_as_they_are() -> None:
    text = "Hôpital مستشفى 病院 ·\t$"
    assert show.clean(text) == text
    assert text.replace("\t", "\\t") in show.json_text(text)


def test_floats_that_json_has_no_number_for_are_text() -> None:
    told = show.json_text({"rows": [(float("inf"), -float("inf"), float("nan"), 1.5)]})
    assert json.loads(told, parse_constant=pytest.fail) == {"rows": [["inf", "-inf", "nan", 1.5]]}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"half": "\ud800", "number": float("nan")}, {"half": "\ud800", "number": "nan"}),
        ({"number": float("inf"), "money": Decimal("1E+2")}, {"number": None, "money": "1E+2"}),
        ({"big": 2**70, 1: Path("/a")}, {"big": 2**70, "1": "/a"}),
        ({"steers": "\x1b\x7f\x9b\u202e\n"}, {"steers": "\x1b\x7f\x9b\u202e\n"}),
    ],
)
def test_a_line_of_the_log_is_json_whatever_it_has_to_say(value: Any, read: Any) -> None:
    told = show.one_line_json(value)
    assert json.loads(told, parse_constant=pytest.fail) == read
    assert len(told.splitlines()) == 1
    assert not set(told) & {"\x1b", "\x7f", "\x9b", "\u202e"}


def test_further_lines_of_a_message_are_indented_so_that_none_passes_for_ours() -> None:
    assert show.clean_lines("wrong\nglimmr: all is well\x1b[2J") == "wrong\n  glimmr: all is well\\x1b[2J"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1"])
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_marked_in_csv(text: str) -> None:
    assert ask._csv_cell(text, terminal=False) == f"'{text}"


@pytest.mark.parametrize("value", [-5, -1.5, None, "MS-DRG", "a=b", ["=1"]])
def test_numbers_and_plain_text_stay_as_they_are_in_csv(value: object) -> None:
    assert ask._csv_cell(value, terminal=False) == value


def test_an_escape_goes_raw_into_a_file_and_escaped_onto_a_terminal() -> None:
    assert ask._csv_cell("a\x1b[2J", terminal=False) == "a\x1b[2J"
    assert ask._csv_cell("a\x1b[2J", terminal=True) == "a\\x1b[2J"


def test_an_unknown_value_of_an_option_is_named_with_the_near_miss() -> None:
    one_of("--state", None, ("dead", "done"))
    one_of("--state", "dead", ("dead", "done"))
    with pytest.raises(UsageError, match=r"--state ded: .*did you mean dead"):
        one_of("--state", "ded", ("dead", "done"))
    with pytest.raises(UsageError, match="one of dead, done"):
        one_of("--state", "xyz", ("dead", "done"))


_TROUBLED = {"outcome": "gone", "hospital": "General", "place": "VT", "next_try_at": None, "url": "http://h.test/a"}


def test_troubled_files_are_counted_where_not_all_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    file = _TROUBLED | {"message": ""}
    show.troubled([file] * 3, 2)
    told = capsys.readouterr().out
    assert told.count("gone: General, VT\n    http://h.test/a: nothing is at this address any more") == 2
    assert "… and 1 more: `glimmr status`" in told
    show.troubled([file] * 3)
    assert capsys.readouterr().out.count("gone: General, VT") == 3


def test_the_address_of_a_troubled_file_is_told_once_whether_its_message_has_it_or_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for message in ("http://h.test/a: a web page", "a web page"):
        show.troubled([_TROUBLED | {"message": message}])
        assert "\n    http://h.test/a: a web page\n" in capsys.readouterr().out


def test_an_endless_address_does_not_fill_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    why = f"http://h.test/{'x' * 100_000}: nothing is at this address"
    show.troubled([_TROUBLED | {"message": why, "url": why}])
    show.skipped({why: 3})
    assert len(capsys.readouterr().out) < 3000


def test_more_columns_than_there_is_room_for_are_shown_one_below_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"column_{n}" for n in range(30)]
    show.as_table(columns, [[f"value {n}" for n in range(30)], [None, "", 0, *["x"] * 27]])
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == ["column_0   value 0", "column_1   value 1"]
    assert told[29:32] == ["column_29  value 29", "", "column_2   0"]
    show.as_table(columns, [])
    assert "value" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [["status"], ["sql", "FROM range(9999)", "--csv"]])
def test_a_full_disk_behind_standard_output_is_said(tmp_path: Path, words: list[str]) -> None:
    with app.working(Settings(data=tmp_path / "data", min_free_bytes=0)):
        pass
    command, env = line.command(*words, "--data", tmp_path / "data"), line.environment()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "standard output could not be written: No space left on device" in done.stderr


def test_letters_that_the_locale_has_not_come_through_a_pipe(tmp_path: Path) -> None:
    with app.working(Settings(data=tmp_path / "data", min_free_bytes=0)):
        pass
    command, env = line.command("sql", "SELECT 'ürgl'", "--data", tmp_path / "data"), line.environment()
    done = subprocess.run(command, env=env | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, "ürgl" in done.stdout.decode(), done.stderr) == (0, True, b"")


def test_help_needs_none_of_what_is_heavy() -> None:
    heavy = ("pyarrow", "duckdb", "sqlalchemy", "pycurl", "numpy", "asyncio")
    code = f"import sys, glimmr.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_only_looks_into_the_database_needs_nothing_of_the_line(tmp_path: Path) -> None:
    with app.working(Settings(data=tmp_path / "data", min_free_bytes=0)):
        pass
    heavy = ("pyarrow", "duckdb", "deltalake", "obstore", "numpy", "psutil")
    code = f"""
import sys
from glimmr.cli.main import app
from typer.testing import CliRunner
asked = ("status", "jobs", "hospitals", "find x", "hospital 470001", "coverage", "pause parse")
print([CliRunner().invoke(app, [*words.split(), "--data", sys.argv[1]]).exit_code for words in asked])
print([name for name in {heavy} if name in sys.modules])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 0, 0, 1, 1, 0, 0]\n[]\n"


def test_a_column_that_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show.as_table(("[/v2]", "[red]x"), [("[bold]a", "b")])
    told = capsys.readouterr().out
    assert all(text in told for text in ("[/v2]", "[red]x", "[bold]a"))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is taken for a terminal of 80 columns."""
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)


def _plain(drawn: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", drawn)


def test_in_80_columns_neither_an_amount_nor_a_date_is_broken(narrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    shared = {"hospital": "St. Isidore Critical Access Hospital", "state": "DC", "code": "27447", "setting": "both",
              "description": "Knee replacement", "payer": "Cignus", "plan": "Open Access Plus", "kind": "negotiated",
              "last_updated_on": date(2025, 2, 3), "member": None, "source_pos": "/sci/0/sc/0/p/0"}  # fmt: skip
    show.prices([SimpleNamespace(**shared, amount=Decimal("32809.69725"))])
    told = _plain(capsys.readouterr().out)
    assert all(text in told for text in ("32,809.69725", "2025-02-03", "negotiated", "27447"))
    assert max(len(text) for text in told.splitlines()) <= 80


def test_a_file_gets_what_a_code_means_however_narrow_the_terminal_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    facts = dict.fromkeys(
        ("hospital", "state", "code", "setting", "payer", "plan", "kind", "last_updated_on", "member")
    )
    show.prices([SimpleNamespace(**facts, description="Knee replacement", source_pos="R4", amount=Decimal(1))])
    assert "Knee replacement" in capsys.readouterr().out


def test_where_not_even_numbers_have_room_nothing_is_lost(narrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    show.as_table(("a", "b", "b"), [("1" * 60, "2" * 60, "3" * 60)], right=("a", "b"))
    told = _plain(capsys.readouterr().out)
    assert [told.count(digit) for digit in "123"] == [60, 60, 60]


def test_a_message_does_not_repeat_the_address_beside_it() -> None:
    assert show.without_address("http://h.test/a: gone", "http://h.test/a") == "gone"
    assert show.without_address("http://h.test/b: gone", "http://h.test/a") == "http://h.test/b: gone"
    assert show.without_address(None, None) == ""


def test_a_column_in_which_nothing_is_said_is_left_out() -> None:
    assert show.without_empty(("a", "b", "c"), [(1, "", 0), (2, None, 0)]) == (("a", "c"), [(1, 0), (2, 0)])
