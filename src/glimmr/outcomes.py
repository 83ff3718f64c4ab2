"""How a file, a member or a job can end: the one closed list, and the finer reasons behind each outcome."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How it ended. The value is what every table, report and command shows."""

    OK = "ok"
    UNCHANGED = "unchanged"
    GONE = "gone"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    NOT_A_PRICE_FILE = "not_a_price_file"
    NO_PRICE_TABLE = "no_price_table"
    UNPARSEABLE = "unparseable"
    INCOMPLETE = "incomplete"
    TOO_LARGE = "too_large"
    UNSAFE = "unsafe"
    RESOURCES = "resources"
    POISON = "poison"
    INTERNAL_ERROR = "internal_error"
    CANCELLED = "cancelled"


class Fault(StrEnum):
    """Whose fault an outcome is. Publisher faults are always shown apart from ours."""

    NONE = "ok"
    PUBLISHER = "publisher"
    OURS = "ours"
    NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one outcome means: whose fault, whether the job is a success, `parse`'s exit code, its reasons."""

    fault: Fault
    success: bool | None
    exit_code: int
    reasons: frozenset[str]
    text: str


def _meaning(fault: Fault, success: bool | None, exit_code: int, text: str, *reasons: str) -> Meaning:
    return Meaning(fault, success, exit_code, frozenset(reasons), text)


_PUBLISHER = Fault.PUBLISHER

MEANINGS: dict[Outcome, Meaning] = {
    Outcome.OK: _meaning(Fault.NONE, True, 0, "prices were read and every item is accounted for", "", "partial"),
    Outcome.UNCHANGED: _meaning(
        Fault.NONE,
        True,
        0,
        "the address still serves the bytes we have",
        "not_modified",
        "same_bytes",
        "same_ranges",
    ),
    Outcome.GONE: _meaning(
        _PUBLISHER,
        True,
        1,
        "nothing is at this address any more",
        "not_found",
        "gone",
        "legal",
        "no_such_host",
        "bad_url",
        "moved",
    ),
    Outcome.BLOCKED: _meaning(
        _PUBLISHER,
        True,
        1,
        "the server refuses to hand the file out",
        "forbidden",
        "auth_required",
        "not_acceptable",
        "challenge_page",
    ),
    Outcome.UNREACHABLE: _meaning(
        _PUBLISHER,
        True,
        1,
        "the server did not deliver within the whole retry schedule",
        "connect_timeout",
        "connection_refused",
        "connection_reset",
        "dns_failure",
        "header_timeout",
        "stalled",
        "too_slow",
        "deadline",
        "empty_reply",
        "http2_error",
        "protocol_error",
        "server_error",
        "unavailable",
        "rate_limited",
        "bad_request",
        "bad_redirect",
        "no_content",
        "range_mismatch",
        "tls_handshake",
        "tls_untrusted",
        "tls_expired",
        "decoding_error",
    ),
    Outcome.NOT_A_PRICE_FILE: _meaning(
        _PUBLISHER,
        True,
        3,
        "the bytes are something else than a price file",
        "html",
        "pdf",
        "document",
        "image",
        "lfs_pointer",
        "payer_file",
        "empty",
    ),
    Outcome.NO_PRICE_TABLE: _meaning(
        _PUBLISHER,
        True,
        1,
        "it was read, but holds no table with a price in it",
        "no_header",
        "no_price_column",
        "foreign_json",
        "no_charges",
    ),
    Outcome.UNPARSEABLE: _meaning(
        _PUBLISHER,
        True,
        1,
        "its structure is broken, or more than half of its items were rejected",
        "too_many_rejects",
        "broken_structure",
        "unsupported_format",
        "unknown_format",
    ),
    Outcome.INCOMPLETE: _meaning(
        _PUBLISHER,
        True,
        1,
        "it was cut short; what is whole was kept",
        "truncated",
        "suspect_truncated",
    ),
    Outcome.TOO_LARGE: _meaning(
        _PUBLISHER, True, 3, "it is over a size setting", "file_size", "unpacked_size", "too_many_members", "too_deep"
    ),
    Outcome.UNSAFE: _meaning(
        _PUBLISHER,
        True,
        3,
        "reading it would not be safe",
        "forbidden_address",
        "forbidden_scheme",
        "bomb",
        "dtd",
        "encrypted",
    ),
    Outcome.RESOURCES: _meaning(
        Fault.OURS, False, 4, "our own work needed more memory or time than it may take", "memory", "time"
    ),
    Outcome.POISON: _meaning(Fault.OURS, False, 4, "its worker died more than three times", "stalled"),
    Outcome.INTERNAL_ERROR: _meaning(
        Fault.OURS, False, 4, "an error nobody has classified yet", "unclassified", "crashed", "not_reconciled"
    ),
    Outcome.CANCELLED: _meaning(
        Fault.NOBODY, None, 4, "stopped by an operator, or no longer wanted", "operator", "file_removed", "superseded"
    ),
}


def is_reason(outcome: Outcome, reason: str) -> bool:
    """Whether `reason` belongs to the closed list of `outcome`."""
    return reason in MEANINGS[outcome].reasons
