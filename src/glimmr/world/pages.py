"""What stands on a host beside its price files: home page, price page, cms-hpt.txt, robots.txt."""

from html import escape

from glimmr.world.build import Site, World
from glimmr.world.hpt import PATHS, hpt_answer
from glimmr.world.http import Answer

_HTML = "text/html; charset=utf-8"


def page(world: World, site: Site, path: str) -> Answer:
    """The page at a path of a site; 404 where there is none."""
    if path == "/robots.txt":
        return Answer(200, b"User-agent: *\nAllow: /\n")
    if site.hospital is None:
        return Answer(200, b"<html><body>File hosting</body></html>", _HTML) if path == "/" else _missing()
    if site.leads_to:
        return Answer(301, headers={"Location": f"http://{site.leads_to}/"}) if path == "/" else _missing()
    files = world.files_of(site.hospital)
    if path in ("/", "/price-transparency"):
        links = "".join(f'<li><a href="{escape(file.url)}">Standard charges</a></li>' for file in files)
        footer = '<footer><a href="/price-transparency">Price Transparency</a></footer>'
        body = f"<ul>{links}</ul>" if path != "/" else footer
        name = escape(site.hospital.name)
        return Answer(
            200, f"<!doctype html><html><title>{name}</title><body><h1>{name}</h1>{body}</html>".encode(), _HTML
        )
    return (hpt_answer(world, site, path) if path in PATHS else None) or _missing()


def _missing() -> Answer:
    return Answer(404, b"<!doctype html><html><body>Not found</body></html>", _HTML)
