"""What stands on a host beside its price files: home page, price page, cms-hpt.txt, robots.txt."""

from html import escape

from glimmr.world.build import Site, World
from glimmr.world.http import Answer

_HTML = "text/html; charset=utf-8"


def page(world: World, site: Site, path: str) -> Answer:
    """The page at a path of a site; 404 where there is none."""
    if path == "/robots.txt":
        return Answer(200, b"User-agent: *\nAllow: /\n")
    if site.hospital is None:
        return Answer(200, b"<html><body>File hosting</body></html>", _HTML) if path == "/" else _missing()
    files = world.files_of(site.hospital)
    if path in ("/", "/price-transparency"):
        links = "".join(f'<li><a href="{escape(file.url)}">Standard charges</a></li>' for file in files)
        footer = '<footer><a href="/price-transparency">Price Transparency</a></footer>'
        body = f"<ul>{links}</ul>" if path != "/" else footer
        name = escape(site.hospital.name)
        return Answer(
            200, f"<!doctype html><html><title>{name}</title><body><h1>{name}</h1>{body}</html>".encode(), _HTML
        )
    if path in ("/cms-hpt.txt", "/.well-known/cms-hpt.txt") and files:
        return Answer(200, cms_hpt(world, site).encode())
    return _missing()


def cms_hpt(world: World, site: Site) -> str:
    """CMS's text file (45 CFR 180.50 (d)(6)): one record per location and file."""
    hospital = site.hospital
    if hospital is None:
        return ""
    records: list[str] = []
    for file in world.files_of(hospital):
        records += [
            f"location-name: {location}\nsource-page-url: http://{site.host}/price-transparency\nmrf-url: {file.url}\n"
            f"contact-name: Pat Price\ncontact-email: prices@{site.host}\n"
            for location, _ in file.content.publisher.places
        ]
    return "\n".join(records)


def _missing() -> Answer:
    return Answer(404, b"<!doctype html><html><body>Not found</body></html>", _HTML)
