"""cms-hpt.txt as simulated hospitals publish it: as the rule says, in some mess, elsewhere, or not at all."""

from glimmr.world.build import Site, World
from glimmr.world.http import Answer
from glimmr.world.mixes import HPT_WAYS

PATHS = ("/cms-hpt.txt", "/.well-known/cms-hpt.txt")
_HTML = "text/html; charset=utf-8"
_LOST = HPT_WAYS[-4:]
_PROSE = "Our standard charges are published at {}\nPlease call the billing office with any question.\n"


def hpt_answer(world: World, site: Site, path: str) -> Answer | None:
    """What a hospital's host answers for one of PATHS; None when nothing is there."""
    lines = _records(world, site)
    way = site.hpt
    if not lines or way in ("none", "www_only", "moved") or (way == "well_known" and path == PATHS[0]):
        return None
    if way == "error":
        return Answer(503, b"Service Unavailable")
    if way == "html":
        return Answer(200, b"<!doctype html><html><body><h1>Page not found</h1></body></html>", _HTML)
    if way == "prose":
        return Answer(200, _PROSE.format(lines[0][2][1]).encode())
    return Answer(200, _written(lines, way, site.host))


def named(world: World, site: Site) -> set[tuple[str, str]]:
    """What a hospital's own host, or where it leads, tells to who reads it rightly: location and address."""
    return set() if site.hpt in _LOST else {(record[0][1], record[2][1]) for record in _records(world, site)}


def pointers(world: World) -> set[tuple[str, str, str]]:
    """What the text files of this world tell to who reads them rightly: host of the hospital, location, address."""
    return {
        (site.hospital.host, location, url)
        for site in world.sites
        if site.hospital is not None
        for location, url in named(world, site)
    }


def _records(world: World, site: Site) -> list[list[tuple[str, str]]]:
    """One record per location and file (CMS, TXT file specification), each as its keys and values."""
    if site.hospital is None:
        return []
    return [
        [
            ("location-name", location),
            ("source-page-url", f"http://{site.host}/price-transparency"),
            ("mrf-url", file.url),
            ("contact-name", "Pat Price"),
            ("contact-email", f"prices@{site.host}"),
        ]
        for file in world.files_of(site.hospital)
        for location, _ in file.content.publisher.places
    ]


def _written(records: list[list[tuple[str, str]]], way: str, host: str) -> bytes:
    between = {"blank_lines": "\n\n", "one_line": " "}.get(way, "\n")
    written: list[str] = []
    for record in records:
        for key, value in record:
            name = key.upper().replace("-", "_") if way == "upper_case" else key
            said = value.removeprefix("http://") if way == "no_scheme" else value
            if way == "relative":
                said = value.removeprefix(f"http://{host}")
            written.append(f"{name}: {said}")
        if way != "one_line":
            written.append("")
    text = between.join(written) + ("\n" if way == "one_line" else "")
    if way == "utf16":
        return b"\xff\xfe" + text.encode("utf-16-le")
    return text.encode("utf-8-sig" if way == "bom" else "utf-8")
