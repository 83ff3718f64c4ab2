from datetime import datetime

from glimmr.cli.coverage import _beside, _when
from glimmr.places import PLACES


def test_the_day_the_roster_was_read_is_told_once_for_all_places_of_that_day() -> None:
    early, late = datetime.fromisoformat("2026-01-01T10:00Z"), datetime.fromisoformat("2026-01-02T10:00Z")
    told = _when({"VT": early, "NH": early, "ME": late})
    assert told == "CMS's roster was read of VT, NH (2026-01-01); ME (2026-01-02): `glimmr scan --all` reads all of it"
    assert "CO, CT and 51 more (2026-01-01)" in _when(dict.fromkeys(PLACES, early))


def test_who_is_not_on_the_roster_is_told_in_a_sentence() -> None:
    assert _beside(1, 1) == "beside the roster 1 hospital is known from other sources; 1 of them has prices"
    assert _beside(1200, 0) == "beside the roster 1,200 hospitals are known from other sources; 0 of them have prices"
