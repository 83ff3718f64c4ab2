"""Patient Rights Advocate's price-file API: session, then one facility search per state, at its pace."""

import contextlib
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from glimmr.errors import AuthRequired, Forbidden, ProtocolError
from glimmr.model import Found, Hospital, Listed, Skipped
from glimmr.scan.identity import clean_ccn, clean_zip, hospital_id, is_name, says_something
from glimmr.scan.pace import Diary, Limit, LocalDiary, Pace
from glimmr.scan.source import Web

_SESSION_SECONDS = 25 * 60  # the API ends a session after 30 minutes
WINDOW_SECONDS = 180.0  # the API's `ratelimit` header: requests per 180 s
_ON_THE_WAY = 1.1  # of a window: a request that is late on its way is counted late, and the next may be in time
_BESIDE = 1  # the request for the host's robots.txt, which counts too
_TURN_SECONDS = 0.2  # between two looks whether it is our turn
_MOST_SHOWN = 200  # letters of what the API says instead
_MOST_FACILITIES = 20_000  # of one state; there are 6,000 in all
_LARGEST_BYTES = 2**53  # beyond it a number is none of bytes, and no database's
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SITE = "https://hospitalpricingfiles.org"  # the API wants to be asked from its own site

_MARK = b"\xef\xbb\xbf"  # of UTF-8, which no JSON should begin with
_Loose = Any  # the API gives numbers as text, and sometimes as numbers; an object or a list says nothing


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
    files: Any = None


class _Session(msgspec.Struct):
    sessionid: _Loose = None


class _Complaint(msgspec.Struct):
    """An object where a list is due: `{}` is the API's way to say that a state has no facility."""

    message: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        return self.message or self.error or ""


class Pra:
    """The API at `url`. One session is shared by everybody who asks through this object, the pace by all of `diary`.

    An answer counts whole or not at all: one that is cut is asked for again, since what is missing could be anything.
    In a whole one, a record that cannot be read is skipped for itself.
    """

    def __init__(
        self,
        url: str,
        *,
        requests: int,
        delay_seconds: float,
        window_seconds: float = WINDOW_SECONDS,
        diary: Diary | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        diary = diary or LocalDiary()
        self._window = Pace(
            f"{self._url} window", Limit(max(1, requests - _BESIDE), window_seconds * _ON_THE_WAY), diary
        )
        self._searches = Pace(f"{self._url} searches", Limit(1, delay_seconds), diary)
        self._session, self._session_since = "", -_SESSION_SECONDS
        self._turn = threading.Lock()

    def find(self, place: str, web: Web) -> Iterator[Found | Listed | Skipped]:
        """The facilities of one state, those without a file listed. `{}` means none.

        Raises a FetchError when the API does not answer.
        """
        while not self._turn.acquire(timeout=_TURN_SECONDS):
            web.pause(_TURN_SECONDS / 100)  # a stop is noticed, and the end of the time
        try:
            facilities = self._search(place, web)
        finally:
            self._turn.release()
        for number, facility in enumerate(facilities, start=1):
            yield from _founds(facility, place, number)

    def _search(self, state: str, web: Web) -> list[msgspec.Raw]:
        web.pause(self._searches.take())
        path = "/facility/search?" + urlencode({"search": "", "searchstate": state})
        try:
            answer = _answer(self._get(path, web), state)
            ended = isinstance(answer, _Complaint) and bool(str(answer))
        except (AuthRequired, Forbidden):
            answer, ended = _Complaint(), True
        if ended:  # the session ended early: once more with a new one
            self._session = ""
            answer = _answer(self._get(path, web), state)
        if isinstance(answer, _Complaint) and str(answer):
            self._session = ""
            raise ProtocolError(f"PRA says of {state}: {str(answer)[:_MOST_SHOWN]}", url=self._url)
        if isinstance(answer, list) and len(answer) > _MOST_FACILITIES:
            raise ProtocolError(f"PRA says that {state} has {len(answer):,} facilities", url=self._url)
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
        web.pause(self._window.take())
        sent = {"origin": _SITE, "referer": _SITE + "/", "accept": "application/json", **headers}
        return web.ask(self._url + path, method=method, headers=sent, body=body)


def _answer(data: bytes, state: str) -> list[msgspec.Raw] | _Complaint:
    body = data.removeprefix(_MARK) or b"{}"
    try:
        answer = msgspec.json.decode(body, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        if isinstance(answer, list):
            return answer
        complaint = msgspec.json.decode(body, type=_Complaint)
    except _NO_JSON as error:
        raise ProtocolError(f"PRA answered {state} with something that is no list of facilities: {error}") from error
    if not str(complaint) and (strange := answer.keys() - {"message", "error"}):
        raise ProtocolError(
            f"PRA answered {state} with no list of facilities, but with {', '.join(sorted(strange))[:_MOST_SHOWN]}"
        )
    return complaint


def _founds(raw: msgspec.Raw, place: str, number: int) -> Iterator[Found | Listed | Skipped]:
    try:
        facility = msgspec.json.decode(raw, type=_Facility)
    except _NO_JSON as error:
        yield Skipped(record=f"PRA {place}, record {number}: {error}", reason="no facility can be read in it")
        return
    name = _text(facility.name) or ""
    record = f"PRA {place}, facility {_text(facility.id) or '?'}"
    if not is_name(name):
        yield Skipped(record=record, reason="no hospital name")
        return
    files, unread = _files(facility.files)
    named = [(url, file) for file in files if says_something(url := _text(file.url) or "")]
    if unread:
        yield Skipped(record=f"{record} ({name})", reason="a file of it cannot be read")
    if not named:
        yield Skipped(record=f"{record} ({name})", reason="no price file is known")
    hospital = _hospital(facility, name, place)
    if not named and hospital.ccn:
        yield Listed(hospital=hospital, source="pra")  # its site may name its files all the same
    for url, file in named:
        size = _number(file.size) or 0.0
        size_bytes = int(size) if 0 < size < _LARGEST_BYTES else None
        yield Found(hospital=hospital, url=url, source="pra", page_url=_text(file.pageurl), size_bytes=size_bytes)


def _files(said: Any) -> tuple[list[_File], int]:
    """The files of a facility, and how many cannot be read. `{}` means none here, too; one may stand without a list."""
    listed: list[Any] = said if isinstance(said, list) else [said] if said else []
    files: list[_File] = []
    for one in listed:
        with contextlib.suppress(msgspec.ValidationError):
            files.append(msgspec.convert(one, _File))
    return files, len(listed) - len(files)


def _hospital(facility: _Facility, name: str, place: str) -> Hospital:
    ccn = clean_ccn(_text(facility.ccn))
    city, zip_code = _text(facility.city), clean_zip(_text(facility.zip))
    return Hospital(
        hospital_id=hospital_id(ccn, name, place, city, zip_code),
        ccn=ccn,
        name=name,
        state=place,
        address=_text(facility.address),
        city=city,
        zip=zip_code,
        phone=_text(facility.phone),
        lat=_degrees(facility.lat, 90.0),
        lon=_degrees(facility.long, 180.0),
        website=_text(facility.url),
    )


def _text(value: _Loose) -> str | None:
    return str(value).strip() or None if isinstance(value, str | int | float) else None


def _degrees(value: _Loose, most: float) -> float | None:
    number = _number(value)
    return number if number is not None and abs(number) <= most else None


def _number(value: _Loose) -> float | None:
    """What is no number is unknown."""
    try:
        number = float(_text(value) or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
