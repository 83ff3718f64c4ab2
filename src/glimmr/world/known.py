"""What each source of a world knows of a hospital, and so which addresses can be found: a pure function of its number.

In a world that is not `partly_known` PRA and the roster know all, under the names hospitals give themselves.
"""

import re
from collections.abc import Collection

from glimmr.world.build import File, World, in_file_names
from glimmr.world.hospitals import Hospital
from glimmr.world.hpt import named
from glimmr.world.pages import linked
from glimmr.world.scripts import outcome_of

_PRESCRIBED = re.compile(r"/\d+_(.+)_standardcharges\.")
# As CMS's roster shortens them.
_SHORT = {"MEDICAL": "MED", "CENTER": "CTR", "HOSPITAL": "HOSP", "REGIONAL": "REGL", "MEMORIAL": "MEM", "ST.": "SAINT"}


def pra_lists(world: World, hospital: Hospital) -> bool:
    """Whether PRA has a record of it, with the address of its site."""
    return not world.partly_known or hospital.number % 8 != 3


def pra_files(world: World, hospital: Hospital) -> tuple[File, ...]:
    """The addresses of prices in PRA's record: all, or none."""
    return () if world.partly_known and hospital.number % 8 == 6 else world.files_of(hospital)


def in_roster(world: World, hospital: Hospital) -> bool:
    """Whether General Information has it; the others (mostly for rehabilitation and long-term care) are enrolled."""
    return not world.partly_known or hospital.number % 10 != 7


def is_enrolled(world: World, hospital: Hospital) -> bool:
    """Whether Enrollments has it: most, and everybody whom General Information lacks."""
    return hospital.number % 13 != 6 or not in_roster(world, hospital)


def is_exempt(world: World, hospital: Hospital) -> bool:
    """Whether it is one of the Department of Veterans Affairs."""
    return world.partly_known and hospital.number % 25 == 4


def roster_name(world: World, hospital: Hospital) -> str:
    """Its name on the roster: in capitals; some shortened; some that of its owner, whom nobody else calls so."""
    if not world.partly_known:
        return hospital.name
    if hospital.number % 12 == 5:
        return f"{hospital.city.upper()} HEALTHCARE AUTHORITY {hospital.number}"
    words = re.sub("['\u2019]", "", hospital.name.upper()).split()
    return " ".join(_SHORT.get(word, word) if hospital.number % 3 == 1 else word for word in words)


def findable(world: World, states: Collection[str] = ()) -> set[tuple[str, str, str]]:
    """Source, CCN and address of all that can be found by asking about states (else all), and sites named on the way.

    A location of a text, or of a file that a page links to, is the hospital that calls itself so, whoever's site it is.
    """
    ccns = {hospital.name: hospital.ccn for hospital in world.hospitals}
    sites = {site.host: site for site in world.sites}
    asked = (hospital for hospital in world.hospitals if not states or hospital.state in states)
    listed = [hospital for hospital in asked if pra_lists(world, hospital)]
    by_pra = {("pra", one.ccn, file.url) for one in listed for file in pra_files(world, one)}
    texts = (named(world, sites[one.host]) for one in listed)
    by_text = {("cms_hpt", ccns[location], url) for text in texts for location, url in text}
    by_name = {in_file_names(hospital): hospital for hospital in world.hospitals}
    of_pages = ((one, file) for one in listed for file in linked(world, one) if _begins(file))
    by_page = {("page", ccns[name], file.url) for one, file in of_pages for name in _whose(file, one, by_name)}
    return by_pra | by_text | by_page


def _begins(file: File) -> bool:
    """Whether its server gives the beginning at least."""
    return outcome_of(file.script)[0] in ("ok", "incomplete")


def _whose(file: File, at_home: Hospital, by_name: dict[str, Hospital]) -> list[str]:
    """Whom a file means by its header, else by its own name, else by the site that links to it."""
    if file.shows_header:
        return [name for name, _ in file.content.publisher.places]
    named = _PRESCRIBED.search(file.url)
    return [by_name[named[1]].name if named else at_home.name]
