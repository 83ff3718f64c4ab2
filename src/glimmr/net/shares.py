"""Links of file-sharing sites in the form that gives the file, not a page about it."""

import re
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

_ID = r"(?P<id>[\w-]{20,})"
_DRIVE_PATH = re.compile(rf"/file/d/{_ID}(?:/.*)?")
_SHEET_PATH = re.compile(rf"/spreadsheets/d/{_ID}(?:/.*)?")
_BOX_PATH = re.compile(r"/(?:v|s)/(?P<name>\w{16,})/?")
_GITHUB_PATH = re.compile(r"(?P<repository>/[^/]+/[^/]+)/blob/(?P<rest>.+)")


def direct(url: str) -> str:
    """The address that gives the file itself; of an address that is no such link, the address.

    `url` is normalised. Google Drive and Sheets, Dropbox, Box, SharePoint, OneDrive, GitHub. (Box's `index.php?rm=…`
    and `/shared/static/…`, Azure's and Amazon's addresses give the file as they are.)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    site = next((site for suffix, site in _SITES.items() if host == suffix or host.endswith(f".{suffix}")), None)
    return (site(parts) if site else None) or url


def _drive(parts: SplitResult) -> str | None:
    query = dict(parse_qsl(parts.query))
    if sheet := _SHEET_PATH.fullmatch(parts.path):
        if "/export" in parts.path or "/pub" in parts.path:
            return None
        wanted = {"format": "csv"} | ({"gid": query["gid"]} if "gid" in query else {})
        return f"https://docs.google.com/spreadsheets/d/{sheet['id']}/export?{urlencode(wanted)}"
    found = _DRIVE_PATH.fullmatch(parts.path)
    name = found["id"] if found else query.get("id", "") if parts.path in ("/open", "/uc") else ""
    # `confirm` answers the page that warns of files too large for a virus scan.
    wanted = {"id": name, "export": "download", "confirm": "t"}
    return f"https://drive.usercontent.google.com/download?{urlencode(wanted)}" if name else None


def _dropbox(parts: SplitResult) -> str:
    return _with(parts, dl="1")


def _box(parts: SplitResult) -> str | None:
    found = _BOX_PATH.fullmatch(parts.path)
    return f"https://{parts.netloc}/shared/static/{found['name']}" if found else None


def _sharepoint(parts: SplitResult) -> str | None:
    return _with(parts, download="1") if parts.path.startswith("/:") else None


def _onedrive(parts: SplitResult) -> str:
    return _with(parts, download="1")


def _github(parts: SplitResult) -> str | None:
    found = _GITHUB_PATH.fullmatch(parts.path)
    return f"https://github.com{found['repository']}/raw/{found['rest']}" if found else None


def _with(parts: SplitResult, **wanted: str) -> str:
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in wanted]
    return urlunsplit(parts._replace(query=urlencode([*kept, *wanted.items()])))


_SITES: dict[str, Callable[[SplitResult], str | None]] = {
    "drive.google.com": _drive,
    "docs.google.com": _drive,
    "dropbox.com": _dropbox,
    "box.com": _box,
    "sharepoint.com": _sharepoint,
    "onedrive.live.com": _onedrive,
    "github.com": _github,
}
