"""Whom a site means that lists hospitals of several states, on real databases."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from glimmr.model import Hospital, Listed, Pointer
from glimmr.pipeline.meant import meant
from glimmr.pipeline.scan_step import remember
from glimmr.scan import Scanned
from glimmr.stores.database import Database
from tests.support.audit import rows

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "group.example"


def hospital(ccn: str, name: str, state: str, website: str | None = None) -> Hospital:
    return Hospital(hospital_id=ccn, ccn=ccn, name=name, state=state, website=website)


OURS = hospital("470001", "ST ELSEWHERE MEDICAL CENTER", "VT", website=f"https://{SITE}/")
NEIGHBOUR = hospital("470002", "QUIET VALLEY HOSPITAL", "VT")
FAR = hospital("450001", "LAREDO HILLS MEML HOSP", "TX")
TWINS = [hospital("450002", "GRACE HARBOR HOSPITAL", "TX"), hospital("050002", "GRACE HARBOR HOSPITAL", "CA")]
OTHERS = [hospital(f"33000{at}", f"{word} MEDICAL CENTER", "NY") for at, word in enumerate(("ASH", "ELM", "OAK"))]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    known = [Listed(hospital=one, source="cms_roster") for one in (OURS, NEIGHBOUR, FAR, *TWINS, *OTHERS)]
    made.write(lambda connection: remember(connection, "cms_roster", "all", Scanned(listed=tuple(known)), NOW))
    yield made
    made.close()


def means(database: Database, *names: str) -> list[tuple[str, str]]:
    """Whom these locations of the site's text mean, and by what."""
    pointers = tuple(
        Pointer(location_name=name, url="http://f.test/a.csv", domain=SITE, hpt_url="h", place="1") for name in names
    )
    said = database.read(lambda connection: meant(connection, SITE, Scanned(pointers=pointers)))
    return [(one.hospital.hospital_id, one.method) for one in said]


def test_a_text_that_lists_hospitals_of_several_states_means_each_where_it_is(database: Database) -> None:
    names = ("St. Elsewhere Medical Center", "Quiet Valley Hospital", "Laredo Hills Memorial Hospital")
    assert means(database, *names) == [("470001", "domain+name"), ("470002", "name+state"), ("450001", "name")]


@pytest.mark.parametrize("name", ["Grace Harbor Hospital", "Laredo Hills Clinic", "Pine"])
def test_in_another_state_only_a_name_is_believed_that_is_the_same_and_nobody_elses(
    database: Database, name: str
) -> None:
    ((key, method),) = means(database, name)
    assert (key[0], method) == ("x", "source")


def test_a_name_of_nothing_but_common_words_is_found_in_another_state(database: Database) -> None:
    saints = [hospital(f"51{at:04}", f"ST ITA MEDICAL CENTER {at}", "WV") for at in range(100)]
    saints += [hospital(f"52{at:04}", f"MARSH CLINIC {at % 9}", "WI") for at in range(70 * 9)]
    listed = Scanned(listed=tuple(Listed(hospital=one, source="cms_roster") for one in saints))
    database.write(lambda connection: remember(connection, "cms_roster", "all", listed, NOW))
    assert means(database, "St. Ita Medical Center 4") == [("510004", "name")]


def test_who_had_no_words_yet_has_them_when_a_source_lists_it_again(database: Database) -> None:
    database.write(lambda connection: connection.exec_driver_sql("DELETE FROM hospital_words"))
    again = Scanned(listed=(Listed(hospital=FAR, source="cms_roster"),))
    database.write(lambda connection: remember(connection, "cms_roster", "all", again, NOW))
    words = rows(database, "SELECT word, hospital_id FROM hospital_words ORDER BY word")
    assert [(row["word"], row["hospital_id"]) for row in words] == [
        (word, "450001") for word in ("hills", "hospital", "laredo", "memorial")
    ]
