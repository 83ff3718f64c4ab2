"""What a server answers instead of the file: a status, a redirect, a page, a robot check."""

from email.utils import formatdate
from html import escape
from time import time

from glimmr.world.build import File
from glimmr.world.http import Answer, Request
from glimmr.world.scripts import Step

HOP = "__hop"  # the parameter that tells an address of its own making from the file's
AWAY = "cdn."  # before the name of a host: the other one that has its files
_HTML = "text/html; charset=utf-8"
_MOVED = (
    b"<!doctype html>\n<html><head><title>Page moved</title></head><body><h1>We have a new site</h1></body></html>\n"
)
_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
_CHALLENGE = b"<!doctype html>\n<html><head><title>Just a moment...</title></head><body>One more step</body></html>\n"
_INSTEAD = {
    "html": Answer(200, _MOVED, _HTML),
    "pdf": Answer(200, _PDF, "application/pdf"),
    "empty": Answer(200, b"", "text/csv"),
}


def instead(file: File, request: Request, step: Step) -> Answer | None:
    """An answer that is not the file, where the step has one for this request."""
    hop = request.query.get(HOP, "")
    if step.name in ("loop", "redir", "away"):
        return _elsewhere(file, step, hop)
    if step.name == "cookie" and "glimmr=seen" not in request.headers.get("cookie", ""):
        return Answer(302, headers={"Location": file.target, "Set-Cookie": "glimmr=seen; Path=/"})
    if step.name == "ua" and not any(word in request.headers.get("user-agent", "") for word in step.words):
        return Answer(403, b"who are you?\n")
    if step.name == "challenge":
        return Answer(step.status, _CHALLENGE, _HTML)
    if step.name.isdigit() and step.status != 200:
        return Answer(step.status, f"{step.status}\n".encode(), headers=_retry_after(step))
    return _page(file, request, step, hop) or _INSTEAD.get(step.name)


def _elsewhere(file: File, step: Step, hop: str) -> Answer | None:
    if step.name == "loop":
        to = with_hop(file.target, "loop")
    elif step.name == "away":
        to = f"http://{AWAY}{file.host}{with_hop(file.target, 'away')}" if not hop else ""
    else:
        to = with_hop(file.target, str(int(hop or 0) + 1)) if int(hop or 0) < step.times else ""
    return Answer(302, headers={"Location": to}) if to else None


def with_hop(target: str, hop: str) -> str:
    """The target with the parameter that marks it."""
    return f"{target}{'&' if '?' in target else '?'}{HOP}={hop}"


def without_hop(target: str) -> str:
    """The file's own target."""
    return target.partition(f"?{HOP}=")[0].partition(f"&{HOP}=")[0]


def _retry_after(step: Step) -> dict[str, str]:
    if "date" in step.words:
        return {"Retry-After": formatdate(time() + int(step.words["date"]), usegmt=True)}
    return {"Retry-After": step.words["ra"]} if "ra" in step.words else {}


def _page(file: File, request: Request, step: Step, hop: str) -> Answer | None:
    """A page that stands before the file. What it leads to is marked, and is the file."""
    if step.name == "page" and not hop:
        links = [with_hop(file.target, "file")]
        links += [f"/other/{number}_standardcharges.csv" for number in range(1, int(step.words.get("links", "1")))]
        body = "".join(f'<p><a href="{escape(link)}">Standard charges</a></p>' for link in links)
    elif step.name == "confirm" and not hop:
        body = (
            "<p>This file is too large to be scanned for viruses.</p>"
            f'<form id="download-form" action="{escape(file.target)}" method="get">'
            '<input type="submit" id="uc-download-link" value="Download anyway"/>'
            f'<input type="hidden" name="{HOP}" value="file"><input type="hidden" name="confirm" value="t"></form>'
        )
    elif step.name == "share" and any(request.query.get(key) != value for key, value in step.words.items()):
        body = '<p>Preview of a file. <a href="/login">Sign in</a></p>'
    else:
        return None
    return Answer(
        200, f"<!doctype html>\n<html><head><title>File</title></head><body>{body}</body></html>".encode(), _HTML
    )
