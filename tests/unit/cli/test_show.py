import json
import subprocess
import sys

import pytest

from glimmr.cli import ask, show
from glimmr.cli.options import one_of
from glimmr.errors import UsageError


def test_a_name_with_a_new_line_cannot_forge_a_line() -> None:
    assert show.clean("General\nok: Other Hospital") == "General\\x0aok: Other Hospital"


@pytest.mark.parametrize("code", [0x00, 0x1B, 0x7F, 0x9B, 0x202A, 0x202E, 0x2066, 0x2069])
def test_what_steers_a_terminal_or_turns_text_around_is_escaped(code: int) -> None:
    assert show.clean(f"a{chr(code)}b") in {f"a\\x{code:02x}b", f"a\\u{code:04x}b"}
    assert chr(code) not in show.json_text({chr(code): chr(code)})
    assert json.loads(show.json_text([chr(code)])) == [chr(code)]


def test_letters_of_any_script_stay_as_they_are() -> None:
    text = "Hôpital مستشفى 病院 ·\t$"
    assert show.clean(text) == text
    assert text.replace("\t", "\\t") in show.json_text(text)


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


def test_troubled_files_are_counted_where_not_all_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    file = {"outcome": "gone", "hospital": "General", "place": "VT", "message": "", "next_try_at": None}
    show.troubled([file] * 3, 2)
    told = capsys.readouterr().out
    assert told.count("gone: General, VT\n    nothing is at this address any more") == 2
    assert "… and 1 more: `glimmr status`" in told
    show.troubled([file] * 3)
    assert capsys.readouterr().out.count("gone: General, VT") == 3


def test_help_needs_none_of_what_is_heavy() -> None:
    heavy = ("pyarrow", "duckdb", "sqlalchemy", "pycurl", "numpy", "asyncio")
    code = f"import sys, glimmr.cli.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_column_that_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show.as_table(("[/v2]", "[red]x"), [("[bold]a", "b")])
    told = capsys.readouterr().out
    assert all(text in told for text in ("[/v2]", "[red]x", "[bold]a"))
