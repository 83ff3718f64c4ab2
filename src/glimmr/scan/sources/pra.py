"""Patient Rights Advocate's price-file API: session, then one facility search per state, at its pace."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import msgspec

from glimmr.errors import AuthRequired, Forbidden, ProtocolError
from glimmr.model import Found, Hospital, Skipped
from glimmr.scan.identity import clean_ccn, hospital_id, is_name
from glimmr.scan.source import Web

_SESSION_SECONDS = 25 * 60  # the API ends a session after 30 minutes
_WINDOW_SECONDS = 180.0  # the API's `ratelimit` header: requests per 180 s
_LARGEST_BYTES = 2**53  # beyond it a number is none of bytes, and no database's
_SITE = "https://hospitalpricingfiles.org"  # the API wants to be asked from its own site

_Loose = str | int | float | None  # the API gives numbers as text, and sometimes as numbers


class _File(msgspec.Struct):
    url: _Loose = None
    pageurl: _Loose = None
    size: _Loose = None


class _Facility(msgspec.Struct):
    id: _Loose = None
    name: _Loose = None
    address: _Loose = None
    city: _Loose = None
    zip: _Loose = None
    phone: _Loose = None
    lat: _Loose = None
    long: _Loose = None
    ccn: _Loose = None
    url: _Loose = None
    files: list[_File] | None = None


class _Session(msgspec.Struct):
    sessionid: _Loose = None


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """`{}`: the API's way to say that a state has no facility."""


class Pra:
    """The API at `url`. One session and one request window are shared by everybody who asks through this object."""

    def __init__(self, url: str, *, requests: int, delay_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._requests, self._delay_seconds = requests, delay_seconds
        self._asked: deque[float] = deque(maxlen=requests)
        self._session, self._session_since = "", -_SESSION_SECONDS
        self._searched = -delay_seconds
        self._turn = threading.Lock()

    def find(self, place: str, web: Web) -> Iterator[Found | Skipped]:
        """The facilities of one state. `{}` means none. Raises a FetchError when the API does not answer."""
        with self._turn:
            facilities = self._search(place, web)
        for facility in facilities:
            yield from _founds(facility, place)

    def _search(self, state: str, web: Web) -> list[_Facility]:
        web.pause(self._searched + self._delay_seconds - time.monotonic())
        self._searched = time.monotonic()
        path = "/facility/search?" + urlencode({"search": "", "searchstate": state})
        try:
            data = self._get(path, web)
        except (AuthRequired, Forbidden):  # the session ended early: once more with a new one
            self._session = ""
            data = self._get(path, web)
        try:
            answer = msgspec.json.decode(data or b"{}", type=list[_Facility] | _Nothing)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(
                f"PRA answered {state} with something that is no list of facilities: {error}"
            ) from error
        return answer if isinstance(answer, list) else []

    def _get(self, path: str, web: Web) -> bytes:
        if not self._session or time.monotonic() - self._session_since > _SESSION_SECONDS:
            self._open_session(web)
        return self._request(web, "GET", path, {"sessionid": self._session})[0]

    def _open_session(self, web: Web) -> None:
        body = json.dumps({"username": str(int(time.time() * 1000)), "password": ""}).encode()
        data, headers = self._request(web, "POST", "/user/session", {"content-type": "application/json"}, body)
        try:
            session = headers.get("sessionid") or msgspec.json.decode(data, type=_Session).sessionid
        except msgspec.DecodeError as error:
            raise ProtocolError(f"PRA opened no session: {error}", url=self._url) from error
        if not session:
            raise ProtocolError("PRA opened no session", url=self._url)
        self._session, self._session_since = str(session), time.monotonic()

    def _request(
        self, web: Web, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        if len(self._asked) == self._requests:
            web.pause(self._asked[0] + _WINDOW_SECONDS - time.monotonic())
        self._asked.append(time.monotonic())
        sent = {"origin": _SITE, "referer": _SITE + "/", "accept": "application/json", **headers}
        return web.ask(self._url + path, method=method, headers=sent, body=body)


def _founds(facility: _Facility, place: str) -> Iterator[Found | Skipped]:
    name = _text(facility.name) or ""
    record = f"PRA {place}, facility {_text(facility.id) or '?'}"
    if not is_name(name):
        yield Skipped(record=record, reason="no hospital name")
        return
    files = [(url, file) for file in facility.files or () if (url := _text(file.url))]
    if not files:
        yield Skipped(record=f"{record} ({name})", reason="no price file is known")
    hospital = _hospital(facility, name, place)
    for url, file in files:
        size = _number(file.size) or 0.0
        size_bytes = int(size) if 0 < size < _LARGEST_BYTES else None
        yield Found(hospital=hospital, url=url, source="pra", page_url=_text(file.pageurl), size_bytes=size_bytes)


def _hospital(facility: _Facility, name: str, place: str) -> Hospital:
    ccn = clean_ccn(_text(facility.ccn))
    city, zip_code = _text(facility.city), _text(facility.zip)
    return Hospital(
        hospital_id=hospital_id(ccn, name, place, city, zip_code),
        ccn=ccn,
        name=name,
        state=place,
        address=_text(facility.address),
        city=city,
        zip=zip_code,
        phone=_text(facility.phone),
        lat=_number(facility.lat),
        lon=_number(facility.long),
        website=_text(facility.url),
    )


def _text(value: _Loose) -> str | None:
    return str(value).strip() or None if value is not None else None


def _number(value: _Loose) -> float | None:
    """What is no number is unknown."""
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
