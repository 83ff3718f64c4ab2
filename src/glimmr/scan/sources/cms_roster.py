"""CMS's own lists of hospitals: General Information (who there is) and Enrollments (their NPIs and other names)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from glimmr.errors import FetchError, ProtocolError, RateLimited, Unavailable, UsageError
from glimmr.model import Hospital, Listed, Skipped
from glimmr.scan.exempt import exempt_reason
from glimmr.scan.identity import clean_ccn, clean_npi, clean_zip, hospital_id, is_name, parent_ccn
from glimmr.scan.places import place_code
from glimmr.scan.rows import BrokenList, folded, pick, rows, text_of
from glimmr.scan.source import EVERYWHERE, Web
from glimmr.sniff.kinds import HEAD_BYTES, as_ascii

T = TypeVar("T")
_PAGE_ROWS = 1500  # the most the API gives in one answer
_ENROLLMENT_ROWS = 5000
_MOST_ROWS = 100_000  # the roster has 5,432, the enrollments have 9,000
_CATALOG_BYTES = 64 * 2**20  # of all datasets of CMS
_TITLE = "hospital enrollments"
# Names of columns, the API's first; then those of the CSV, of now and of older releases.
_CCN = (
    "facility_id",
    "provider_id",
    "ccn",
    "provider_number",
    "cms_certification_number",
    "cms_certification_number_ccn",
)
_NAME = ("facility_name", "hospital_name", "name")
_STATE = ("state", "state_code", "provider_state")
_CITY = ("citytown", "city_town", "city", "city_county_name")
_ZIP = ("zip_code", "zip")
_COUNTY = ("countyparish", "county_parish", "county_name", "county")
_PHONE = ("telephone_number", "phone_number", "phone")
_TYPE, _OWNERSHIP = ("hospital_type",), ("hospital_ownership",)


_Row = dict[str, str | int | float | None]


class _Page(msgspec.Struct):
    results: list[_Row]
    count: int


class _Distribution(msgspec.Struct):
    format: str | None = None
    description: str | None = None
    mediaType: str | None = None  # noqa: N815 - as data.json (DCAT) writes it
    accessURL: str | None = None  # noqa: N815 - same
    downloadURL: str | None = None  # noqa: N815 - same
    temporal: str | None = None


class _Dataset(msgspec.Struct):
    title: str | None = None
    distribution: list[_Distribution] | None = None


class _Catalog(msgspec.Struct):
    dataset: list[_Dataset]


@dataclass(slots=True)
class _Enrolled:
    """What Enrollments say of one CCN; several rows may do so."""

    first: dict[str, str]
    npis: dict[str, None] = field(default_factory=dict[str, None])
    names: dict[str, None] = field(default_factory=dict[str, None])


class CmsRoster:
    """The roster at `url` (an address of the Provider Data Catalog's query API, or of a CSV of the same columns).

    `catalog_url` lists CMS's datasets, the enrollments among them; empty: nobody is asked for NPIs.
    """

    def __init__(self, url: str, catalog_url: str, *, page_rows: int = _PAGE_ROWS) -> None:
        self._url, self._catalog_url, self._page_rows = url.rstrip("/"), catalog_url, page_rows

    def find(self, place: str, web: Web) -> Iterator[Listed | Skipped]:
        """The hospitals of one state, or of `all`. Raises a FetchError when the roster cannot be had whole.

        Without the enrollments, it goes on without NPIs and says so in a Skipped. Hospitals that only they know (most
        rehabilitation and long-term hospitals) are listed behind the others.
        """
        state = "" if place == EVERYWHERE else place
        found = self._roster(state, web)
        skipped: list[Skipped] = []
        enrolled: dict[str, _Enrolled] = {}
        if self._catalog_url:
            try:
                enrolled = self._enrollments(state, web, skipped)
            except FetchError as error:
                skipped.append(Skipped(record="Hospital Enrollments", reason=f"no NPIs: {error}"))
        seen: set[str] = set()
        for number, facts in found:
            record = _listed(facts, f"CMS roster, row {number}", seen)
            if isinstance(record, Skipped) or not state or record.hospital.state == state:
                yield _completed(record, enrolled) if isinstance(record, Listed) else record
        for ccn, one in enrolled.items():
            if ccn not in seen:
                record = _only_enrolled(ccn, one)
                if isinstance(record, Skipped) or not state or record.hospital.state == state:
                    yield record
        yield from skipped

    def _roster(self, state: str, web: Web) -> list[tuple[int, dict[str, str]]]:
        """By pages; where the API does not give them, by the CSV download. An overloaded server is left alone."""
        try:
            return self._pages(state, web)
        except (RateLimited, Unavailable):
            raise
        except FetchError:
            body, _ = web.ask(f"{self._url}/download?format=csv")
            return _csv(body, self._url)

    def _pages(self, state: str, web: Web) -> list[tuple[int, dict[str, str]]]:
        """Until its count of different rows is here, and a page says that no more follow: the count may be wrong."""
        said: list[dict[str, str]] = []
        known: set[frozenset[tuple[str, str]]] = set()
        offset = 0
        while True:
            query = {"limit": str(self._page_rows), "offset": str(offset)}
            if state:
                query |= {
                    "conditions[0][property]": "state",
                    "conditions[0][operator]": "=",
                    "conditions[0][value]": state,
                }
            body, _ = web.ask(f"{self._url}?{urlencode(query)}")
            got, count = self._page(body)
            if got is None:
                return _csv(body, self._url)  # the address is that of a CSV
            new = [row for row in map(_texts, got) if frozenset(row.items()) not in known]
            said += new
            known |= {frozenset(row.items()) for row in new}
            offset += len(got)
            _check(offset, self._url)
            if not new and len(said) < count:  # it ends too early, or says again what it said
                raise ProtocolError(f"CMS's roster ended after {len(said)} of {count} rows", url=self._url)
            if not new or (len(said) == count and len(got) < self._page_rows):
                break
        if not said and not state:
            raise ProtocolError("CMS's roster is empty", url=self._url)
        return list(enumerate(said, start=1))

    def _page(self, body: bytes) -> tuple[list[_Row] | None, int]:
        """The rows of a page of JSON, and how many there are in all, where it says so; None when it is no JSON."""
        match as_ascii(body[:HEAD_BYTES]).lstrip()[:1]:
            case b"{":
                page = _decoded(body, _Page, self._url)
                return page.results, page.count
            case b"[":
                return _decoded(body, list[_Row], self._url), 0
            case _:
                return None, 0

    def _enrollments(self, state: str, web: Web, skipped: list[Skipped]) -> dict[str, _Enrolled]:
        body, _ = web.ask(self._catalog_url, most_bytes=_CATALOG_BYTES)
        url, paged = _latest(_decoded(body, _Catalog, self._catalog_url), self._catalog_url)
        enrolled: dict[str, _Enrolled] = {}
        unusable: Counter[str] = Counter()
        for facts in _enrollment_pages(url, state, web) if paged else _enrollment_file(url, web):
            ccn = clean_ccn(facts.get("ccn"))
            if ccn is None:
                unusable["no CCN in an enrollment"] += 1
                continue
            one = enrolled.setdefault(parent_ccn(ccn), _Enrolled(facts))
            if parent_ccn(ccn) == ccn and clean_ccn(one.first.get("ccn")) != ccn:
                one.first = facts  # a unit of the hospital came first
            one.npis |= dict.fromkeys(npi for npi in (clean_npi(facts.get("npi")),) if npi)
            names = (facts.get("organization_name", ""), facts.get("doing_business_as_name", ""))
            one.names |= dict.fromkeys(name for name in names if is_name(name))
        for reason, count in unusable.items():
            skipped += [Skipped(record="Hospital Enrollments", reason=reason)] * count
        return enrolled


def _enrollment_pages(url: str, state: str, web: Web) -> Iterator[dict[str, str]]:
    offset, before = 0, b""
    while True:
        query = {"size": str(_ENROLLMENT_ROWS), "offset": str(offset)} | ({"filter[STATE]": state} if state else {})
        body, _ = web.ask(f"{url}?{urlencode(query)}")
        page = _decoded(body, list[_Row], url)
        if not page:
            return
        if body == before:
            raise ProtocolError(f"CMS's enrollments say the same page again after {offset} rows", url=url)
        yield from map(_texts, page)
        offset, before = offset + len(page), body
        _check(offset, url)


def _enrollment_file(url: str, web: Web) -> Iterator[dict[str, str]]:
    body, _ = web.ask(url)
    return (facts for _, facts in _csv(body, url))


def _latest(catalog: _Catalog, url: str) -> tuple[str, bool]:
    """Where the newest enrollments are, and whether by pages: the dataset's own id changes with every release."""
    dataset = next((one for one in catalog.dataset if (one.title or "").strip().casefold() == _TITLE), None)
    offered = [one for one in (dataset.distribution or () if dataset else ()) if _address(one)]
    if offered:
        newest = max(offered, key=lambda one: ((one.description or "").casefold() == "latest", one.temporal or ""))
        same = [one for one in offered if one.temporal == newest.temporal and _is_api(one)]
        return _address(same[0] if same else newest), bool(same) or _is_api(newest)
    raise ProtocolError(f"{url} names no dataset called Hospital Enrollments with an address", url=url)


def _is_api(one: _Distribution) -> bool:
    return (one.format or "").upper() == "API" and bool(one.accessURL)


def _address(one: _Distribution) -> str:
    if _is_api(one):
        return one.accessURL or ""
    return (one.downloadURL or "") if (one.mediaType or "").casefold() == "text/csv" else ""


def _csv(body: bytes, url: str) -> list[tuple[int, dict[str, str]]]:
    try:
        read = rows(body)
        said = list(islice(read.records, _MOST_ROWS + 1))
    except BrokenList as error:
        raise ProtocolError(f"CMS's list {error}", url=url) from error
    _check(len(said), url)
    if not said or "ccn" not in _known(read.columns):
        raise ProtocolError("CMS's list has no column of CCNs, or no row", url=url)
    return said


def _check(rows_here: int, url: str) -> None:
    if rows_here > _MOST_ROWS:
        raise ProtocolError(f"CMS's list has more than {_MOST_ROWS:,} rows, and the end is not in sight", url=url)


def _known(columns: tuple[str, ...]) -> set[str]:
    return {"ccn" for column in columns if folded(column) in _CCN}


def _listed(facts: Mapping[str, str], record: str, seen: set[str]) -> Listed | Skipped:
    ccn, name = clean_ccn(pick(facts, _CCN)), pick(facts, _NAME)
    if ccn is None:
        return Skipped(record=record, reason="no CCN")
    if not is_name(name):
        return Skipped(record=f"{record} ({ccn})", reason="no hospital name")
    if ccn in seen:
        return Skipped(record=f"{record} ({ccn})", reason="the same CCN once more")
    if not pick(facts, _STATE):
        return Skipped(record=f"{record} ({ccn})", reason="no state")
    try:
        state = place_code(pick(facts, _STATE))
    except UsageError as error:
        return Skipped(record=f"{record} ({ccn})", reason=str(error))
    seen.add(ccn)
    kind, ownership = pick(facts, _TYPE), pick(facts, _OWNERSHIP)
    hospital = Hospital(
        hospital_id=hospital_id(ccn),
        ccn=ccn,
        name=name,
        state=state,
        address=facts.get("address") or None,
        city=pick(facts, _CITY) or None,
        zip=clean_zip(pick(facts, _ZIP)),
        county=pick(facts, _COUNTY) or None,
        phone=pick(facts, _PHONE) or None,
        type=kind or None,
        ownership=ownership or None,
        exempt_reason=exempt_reason(name, kind, ownership),
    )
    return Listed(hospital=hospital, source="cms_roster")


def _completed(record: Listed, enrolled: Mapping[str, _Enrolled]) -> Listed:
    one = enrolled.get(record.hospital.hospital_id)
    if one is None:
        return record
    names = tuple(name for name in one.names if name.casefold() != record.hospital.name.casefold())
    return replace(record, hospital=replace(record.hospital, npis=_npis(one)), other_names=names)


def _only_enrolled(ccn: str, one: _Enrolled) -> Listed | Skipped:
    facts = one.first
    name = pick(facts, ("doing_business_as_name", "organization_name"))
    record = _listed({**facts, "ccn": ccn, "facility_name": name}, "Hospital Enrollments", set())
    if isinstance(record, Skipped):
        return record
    address = " ".join(filter(None, (facts.get("address_line_1"), facts.get("address_line_2")))) or None
    hospital = replace(record.hospital, address=address, npis=_npis(one))
    return replace(record, hospital=hospital, other_names=tuple(other for other in one.names if other != name))


def _npis(one: _Enrolled) -> str | None:
    return "|".join(one.npis) or None  # as CMS's template separates them


def _texts(row: _Row) -> dict[str, str]:
    return {folded(name): str(value).strip() for name, value in row.items() if value is not None}


def _decoded(body: bytes, kind: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(text_of(body), type=kind)
    except (msgspec.DecodeError, UnicodeError, BrokenList, RecursionError) as error:
        raise ProtocolError(f"CMS answered with something else than was asked for: {error}", url=url) from error
