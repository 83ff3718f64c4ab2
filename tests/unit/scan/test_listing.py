import io
import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glimmr.errors import UsageError
from glimmr.model import Found, Skipped
from glimmr.scan.sources.listing import Listing, check_list
from tests.support.reference import reference


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
        ("A,VT,470001,ask at the desk", "no web address"),
        ("A,,470001,https://a.example/x", "no state"),
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


RECORD = {
    "hospital_name": "A",
    "state": "VT",
    "ccn": "470001",
    "file_url": "https://a.example/x",
    "page_url": "https://a.example/",
}
CAMEL = dict(zip(["hospitalName", "State", "facilityID", "mrfUrl", "pageURL"], RECORD.values(), strict=True))


def _parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([RECORD]),
        json.dumps([CAMEL]),
        json.dumps({"count": 1, "notes": ["of", "2026"], "data": [RECORD]}, indent=1),
        json.dumps(RECORD),
        json.dumps(RECORD) + "\n",
        json.dumps(RECORD | {"ccn": 470001, "beds": [1], "open": True, "zip": None}),
        "\ufeff" + json.dumps([RECORD]),
        _parquet(**{name: [value] for name, value in RECORD.items()}),
        _parquet(**({name: [value] for name, value in RECORD.items()} | {"ccn": [470001]})),
        _parquet(**({name: [value] for name, value in RECORD.items()} | {"ccn": [470001.0]})),
        _parquet(**({name: [value.encode()] for name, value in RECORD.items()} | {"ccn": [Decimal("470001.00")]})),
        json.dumps([RECORD]).encode("utf-16-le"),
        json.dumps(RECORD | {"facility_name": "n/a", "ccn": "n/a", "facility_id": 470001}),
        'name, state, ccn, url, page_url\n"A", "VT", "470001", "https://a.example/x", "https://a.example/"\n',
        "url,name,state,ccn,file_url,page_url\nhttp://a.example,A,VT,470001,https://a.example/x,https://a.example/",
    ],
)
def test_json_and_parquet_lists_are_read_like_csv(tmp_path: Path, text: str | bytes) -> None:
    (found,) = _find(tmp_path, text)
    assert isinstance(found, Found)
    assert (found.hospital.hospital_id, found.hospital.name, found.hospital.state) == ("470001", "A", "VT")
    assert (found.url, found.page_url) == ("https://a.example/x", "https://a.example/")


def test_json_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    lines = [json.dumps(RECORD), "", json.dumps(RECORD | {"hospital_name": None}), json.dumps({"state": "VT"})]
    found, *skipped = _find(tmp_path, "\r\n".join(lines))
    assert isinstance(found, Found)
    assert [one.record.rpartition(", ")[2] for one in skipped if isinstance(one, Skipped)] == ["row 3", "row 4"]


def test_two_lines_of_json_need_no_last_line_break(tmp_path: Path) -> None:
    assert len(_find(tmp_path, "\n".join([json.dumps(RECORD)] * 2))) == 2


def test_a_zip_code_in_any_spelling_names_the_same_hospital(tmp_path: Path) -> None:
    rows = "".join(f"A,VT,{zip_code},https://a.example/x\n" for zip_code in ("05641", "5641", "5641.0", "05641-1234"))
    found = _find(tmp_path, f"name,state,zip,url\n{rows}")
    assert {one.hospital.zip for one in found if isinstance(one, Found)} == {"05641"}
    assert len({one.hospital.hospital_id for one in found if isinstance(one, Found)}) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (json.dumps(RECORD) + "\n" + json.dumps(RECORD)[:-5] + "\n", "line 2 is no JSON"),
        (json.dumps([RECORD])[:-5], "is no JSON: line 1"),
        (json.dumps([1, 2]), "record 1 is no JSON object"),
        ("[]", "no column name, state, url"),
        (json.dumps({"error": "sorry"}), "no column name, state, url"),
        (_parquet(name=["A"], state=["VT"], url=["u"])[:-9], "no whole Parquet file"),
        (_parquet(name=["A"], state=["VT"]), "no column url"),
    ],
)
def test_a_list_that_is_broken_is_refused_with_the_place(tmp_path: Path, text: str | bytes, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        _find(tmp_path, text)
    with pytest.raises(UsageError, match=what):
        check_list(tmp_path / "list.csv")


def test_the_real_list_of_five_thousand_addresses_loads(tmp_path: Path) -> None:
    said = list(Listing().find(str(reference("price_file_urls.jsonl")), NO_WEB))
    found = [record for record in said if isinstance(record, Found)]
    skipped = Counter(record.reason for record in said if isinstance(record, Skipped))
    assert (len(said), len(found)) == (5117, 5022)
    assert skipped == {"no address": 94, "no web address": 1}  # a `blob:`, which names nothing on a server
    assert all(record.hospital.ccn and record.hospital.hospital_id == record.hospital.ccn for record in found)
