"""Every knob: from the environment (`GLIMMR_…`), else from `glimmr.toml` in the working folder, else its default."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from glimmr.errors import UsageError

_PREFIX = "GLIMMR_"
_TOML = "glimmr.toml"
_LARGEST = 2**53  # beyond it, and for infinity, clocks, curl and SQLite each fail in their own way
_TESTS_ONLY = {"GLIMMR_CORPUS"}  # read by the tests, not by the program


class Settings(BaseSettings):
    """Every knob of Glimmr with its default. Durations are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, toml_file=_TOML, extra="forbid", frozen=True
    )

    data: Path = Field(
        Path("glimmr-data"), description="Folder of everything Glimmr keeps: database, bytes, price table, scratch."
    )
    scratch: Path | None = Field(
        None,
        description="Folder in which downloads grow, where the data folder's disk is too small or too slow for them:"
        " made when there is none, and needs `GLIMMR_MIN_FREE_BYTES`. Each data folder has a folder of its own in it."
        " Empty: `scratch` in the data folder.",
    )
    database_url: str = Field(
        "",
        description="PostgreSQL (14 or newer) of a fleet, `postgresql://user@host/name`; needs `GLIMMR_STORE_URL`."
        " Empty: `glimmr.sqlite` in the data folder.",
    )
    redis_url: str = Field(
        "",
        description="Redis of a fleet, which brings jobs to its workers: `redis://`, `rediss://` (TLS), `unix://`,"
        " `redis+sentinel://`, `redis+cluster://`. Keep it to the fleet: who can write to it can run code in its"
        " workers. Empty: each worker looks for jobs itself.",
    )
    redis_family: Literal["any", "ipv4", "ipv6"] = Field(
        "any", description="Addresses of Redis's name to connect to: any, ipv4 or ipv6."
    )
    redis_timeout_seconds: float = Field(2.0, gt=0, description="Longest wait for an answer of Redis.")
    redis_max_connections: int = Field(
        50, ge=10, description="Most connections to Redis of one step of one worker; each uses about five."
    )
    store_url: str = Field(
        "",
        description="Where a fleet keeps bytes and price table: `s3://…`, `gs://…`, `az://…`, or a folder that all its"
        " workers see; needs `GLIMMR_DATABASE_URL`. Empty: the data folder.",
    )
    store_timeout_seconds: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="Longest wait for one answer of the object store. Bytes go up in parts of 5 MiB, four at a time,"
        " and each must get there within this time.",
    )
    allow_addresses: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks (comma-separated) asked although they are not public, on any port."
    )
    connect_to: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="`host=ip:port` (comma-separated; host may be `*.name`): where to connect to instead."
    )
    ca_bundle: str = Field("", description="File of trusted certificates; default is the system's.")
    insecure_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts (comma-separated; may be `*.name`) whose certificates are not checked: anybody on the way"
        " can change what they send. What came so has the finding `GL-TLS-INSECURE`.",
    )
    contact: str = Field("", description="E-mail or address told to servers in the User-Agent.")
    browser_agent: str = Field(
        "",
        description="A browser's User-Agent, shown to servers that refuse the honest one in every other way. Empty:"
        " never.",
    )
    impersonate: Literal["", "chrome", "firefox", "safari"] = Field(
        "",
        description="A browser (chrome, firefox, safari), whose headers and TLS a server gets that refuses every other"
        " way of asking: it is not told who asks. Needs the extra `impersonate`. Empty: never.",
    )
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        ("cms_roster", "pra", "cms_hpt"),
        description="The sources that are asked (comma-separated): CMS's roster of hospitals, PRA's addresses, the"
        " cms-hpt.txt of the sites these name. With `page` also the price pages of these sites, and the beginning of"
        " what they link to.",
    )
    sites_again_seconds: float = Field(
        86_400.0,
        ge=0,
        description="A site that answered is not asked again by the same source within this time (see --refresh).",
    )
    pages_per_site: int = Field(
        3,
        ge=1,
        le=100,
        description="Pages of one site that the source `page` asks for at most, with its home page.",
    )
    pra_url: str = Field(
        "https://pts.patientrightsadvocatefiles.org", description="Base address of the PRA price-file API."
    )
    pra_requests: int = Field(100, ge=1, description="PRA requests allowed per window, all processes together.")
    pra_window_seconds: float = Field(180.0, gt=0, description="Window in which PRA allows so many requests.")
    pra_delay_seconds: float = Field(2.0, ge=0, description="Pause between two states asked of PRA.")
    cms_roster_url: str = Field(
        "https://data.cms.gov/provider-data/api/1/datastore/query/xubh-q36u/0",
        description="CMS's roster of hospitals: its API's address, or that of a CSV with the same columns.",
    )
    cms_catalog_url: str = Field(
        "https://data.cms.gov/data.json",
        description="CMS's list of its datasets, where the hospital enrollments (NPIs, other names) are found by title."
        " `off`: nobody is asked for them.",
    )
    scans: int = Field(4, ge=1, le=64, description="Scans (a source asked about one place) at a time.")
    downloads: int = Field(2, ge=1, le=64, description="Downloads at a time.")
    parses: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=1024,
        description="Files parsed at a time; default is the cores.",
    )
    publishes: int = Field(
        1, ge=1, le=64, description="Price lists published at a time; more only wait for each other's commits."
    )
    connections_per_host: int = Field(2, ge=1, le=1024, description="Connections to one host at a time.")
    bandwidth_bytes: int = Field(
        0,
        ge=0,
        description="Most bytes per second that one process receives, all its downloads together, in fair shares."
        " 0: no limit.",
    )
    crawl_delay_seconds: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="Longest pause between two requests of one host that its robots.txt (Crawl-delay) is given."
        " 0: no robots.txt is asked for.",
    )
    connect_timeout_seconds: float = Field(20.0, gt=0, le=86_400, description="Longest wait for a connection.")
    header_timeout_seconds: float = Field(60.0, gt=0, description="Longest wait for the answer's header.")
    min_rate_bytes: int = Field(1024, ge=1, description="Fewest bytes per second, over the stall time.")
    stall_seconds: float = Field(60.0, gt=0, description="How long a transfer may be slower than the minimum rate.")
    download_deadline_seconds: float = Field(1800.0, gt=0, description="Least time allowed for a whole download.")
    download_deadline_rate_bytes: int = Field(
        50_000, ge=1, description="Bytes per second that stretch the download deadline of large files."
    )
    download_deadline_cap_seconds: float = Field(
        43_200.0, gt=0, description="Most time allowed for a whole download, however large."
    )
    whole_fetch_seconds: float = Field(
        604_800.0,
        ge=0,
        description="A large file whose server does not say whether it changed is compared with the bytes we have by"
        " five ranges of 1 MiB; once they are older than this, it is brought home whole. 0: always whole.",
    )
    max_file_bytes: int = Field(20 * 2**30, ge=1, description="Largest file that is brought home.")
    max_unpacked_bytes: int = Field(20 * 2**30, ge=1, description="Largest size a container may unpack to.")
    max_members: int = Field(1000, ge=1, description="Most members of an archive.")
    max_rejected_percent: float = Field(
        50.0, ge=0, le=100, description="A file with a larger share of rejected items is `unparseable`."
    )
    child_memory_bytes: int = Field(1 * 2**30, ge=64 * 2**20, description="Most memory (RSS) of a parsing process.")
    parse_deadline_seconds: float = Field(3600.0, gt=0, description="Least time allowed for parsing one file.")
    parse_deadline_seconds_per_gb: float = Field(600.0, ge=0, description="Parsing time allowed per GB of file.")
    scan_deadline_seconds: float = Field(1800.0, gt=0, description="Longest run of one scan job.")
    lease_seconds: float = Field(
        45.0, ge=1, description="How long a job stays with a worker that says nothing (the same in a whole fleet)."
    )
    max_stalls: int = Field(3, ge=0, description="A job whose worker died more often than this is `poison`.")
    max_attempts: int = Field(14, ge=1, description="Most attempts of a job that fails for a passing reason.")
    retry_scale: float = Field(1.0, gt=0, description="Factor on every retry delay of ours (not on a server's).")
    patience_seconds: float = Field(
        180.0,
        ge=0,
        description="`glimmr run` waits for retries due within this time, and leaves later ones in the ledger.",
    )
    scan_schedule: str = Field(
        "0 3 * * 0",
        description="When `glimmr serve` and `worker` ask the sources again, addresses known included: minute, hour,"
        " day, month and weekday, in UTC. `off`: never.",
    )
    scan_states: str = Field(
        "",
        description="States or territories (comma-separated, or `all`) PRA is asked about by that schedule."
        " Empty: whatever was scanned before, lists of your own included.",
    )
    prune_schedule: str = Field(
        "30 2 * * *", description="When ended jobs that are old are removed, as above. `off`: never."
    )
    keep_jobs_seconds: float = Field(604_800.0, gt=0, description="How long jobs that did not fail are kept.")
    keep_jobs: int = Field(10_000, ge=1, description="Most jobs that are kept of each outcome that is no failure.")
    keep_failures_seconds: float = Field(7_776_000.0, gt=0, description="How long failed jobs are kept.")
    worker_memory_bytes: int = Field(
        4 * 2**30,
        ge=0,
        description="A `glimmr serve` or `worker` that itself (children apart) has more memory ends in good order with"
        " exit 75, to be started again. 0: never.",
    )
    min_free_bytes: int = Field(2 * 2**30, ge=0, description="Free disk space below which no work starts.")
    keep_bytes: Literal["all", "previous", "current", "none"] = Field(
        "previous",
        description="Whose bytes are kept, beside those not read yet: `current`, each address's current snapshot and"
        " its last answer; `previous`, the one published before it, too; `all`, every one; `none`, only those that were"
        " not published. Prices stay whatever is kept. Deleted when old jobs are removed.",
    )
    keep_unreferenced_seconds: float = Field(
        7 * 86_400.0, ge=0, description="Age at which bytes that belong to no snapshot are deleted."
    )
    shrink_percent: float = Field(
        90.0, ge=0, le=100, description="A newer file with that many percent fewer prices is not trusted at once."
    )
    ops_address: str = Field(
        "auto",
        description="Where `glimmr serve` and `worker` answer `/livez`, `/readyz`, `/healthz` and `/metrics`, to"
        " whoever can reach it: `host:port`; `auto`, 127.0.0.1 and the first free port from 9470 on, told at the start;"
        " or `off`.",
    )
    health_seconds: float = Field(
        10.0, ge=0.1, le=3600, description="How often `glimmr serve` and `worker` look whether each component is well."
    )
    alert_webhook: str = Field(
        "",
        description="Address that `glimmr serve` and `worker` POST alerts to as JSON (docs/operate/alerts.md);"
        " it may be an internal one. Empty: none.",
    )
    alert_mail: str = Field(
        "", description="E-mail addresses (comma-separated) that alerts are sent to; needs `GLIMMR_SMTP_URL`."
    )
    alert_mail_from: str = Field("", description="Sender of these mails. Empty: the first they are sent to.")
    smtp_url: str = Field(
        "",
        description="Server for these mails: `smtp://user:password@host:587` (changes to TLS where the server offers"
        " it, and sends a password only then) or `smtps://…`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What is logged to standard error, at least: debug, info, warning or error."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="How: `text`, `json` (an object a line), or `auto`: text on a terminal, JSON elsewhere."
    )
    log_file: Path | None = Field(
        None,
        description="File that keeps the log as well, as JSON, from info on: what `glimmr logs` shows of a job. Several"
        " processes of a host may share it. Empty: none.",
    )
    log_file_bytes: int = Field(
        50 * 2**20, ge=2**16, description="Size at which that file is moved to `….1`; five such are kept."
    )
    crash_at: str = Field(
        "",
        description="For tests: `event:n` kills a process at work (SIGKILL) when it tells that event the n-th time,"
        " `event:n:STOP` stops it, `log:FILE` writes down what it tells; several with commas.",
    )

    @field_validator("*")
    @classmethod
    def _countable(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not value <= _LARGEST:
            raise ValueError(f"Input should be at most {_LARGEST:,}")
        return value

    @field_validator("contact", "browser_agent")
    @classmethod
    def _sendable(cls, value: str) -> str:
        if not (value.isascii() and value.isprintable()) and value:
            raise ValueError("Input should be plain ASCII: it stands in a header of every request")
        return value

    @field_validator("scan_schedule", "prune_schedule", "cms_catalog_url")
    @classmethod
    def _or_off(cls, value: str) -> str:
        return "" if value.strip().lower() == "off" else value.strip()  # an empty variable counts as none at all

    @field_validator("allow_addresses", "connect_to", "insecure_hosts", "sources", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment before `glimmr.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(**given: Any) -> Settings:
    """The settings in force. Raises UsageError naming the setting, what is wrong with it, and the near miss."""
    _refuse_unknown()
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise UsageError(f"setting {_PREFIX}{name.upper()}: {first['msg']} (got {first.get('input')!r})") from None


def _refuse_unknown() -> None:
    known = {_PREFIX + name.upper() for name in Settings.model_fields} | _TESTS_ONLY
    given = [(name, "environment") for name in os.environ if name.startswith(_PREFIX)]
    toml = Path(_TOML)
    if toml.is_file():
        try:
            keys = tomllib.loads(toml.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{_TOML} is not valid TOML: {error}") from None
        given += [(_PREFIX + name.upper(), _TOML) for name in keys]
    for name, where in given:
        if name.upper() not in known:
            names = [one.upper() for one in Settings.model_fields]  # compared without the prefix they all share
            near = difflib.get_close_matches(name.upper().removeprefix(_PREFIX), names, n=1)
            hint = f"; did you mean {_PREFIX}{near[0]}?" if near else "; `docs/reference/settings.md` lists them all"
            raise UsageError(f"unknown setting {name} in {where}{hint}")
