"""A list of the user's own: a CSV with the columns name, state, ccn, url, or what people call them."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from glimmr.errors import UsageError
from glimmr.model import Found, Hospital, Skipped
from glimmr.scan.identity import clean_ccn, hospital_id, is_name, says_something
from glimmr.scan.places import place_code
from glimmr.scan.source import Web

_LONGEST_CELL = 131_072
_MOST_SHOWN = 200  # letters of a first row that is no header
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)  # Excel writes it above the header, and swallows it again
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "name": ("name", "hospital", "hospital_name", "facility", "facility_name", "location_name", "location"),
    "state": ("state", "st", "state_code", "hospital_state", "province"),
    "ccn": (
        "ccn",
        "facility_id",
        "provider_id",
        "medicare_id",
        "cms_id",
        "provider_number",
        "cms_certification_number",
    ),
    "url": ("url", "mrf_url", "file_url", "link", "address_url", "price_file", "price_file_url", "download_url", "mrf"),
    "address": ("address", "street", "street_address"),
    "city": ("city", "town", "citytown"),
    "zip": ("zip", "zip_code", "zipcode", "postal_code"),
}


class Listing:
    """A list in a file; the place is its path."""

    def find(self, place: str, web: Web) -> Iterator[Found | Skipped]:
        """Every row of the list. Raises UsageError when the file is missing, is no CSV or has no url column."""
        del web
        rows = _rows(Path(place))
        _, header = next(rows, (0, []))
        columns = _columns(header, place)
        for number, row in rows:
            facts = {name: row[at].strip() for name, at in columns.items() if at < len(row)}
            yield _found(facts, f"{place}, row {number}")


def check_list(path: Path) -> None:
    """Raises UsageError, as `Listing.find` does, before any work is begun. Reads the whole list."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"the list {path} is no file: it is read again by a later run, so save it as one")
    rows = _rows(path)
    _, header = next(rows, (0, []))
    _columns(header, str(path))
    for _ in rows:
        pass


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that say something, each with its number as a spreadsheet counts them (from 1)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the list {path} cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise UsageError(f"the list {path} holds NUL characters, so it is no text: save it as CSV in UTF-8")
    first = next((line for line in text.splitlines() if line.strip() and not _SEPARATOR_LINE.fullmatch(line)), "")
    # Strict, because a missing closing quote would swallow all rows up to the next quote without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t;|", key=first.count), strict=True)
    begun = 1
    try:
        for number, row in enumerate(reader, start=1):
            _check(row)
            if any(cell.strip() for cell in row) and not (number == 1 and _SEPARATOR_LINE.fullmatch("".join(row))):
                yield number, row
            begun = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"the list {path}, line {begun}: {error} (is a closing quote missing?)") from error


def _check(row: list[str]) -> None:
    """The csv module's own limit is one for the whole process, and the parser of price files raises it."""
    if max(map(len, row), default=0) > _LONGEST_CELL:
        raise csv.Error(f"a cell is longer than {_LONGEST_CELL:,} characters")


def _columns(header: list[str], place: str) -> dict[str, int]:
    folded = [
        " ".join(cell.casefold().replace("_", " ").replace("-", " ").split()).replace(" ", "_") for cell in header
    ]
    columns = {
        name: next(at for at, cell in enumerate(folded) if cell in synonyms)
        for name, synonyms in _SYNONYMS.items()
        if any(cell in synonyms for cell in folded)
    }
    missing = [name for name in ("name", "state", "url") if name not in columns]
    if missing:
        raise UsageError(
            f"the list {place} has no column {', '.join(missing)}; it needs a first row like `name,state,ccn,url`"
            f" (found: {', '.join(header)[:_MOST_SHOWN] or 'nothing'})"
        )
    return columns


def _found(facts: dict[str, str], record: str) -> Found | Skipped:
    name, url = facts.get("name", ""), facts.get("url", "")
    if not is_name(name):
        return Skipped(record=record, reason="no hospital name")
    if not says_something(url):
        return Skipped(record=record, reason="no address")
    try:
        state = place_code(facts.get("state", ""))
    except UsageError as error:
        return Skipped(record=record, reason=str(error))
    ccn = clean_ccn(facts.get("ccn"))
    hospital = Hospital(
        hospital_id=hospital_id(ccn, name, state, facts.get("city"), facts.get("zip")),
        ccn=ccn,
        name=name,
        state=state,
        address=facts.get("address") or None,
        city=facts.get("city") or None,
        zip=facts.get("zip") or None,
    )
    return Found(hospital=hospital, url=url, source="listing")
