"""CMS's rule for the name of a price file."""

from pathlib import Path

import pytest

from glimmr.parse import parse
from glimmr.parse.rules.file_name import check_file_name

from .rule_papers import tall


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("12-3456789_west-mercy_standardcharges.csv", True),
        ("123456789_west-mercy_StandardCharges.JSON", True),
        ("123456789-1234567890_west_mercy_standardcharges.json", True),
        ("123456789_west-mercy_standardcharges.csv.gz", True),
        ("123456789_west-mercy_standardcharges.xlsx", False),
        ("123456789_west-mercy_standard_charges.csv", False),
        ("west-mercy_standardcharges.csv", False),
        ("Reports.aspx", False),
    ],
)
def test_the_name_of_a_file(tmp_path: Path, name: str, right: bool) -> None:
    path = tmp_path / "f"
    path.write_text(tall())
    wrong = check_file_name(name, parse(path, tmp_path / "out"))
    assert (wrong is None) == right
    if wrong:
        assert (wrong.code, wrong.severity, wrong.count) == ("GL-FILE-NAME", "warning", 1)
