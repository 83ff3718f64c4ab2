import pytest

from glimmr.cli import alerts


def test_where_nothing_ever_was_no_empty_table_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    alerts._say({"standing": [], "over": [], "undelivered": []})
    assert capsys.readouterr().out == "nothing wants a person\n"
