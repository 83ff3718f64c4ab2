"""The nouns: frozen, without I/O."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """A place that must publish prices. `hospital_id` is the CCN, or a stable derived id where there is none."""

    hospital_id: str
    name: str
    state: str
    ccn: str | None = None
    address: str | None = None
    city: str | None = None
    zip: str | None = None
    county: str | None = None
    phone: str | None = None
    type: str | None = None
    ownership: str | None = None
    lat: float | None = None
    lon: float | None = None
    npis: str | None = None
    system: str | None = None
    website: str | None = None
    exempt_reason: str | None = None  # why 45 CFR 180 asks no price file of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a roster says: this hospital exists. Where its price file is, it does not know.

    `other_names` are those it also goes by (of its owner, or what it calls itself).
    """

    hospital: Hospital
    source: str
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What all sources together say of a hospital. `field_sources`: who said what stands in each of its fields."""

    hospital: Hospital
    other_names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    field_sources: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A source says: the prices of this hospital are at this address. `method`, `score`: how it is known who is meant.

    The method is `ccn`, `source` (the hospital is known by this record alone), or what of it agreed with a hospital
    that was known before (see `scan.match`).
    """

    hospital: Hospital
    url: str
    source: str
    method: str
    score: float
    page_url: str | None = None
    location_name: str | None = None
    size_bytes: int | None = None  # as the source says


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source says: this hospital's price file is at this address."""

    hospital: Hospital
    url: str
    source: str
    page_url: str | None = None
    size_bytes: int | None = None  # as the source saw it: maybe long ago


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A record of a source that cannot be used, and why."""

    record: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Five ranges of a large file by their sha256 (hex), in order: what tells at little cost whether it changed."""

    size_bytes: int  # of the file
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The bytes one address gave: on disk at `path`, named by their sha256."""

    path: str
    file_id: str
    size_bytes: int
    http_status: int
    final_url: str
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    disposition_name: str | None = None
    weaknesses: tuple[str, ...] = ()  # codes of WEAK_TRANSPORT
    ranges: Ranges | None = None  # of a large file


# What makes the way on which bytes came less safe than it should be; each is a finding about them.
WEAK_TRANSPORT: Mapping[str, str] = {
    "GL-TLS-INSECURE": "the file came from a host of GLIMMR_INSECURE_HOSTS, whose certificate was not checked",
    "GL-TLS-LEGACY": "the file came from a host that speaks only old TLS, which somebody on the way can break",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One place where a finding was seen. `value` is at most 200 characters."""

    position: str
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong or odd in a file: stable code, severity (error, warning, info), total count, first examples."""

    code: str
    severity: str
    count: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What a site says: the prices of this location are at this address.

    `domain` is what was asked. Of a record of a cms-hpt.txt (CMS, TXT file specification) `hpt_url` is where the text
    stood, `place` its line. Of a file that the site links to, state and address are those of its header; `guessed`:
    the name is none of its header's, which was not seen.
    """

    location_name: str
    url: str
    domain: str
    source: str = "cms_hpt"
    hpt_url: str | None = None
    place: str | None = None
    page_url: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    state: str | None = None
    address: str | None = None
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A link of a hospital's page that may lead to a price file; only the file's own header proves it.

    `text` are the link's words; the higher the `rank`, the likelier (1: it says that it leads to another list).
    `domain` is what was asked.
    """

    url: str
    page_url: str
    domain: str
    text: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One address asked on the way to a price file. `answer` is the HTTP status, or the reason there was none.

    `verdict`: hpt, html, empty, no_records (of what should be a cms-hpt.txt), page, no_page, missing or failed; of what
    may be a price file, price_file, nameless, unread, or the reason why it is none.
    """

    url: str
    answer: str
    verdict: str
    final_url: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a price file says of itself (CMS data dictionary: the general data elements)."""

    hospital_name: str | None = None
    last_updated_on: str | None = None  # ISO 8601 date
    version: str | None = None
    location_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    license_number: str | None = None
    license_state: str | None = None
    type2_npis: tuple[str, ...] = ()
    attestation_confirmed: bool | None = None
    attester_name: str | None = None
    financial_aid_policy: str | None = None
    contract_provisions: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberReport:
    """How one member of a file was read. A file that is no container has one member, named None."""

    member: str | None
    format: str | None
    layout: str | None
    template_version: str | None
    encoding: str | None
    delimiter: str | None
    header_row: int | None
    outcome: str
    reason: str
    message: str = ""
    rows_in: int = 0
    items_out: int = 0
    charges: int = 0
    rates: int = 0
    rows_rejected: int = 0
    header: Header = field(default_factory=Header)
    columns: tuple[str, ...] = ()  # a table's column names; only of a look at the head
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """How one file was read: `report.json` of `glimmr parse`."""

    file_id: str
    bytes: int
    container: str | None
    outcome: str
    reason: str
    message: str = ""
    rows_in: int
    items_out: int
    charges: int
    rates: int
    rows_rejected: int
    seconds: float
    peak_rss_bytes: int
    parser_version: str
    members: tuple[MemberReport, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types, whose texts any file or database takes."""
        return storable(asdict(self))

    @staticmethod
    def from_dict(facts: dict[str, Any]) -> "FileReport":
        """The report again, from what `as_dict` gave (through JSON, where tuples are lists)."""
        whole: dict[str, Any] = {**facts, "members": tuple(_member(member) for member in facts["members"])}
        return FileReport(**whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the head of a file shows: the kind of its bytes, a report as far as was read, its first rows (flat)."""

    kind: str
    report: FileReport
    rows: list[dict[str, Any]]


def _member(facts: dict[str, Any]) -> MemberReport:
    header: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts["header"].items()
    }
    columns = tuple(facts.get("columns", ()))
    found = tuple(_finding(finding) for finding in facts["findings"])
    whole: dict[str, Any] = {**facts, "header": Header(**header), "columns": columns, "findings": found}
    return MemberReport(**whole)


def _finding(facts: dict[str, Any]) -> Finding:
    whole: dict[str, Any] = {**facts, "examples": tuple(Example(**example) for example in facts["examples"])}
    return Finding(**whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a host is left alone between two requests. Moments are seconds since 1970.

    `crawl_seconds` is what its robots.txt asked for at `robots_at`, `slower_seconds` what its 429s made of us; the next
    request may be sent at `next_at`.
    """

    crawl_seconds: float = 0.0
    slower_seconds: float = 0.0
    robots_at: float = 0.0
    next_at: float = 0.0

    @property
    def gap_seconds(self) -> float:
        """Between two requests."""
        return max(self.crawl_seconds, self.slower_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a host stands. Moments are seconds since 1970; `until` 0 means that it does not rest.

    `failures` count since `since`; `opened` is how often in a row it was sent to rest.
    """

    failures: int = 0
    since: float = 0.0
    until: float = 0.0
    opened: int = 0
    pace: Pace = Pace()

    @property
    def is_open(self) -> bool:
        """Whether it rests, or waits for its probe."""
        return self.until > 0


def storable(value: Any) -> Any:
    """The same with a question mark for each half of a surrogate pair: JSON may hold one, UTF-8 may not."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        told: dict[Any, Any] = value
        return {storable(key): storable(one) for key, one in told.items()}
    if isinstance(value, list | tuple):
        several: list[Any] = [storable(one) for one in value]
        return several if isinstance(value, list) else tuple(several)
    return value
