"""A list of the user's own or a public one: columns name, state, ccn, url, or what people call them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from glimmr.errors import BadUrl, ForbiddenScheme, UsageError
from glimmr.model import Found, Hospital, Skipped
from glimmr.net import normalise
from glimmr.scan.identity import clean_ccn, clean_zip, hospital_id, is_name, says_something
from glimmr.scan.places import place_code
from glimmr.scan.rows import BrokenList, Rows, folded, pick, rows
from glimmr.scan.source import Web

_MOST_SHOWN = 200  # letters of a first row that is no header
# Where a list has several of them, the first counts that says something: a plain `url` may be the hospital's website.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "name": ("hospital_name", "facility_name", "name", "hospital", "facility", "location_name", "location"),
    "state": ("state", "st", "state_code", "hospital_state", "facility_state", "province"),
    "ccn": (
        "ccn",
        "facility_id",
        "provider_id",
        "medicare_id",
        "cms_id",
        "provider_number",
        "provider_ccn",
        "facility_ccn",
        "medicare_provider_number",
        "cms_certification_number",
        "cms_certification_num",
        "cms_certification_number_ccn",
    ),
    "url": (
        "mrf_url",
        "file_url",
        "price_file_url",
        "standard_charges_url",
        "standard_charge_file_url",
        "machine_readable_file_url",
        "chargemaster_url",
        "cdm_url",
        "download_url",
        "address_url",
        "price_file",
        "mrf",
        "mrf_link",
        "url",
        "link",
    ),
    "page_url": ("page_url", "source_page_url", "transparency_page_url", "source_page", "page"),
    "address": ("address", "street", "street_address"),
    "city": ("city", "town", "citytown", "city_town"),
    "zip": ("zip", "zip_code", "zipcode", "postal_code"),
}


class Listing:
    """A list in a file (CSV, JSON, JSON lines, Parquet); the place is its path."""

    def find(self, place: str, web: Web) -> Iterator[Found | Skipped]:
        """Every record of the list. Raises UsageError when the file is missing, is no list or has no url column."""
        del web
        read = _read(Path(place))
        try:
            for number, facts in read.records:
                yield _found({name: pick(facts, names) for name, names in _SYNONYMS.items()}, f"{place}, row {number}")
        except BrokenList as error:
            raise UsageError(f"the list {place}, {error}") from error


def check_list(path: Path) -> None:
    """Raises UsageError, as `Listing.find` does, before any work is begun. Reads the whole list."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"the list {path} is no file: it is read again by a later run, so save it as one")
    read = _read(path)
    try:
        for _ in read.records:
            pass
    except BrokenList as error:
        raise UsageError(f"the list {path}, {error}") from error


def _read(path: Path) -> Rows:
    try:
        read = rows(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the list {path} cannot be read: {error.strerror}") from error
    except BrokenList as error:
        raise UsageError(f"the list {path} {error}") from error
    columns = {folded(column) for column in read.columns}
    missing = [name for name in ("name", "state", "url") if not columns.intersection(_SYNONYMS[name])]
    if missing:
        raise UsageError(
            f"the list {path} has no column {', '.join(missing)}; it needs a first row like `name,state,ccn,url`, or"
            f" records with these names (found: {', '.join(read.columns)[:_MOST_SHOWN] or 'nothing'})"
        )
    return read


def _found(facts: Mapping[str, str], record: str) -> Found | Skipped:
    name, url = facts["name"], facts["url"]
    if not is_name(name):
        return Skipped(record=record, reason="no hospital name")
    if not says_something(url):
        return Skipped(record=record, reason="no address")
    try:
        normalise(url)
    except BadUrl:
        return Skipped(record=record, reason="no web address")
    except ForbiddenScheme:
        pass  # whoever would download it says what is wrong with it
    if not facts["state"]:
        return Skipped(record=record, reason="no state")
    try:
        state = place_code(facts["state"])
    except UsageError as error:
        return Skipped(record=record, reason=str(error))
    ccn, zip_code = clean_ccn(facts["ccn"]), clean_zip(facts["zip"])
    hospital = Hospital(
        hospital_id=hospital_id(ccn, name, state, facts["city"], zip_code or ""),
        ccn=ccn,
        name=name,
        state=state,
        address=facts["address"] or None,
        city=facts["city"] or None,
        zip=zip_code,
    )
    return Found(hospital=hospital, url=url, source="listing", page_url=facts["page_url"] or None)
