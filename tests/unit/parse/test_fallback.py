"""Text of no clear kind: delimited first, then JSON, then a sentence that says that it is neither."""

import gzip
from pathlib import Path

import pytest

from .boxes import CSV, zip_of
from .papers import Read, document, item, read

PRICES = document([item("CT", gross_charge=7)])


@pytest.mark.parametrize(
    "before",
    [
        ")]}'\n",
        ")]}',\n",
        "while(1);",
        "var x = ",
        "callback(",
        "// a comment\n",
        "/* one */ ",
        "\ufeff)]}'\n",
        "\x00\x00",
    ],
)
def test_what_guards_json_is_passed_over(tmp_path: Path, before: str) -> None:
    got = read(tmp_path, before + PRICES)
    assert (got.ended, got.member.format, got.charges[0]["gross_charge"]) == (("ok", ""), "json", 7)
    assert read(tmp_path, gzip.compress((before + PRICES).encode())).ended == ("ok", "")


@pytest.mark.parametrize("before", ["Standard Charges of West Mercy\n", "Prices, 2024;\n\n", '"prices": '])
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_json_behind_a_title_is_read_when_it_is_no_delimited_text(tmp_path: Path, before: str, pack: object) -> None:
    got = read(tmp_path, pack(before + PRICES))  # type: ignore[operator]
    assert (got.ended, got.member.format, len(got.charges)) == (("ok", ""), "json", 1)


def words_told(got: Read) -> list[str]:
    values = {one.value: one.position for f in got.member.findings if f.code == "GL-JSON-BROKEN" for one in f.examples}
    return [at for value, at in values.items() if value == "words stand before the document"]


def test_a_title_before_json_is_told_even_when_the_json_is_cut(tmp_path: Path) -> None:
    text = "hello\n" + document([item(f"CT {n}", gross_charge=7) for n in range(3)])
    assert words_told(read(tmp_path / "whole", text)) == ["byte 0"]
    got = read(tmp_path / "cut", text[:-40])
    assert (got.ended, len(got.charges)) == (("incomplete", "truncated"), 2)
    assert words_told(got) == ["byte 0"]


def test_a_table_with_json_in_its_cells_stays_a_table(tmp_path: Path) -> None:
    text = CSV + '"{""a"": 1}",1,CPT,both,5,,,,,,\'{"a": 1}\'\n'
    got = read(tmp_path, zip_of(**{"a.csv": text}))
    assert (got.ended, got.report.members[0].format, len(got.charges)) == (("ok", ""), "csv", 2)


def test_what_is_neither_says_so(tmp_path: Path) -> None:
    got = read(tmp_path, 'Dear reader,\nsee {"a": 1} and\nregards\n')
    assert got.ended[0] == "no_price_table"
    assert "no JSON" in got.report.message
    assert got.member.format == "csv"


def test_letters_without_a_table_are_no_price_table(tmp_path: Path) -> None:
    assert read(tmp_path, "Prices are available on request.\n").ended[0] == "no_price_table"
