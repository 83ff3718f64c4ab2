from pathlib import Path

import pytest

from glimmr.errors import UsageError
from glimmr.pipeline.parse_step import deadline_seconds
from glimmr.settings import load


def test_an_unknown_setting_is_refused_with_the_near_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMMR_DOWNLOAD", "3")
    with pytest.raises(UsageError, match="did you mean GLIMMR_DOWNLOADS"):
        load()


def test_the_environment_wins_over_the_file_and_an_argument_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "glimmr.toml").write_text("downloads = 3\nparses = 5\n", encoding="utf-8")
    monkeypatch.setenv("GLIMMR_DOWNLOADS", "4")
    assert (load().downloads, load().parses) == (4, 5)
    assert load(downloads=6).downloads == 6


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glimmr.toml").write_text("dwnloads = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"GLIMMR_DWNLOADS in glimmr.toml; did you mean GLIMMR_DOWNLOADS"):
        load()


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "glimmr.toml").write_text("downloads: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not valid TOML"):
        load()


def test_a_file_may_be_read_for_an_hour_or_ten_minutes_a_gigabyte_and_a_place_scanned_for_half_an_hour() -> None:
    assert [deadline_seconds(gb * 10**9, load()) for gb in (0, 6, 10)] == [3600, 3600, 6000]
    assert load().scan_deadline_seconds == 1800


def test_a_schedule_is_switched_off_by_a_word_since_an_empty_variable_counts_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLIMMR_SCAN_SCHEDULE", "")
    monkeypatch.setenv("GLIMMR_PRUNE_SCHEDULE", "off")
    assert (load().scan_schedule, load().prune_schedule) == ("0 3 * * 0", "")


def test_a_value_that_cannot_be_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMMR_DOWNLOADS", "many")
    with pytest.raises(UsageError, match=r"GLIMMR_DOWNLOADS.*'many'"):
        load()


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMMR_ALLOW_ADDRESSES", "127.0.0.1, 10.0.0.0/8")
    assert load().allow_addresses == ("127.0.0.1", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATIENCE_SECONDS", "inf"),
        ("STALL_SECONDS", "nan"),
        ("CONNECT_TIMEOUT_SECONDS", "1e9"),
        ("LEASE_SECONDS", "1e23"),
        ("PARSES", "100000"),
        ("CONNECTIONS_PER_HOST", "99999999999999999999"),
        ("CHILD_MEMORY_BYTES", "99999999999999999999"),
        ("CONTACT", "jürgen@example.org"),
        ("CONTACT", "a\nb: c"),
    ],
)
def test_a_value_that_would_break_something_later_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GLIMMR_{name}", value)
    with pytest.raises(UsageError, match=f"GLIMMR_{name}"):
        load()


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMMR_DATA", "")
    monkeypatch.setenv("GLIMMR_DOWNLOADS", "")
    assert (load().data, load().downloads) == (Path("glimmr-data"), 2)


def test_a_name_like_none_of_ours_is_given_no_near_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMMR_COPUS", "1")
    with pytest.raises(UsageError, match=r"settings\.md"):
        load()
