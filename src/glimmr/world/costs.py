"""What a script may cost its server: how often a client asks that does what it should, and for how many bytes."""

from dataclasses import dataclass

from glimmr.world.scripts import Step, outcome_of, step_for, steps_of

_AROUND = 1.1  # of a file's size: what going on where it broke off may cost
_SMALL_BYTES = 1024  # a page, a robot check
# How often an address is asked that ends so (RELIABILITY.md §4); any other as often as the client has attempts.
_TRIES = {
    "not_found": 2, "gone": 1, "legal": 1, "auth_required": 1, "forbidden": 2, "not_acceptable": 2, "challenge_page": 2,
    "bad_request": 2, "bad_redirect": 2, "no_content": 2, "protocol_error": 3, "truncated": 3,
}  # fmt: skip
_BREAKS_OFF = frozenset(("reset", "stall", "chunkcut", "drip"))
_LEADS_ON = frozenset(("cookie", "away", "page", "confirm"))  # one request more than for the file alone
_SENDS_NO_FILE = frozenset(("silent", "close", "garbage", "trickle", "loop", "html", "pdf", "empty", "challenge"))
_BEGUN_ANEW = ("weak", "bare", "norange", "etag-flip", "range", "total", "renew", "416")


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests, at least and at most, and the most bytes of bodies."""

    least_requests: int
    most_requests: int
    most_bytes: int


def cost_of(script: str, size_bytes: int, attempts: int) -> Cost:
    """What an address of that script and size costs when a client makes at most so many attempts, and they suffice."""
    steps = steps_of(script)
    outcome, reason = outcome_of(script)
    if reason == "connection_refused":
        return Cost(0, 0, 0)  # nobody gets through to ask
    last = step_for(steps, 10**9)
    passing = [step for step in steps if step.times and step is not last]
    before = sum(_requests(step) for step in passing)
    refused = 0
    if outcome in ("ok", "not_a_price_file") or last.name == "cut" or (last.name == "len" and not _boasts(last)):
        tries = 1
        refused = int(bool(passing) and (last.name in ("range", "total") or last.has("deaf")))
        least = most = before + _requests(last) + refused
    else:
        tries = min(attempts, _TRIES.get(reason, attempts))
        least, most = before + 1, before + tries * _requests(last) + (last.name in _BREAKS_OFF)
    shares = sum(_share(step) * step.times for step in passing) + _share(last) * (tries + refused)
    if not any(_boasts(step) or step.has(trait) for step in steps for trait in _BEGUN_ANEW):
        shares = min(1.0, shares)  # what is here is not sent again
    return Cost(least, most, round(size_bytes * shares * _AROUND) + _SMALL_BYTES * most)


def _boasts(step: Step) -> bool:
    return step.name == "len" and step.change.startswith("+")


def _requests(step: Step) -> int:
    """How many requests a step takes; behind a length that is too large, the rest is asked for in vain."""
    if step.name == "redir":
        return step.times + 1
    leads_on = step.name in _LEADS_ON and "links" not in step.words
    return step.times * (2 if leads_on or step.name == "loop" or _boasts(step) else 1)


def _share(step: Step) -> float:
    """What part of the file a step sends."""
    if step.name in _SENDS_NO_FILE or step.status != 200 or "links" in step.words:
        return 0.0
    return step.at if step.name in ("reset", "stall", "chunkcut", "cut") else 1.0
