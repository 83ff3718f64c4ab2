import os
from pathlib import Path
from typing import Any

import pytest

from glimmr.errors import UsageError
from glimmr.model import Found, Skipped
from glimmr.scan.sources.listing import Listing, check_list


class _NoWeb:
    """A list needs no web."""

    def ask(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    def pause(self, seconds: float) -> None:
        raise AssertionError


NO_WEB = _NoWeb()


def _find(tmp_path: Path, text: str | bytes) -> list[Found | Skipped]:
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(Listing().find(str(path), NO_WEB))


def test_a_row_becomes_a_hospital_and_its_address(tmp_path: Path) -> None:
    (found,) = _find(tmp_path, "name,state,ccn,url\nSt. Mary,VT,470001,https://a.example/x.csv\n")
    assert isinstance(found, Found)
    assert (found.hospital.hospital_id, found.hospital.state, found.url) == ("470001", "VT", "https://a.example/x.csv")


def test_a_leading_zero_lost_in_a_spreadsheet_is_put_back(tmp_path: Path) -> None:
    (found,) = _find(tmp_path, "name,state,ccn,url\nA,AL,10001,https://a.example/x\n")
    assert isinstance(found, Found)
    assert found.hospital.ccn == "010001"


def test_a_hospital_without_ccn_has_the_same_id_in_every_scan(tmp_path: Path) -> None:
    text = "name,state,ccn,url\nClinic  One,Puerto Rico,,https://a.example/x\nclinic one,PR,,https://a.example/y\n"
    first, second = _find(tmp_path, text)
    assert isinstance(first, Found)
    assert isinstance(second, Found)
    assert first.hospital.ccn is None
    assert first.hospital.hospital_id == second.hospital.hospital_id
    assert first.hospital.state == "PR"


@pytest.mark.parametrize(
    "header", ["Facility Name;ST;Facility ID;MRF-URL", "HOSPITAL\tState\tProvider Number\tLink", "﻿name|state|ccn|url"]
)
def test_common_names_of_columns_and_delimiters_are_accepted(tmp_path: Path, header: str) -> None:
    delimiter = next(c for c in ";\t|" if c in header)
    (found,) = _find(tmp_path, f"{header}\n{delimiter.join(['A', 'VT', '470001', 'https://a.example/x'])}\n")
    assert isinstance(found, Found)
    assert found.hospital.ccn == "470001"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",VT,470001,https://a.example/x", "no hospital name"),
        ("n/a,VT,470001,https://a.example/x", "no hospital name"),
        ("A,VT,470001,", "no address"),
        ("A,VT,470001,n/a", "no address"),
        ("A,Vermnt,470001,https://a.example/x", "did you mean VT"),
    ],
)
def test_a_row_that_cannot_be_used_is_skipped_with_a_reason(tmp_path: Path, row: str, reason: str) -> None:
    (skipped,) = _find(tmp_path, f"name,state,ccn,url\n{row}\n")
    assert isinstance(skipped, Skipped)
    assert reason in skipped.reason
    assert "row 2" in skipped.record


def test_a_list_without_an_address_column_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column url.*name,state,ccn,url"):
        _find(tmp_path, "name,state,ccn\nA,VT,470001\n")


def test_a_missing_list_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.csv"):
        list(Listing().find("nowhere.csv", NO_WEB))


def test_a_list_saved_by_excel_in_windows_is_read(tmp_path: Path) -> None:
    (found,) = _find(tmp_path, "name,state,ccn,url\nHôpital,VT,470001,https://a.example/x\n".encode("cp1252"))
    assert isinstance(found, Found)
    assert found.hospital.name == "Hôpital"


@pytest.mark.parametrize("above", ["\n\n", "sep=,\n", ",,,\n", "\r\n"])
def test_blank_lines_and_excels_separator_line_above_the_header_are_passed_over(tmp_path: Path, above: str) -> None:
    (found,) = _find(tmp_path, f"{above}name,state,ccn,url\nA,VT,470001,https://a.example/x\n")
    assert isinstance(found, Found)
    assert found.url == "https://a.example/x"


@pytest.mark.parametrize("rest", ["", 'B,VT,470002,"https://a.example/y"\n'])
def test_a_missing_closing_quote_swallows_no_rows_in_silence(tmp_path: Path, rest: str) -> None:
    text = f'name,state,ccn,url\nZ,VT,470009,https://a.example/z\n"A,VT,470001,https://a.example/x\n{rest}'
    with pytest.raises(UsageError, match=r"line 3: .*closing quote"):
        _find(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<" + "name A " * 1000 + ">", "needs a first row like"),
        ("[" + "{'name': 'A'} " * 1000 + "]", "no JSON: line 1"),
    ],
)
def test_a_file_that_is_no_list_is_not_shown_whole(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as refused:
        _find(tmp_path, text)
    assert len(str(refused.value)) < 500


def test_a_pipe_is_no_list_because_it_could_not_be_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no file"):
        check_list(tmp_path / "pipe")
