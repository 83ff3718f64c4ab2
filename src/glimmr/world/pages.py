"""What stands on a host beside its price files: home page, price page and what it leads to, cms-hpt.txt, robots.txt."""

import json
from html import escape
from itertools import islice

from glimmr.world.build import File, Site, World
from glimmr.world.hospitals import Hospital
from glimmr.world.hpt import PATHS, hpt_answer
from glimmr.world.http import Answer

_HTML = "text/html; charset=utf-8"
_PLAN = {"reporting_entity_name": "Aetnia", "reporting_entity_type": "insurer", "in_network": [], "version": "1.0.0"}
_SHOPPABLE = b"Shoppable service,Code,Price\nMRI of the brain,70551,500.00\n"
# What else price pages lead to: path, the link's words, and what is there.
_STRAY: tuple[tuple[str, str, Answer], ...] = (
    ("/docs/standard-charges.pdf", "Standard charges (PDF)", Answer(200, b"%PDF-1.7\n", "application/pdf")),
    ("/download", "Machine-readable file, how to read it", Answer(200, b"%PDF-1.7\n", "application/pdf")),
    ("/plans/rates.json", "What health plans pay", Answer(200, json.dumps(_PLAN).encode(), "application/json")),
    ("/shoppable-services.csv", "Shoppable services", Answer(200, _SHOPPABLE, "text/csv")),
    (
        "/2021/100000000_us_standardcharges.csv",
        "Standard charges 2021",
        Answer(200, b"<!doctype html><html><body>Moved</body></html>", _HTML),
    ),
    ("/2020/100000000_us_standardcharges.csv", "Standard charges 2020", Answer(404, b"not here", "text/plain")),
)
_ANSWERS = {path: answer for path, _, answer in _STRAY}


def page(world: World, site: Site, path: str) -> Answer:
    """The page at a path of a site; 404 where there is none."""
    if path == "/robots.txt":
        return Answer(200, b"User-agent: *\nAllow: /\n")
    if site.hospital is None:
        return Answer(200, b"<html><body>File hosting</body></html>", _HTML) if path == "/" else _missing()
    if site.leads_to:
        return Answer(301, headers={"Location": f"http://{site.leads_to}/"}) if path == "/" else _missing()
    if path in ("/", "/price-transparency"):
        footer = '<footer><a href="/price-transparency">Price Transparency</a></footer>'
        body = footer if path == "/" else f"<ul>{_links(world, site.hospital)}</ul>"
        name = escape(site.hospital.name)
        return Answer(
            200, f"<!doctype html><html><title>{name}</title><body><h1>{name}</h1>{body}</html>".encode(), _HTML
        )
    stray = _ANSWERS.get(path) if world.partly_known else None
    return stray or (hpt_answer(world, site, path) if path in PATHS else None) or _missing()


def linked(world: World, hospital: Hospital) -> tuple[File, ...]:
    """The price files its page links to: its own; where not everything is known, now and then one of another's, too."""
    own = world.files_of(hospital)
    if not world.partly_known or hospital.number % 5:
        return own
    others = [*world.hospitals[hospital.number + 1 :], *world.hospitals[: hospital.number]]
    theirs = (file for other in others for file in world.files_of(other)[:1] if file not in own)
    return (*own, *islice(filter(_says_whose, theirs), 1))


def _says_whose(file: File) -> bool:
    return file.script == "ok" and file.shows_header


def _links(world: World, hospital: Hospital) -> str:
    links = [(file.url, "Standard charges") for file in linked(world, hospital)]
    if world.partly_known and hospital.number % 3 == 0:
        links += [_STRAY[(hospital.number // 3 + at) % len(_STRAY)][:2] for at in (0, 1)]
    return "".join(f'<li><a href="{escape(url)}">{escape(words)}</a></li>' for url, words in links)


def _missing() -> Answer:
    return Answer(404, b"<!doctype html><html><body>Not found</body></html>", _HTML)
