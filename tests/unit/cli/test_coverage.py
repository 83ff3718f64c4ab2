from datetime import datetime

from glimmr.cli.coverage import _when
from glimmr.places import PLACES


def test_the_day_the_roster_was_read_is_told_once_for_all_places_of_that_day() -> None:
    early, late = datetime.fromisoformat("2026-01-01T10:00Z"), datetime.fromisoformat("2026-01-02T10:00Z")
    told = _when({"VT": early, "NH": early, "ME": late})
    assert told == "CMS's roster was read of VT, NH (2026-01-01); ME (2026-01-02): `glimmr scan --all` reads all of it"
    assert "CO, CT and 51 more (2026-01-01)" in _when(dict.fromkeys(PLACES, early))
