"""The little language of faults: what an address answers to its first, second, … request.

A script is steps with commas between them: `"503*2, reset@50%, ok"`. A step is a name with, in any order, `*N` (said to
N requests), `@P%` (from that part of the body on), `+N` / `-P%` (of what is announced), `(word;key=value)`. The last
step is said for ever.

| step | the server |
|---|---|
| `ok` | answers as a good server: Range, ETag, If-None-Match |
| `404`, `503(ra=2)`, `429(date=2)`, … | answers that status; Retry-After is so many seconds, or a date so far off |
| `html`, `pdf`, `empty` | answers 200 with that instead of the file |
| `challenge`, `challenge(status=202)` | answers with the page of a robot check |
| `page`, `page(links=2)` | answers with a page that has one link to the file, or several |
| `confirm` | answers with a page whose form must be sent to have the file (too large for a virus scan) |
| `share(dl=1)` | answers with a page about the file until the query says that |
| `cut@50%` | answers half of the body, and says that this was all |
| `reset@50%`, `stall@50%` | breaks the connection there, or says no more |
| `len+10`, `len-50%` | announces more than it sends, or less |
| `chunkcut@50%`, `chunked` | sends chunks and closes without the last one; sends all chunks |
| `silent`, `close` | never answers; closes without an answer |
| `garbage`, `trickle` | answers what is no HTTP; sends one line of a header every half second, for ever |
| `drip(1B/s)` | sends so many bytes a second |
| `redir*3`, `loop` | redirects three times, then is ok; redirects to itself |
| `away` | redirects to another host, which has the file |
| `gz-as-csv`, `gzip` | sends the file gzipped and does not say so; says so, though nobody asked for it |
| `says-gzip` | says that the file is gzipped, which it is not |
| `norange`, `range+7`, `total+7` | ignores Range; goes on at a wrong place; calls the file larger when it goes on |
| `weak`, `bare`, `etag-flip` | has a weak ETag only; has no validator; has another ETag each time |
| `renew` | has a newer file there |
| `name(path)` | names the file in Content-Disposition: `path`, `nul`, `rtl`, `long`, `utf8` |
| `ua(Mozilla)` | is ok for agents whose name holds that, else 403 |
| `cookie` | gives a cookie and redirects to itself until it is shown |

What sends a body may be of several minds: the words `norange`, `weak`, `bare`, `etag-flip` behind another name add
that (`reset@50%(weak)`), `deaf` heeds Range and not If-Range, `mute` names no version in a part.

Two steps answer nothing and stand beside the others: `down(60s..120s)` lets the file's host refuse connections in that
time of the world's clock (`down(0s..)`: for ever); `size=2GiB` makes the file so large, whatever part of it is wanted.
"""

import re
from dataclasses import dataclass, field

_STEP = re.compile(
    r"(?P<name>\d{3}|[a-z]+(?:-[a-z]+)*)(?P<marks>(?:@\d+%|[+-]\d+%?|\*\d+|=\d+(?:[KMG]iB|B)|\([^)]*\))*)"
)
_MARK = re.compile(
    r"@(?P<at>\d+)%|(?P<change>[+-]\d+%?)|\*(?P<times>\d+)|=(?P<size>\d+)(?P<unit>[KMG]?)i?B|\((?P<words>[^)]*)\)"
)
_SPAN = re.compile(r"(\d+)s\.\.(?:(\d+)s)?")
_RATE = re.compile(r"(\d+)B/s")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_SLOWEST = 1024  # bytes a second that are waited for
_ASIDE = frozenset(("down", "size"))  # they answer nothing
NAMES = _ASIDE | frozenset((
    "ok", "html", "pdf", "empty", "challenge", "page", "confirm", "share", "cut", "reset", "stall", "len", "chunkcut",
    "chunked", "silent", "close", "garbage", "trickle", "drip", "redir", "loop", "away", "gz-as-csv", "gzip",
    "says-gzip", "norange", "range", "total", "weak", "bare", "etag-flip", "renew", "name", "ua", "cookie",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `at` is a part of the body (0 to 1), `change` a text like `+10` or `-50%`, `words` its `key=value`s."""

    name: str
    times: int = 1
    at: float = 0.5
    change: str = ""
    words: dict[str, str] = field(default_factory=dict[str, str], hash=False)
    size_bytes: int = 0  # of `size=`

    @property
    def status(self) -> int:
        """The status a numbered step answers; 200 for the others."""
        return int(self.name) if self.name.isdigit() else int(self.words.get("status", "200"))

    def has(self, trait: str) -> bool:
        """Whether it is of that mind: by its name, or by a word."""
        return trait == self.name or trait in self.words

    @property
    def rate(self) -> int:
        """Bytes a second of a `drip`; 0 for what is not slow."""
        return next((int(found[1]) for word in self.words if (found := _RATE.fullmatch(word))), 0)

    @property
    def span(self) -> tuple[float, float]:
        """From when to when a host is `down`, in seconds of the world's clock."""
        found = next(filter(None, map(_SPAN.fullmatch, self.words)), None)
        if self.name != "down" or found is None:
            return 0.0, 0.0
        return float(found[1]), float(found[2] or "inf")


def steps_of(script: str) -> tuple[Step, ...]:
    """The steps of a script. Raises ValueError naming the step that is none."""
    return tuple(_step(part.strip()) for part in script.split(","))


def _step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    if not found or not (found["name"].isdigit() or found["name"] in NAMES):
        raise ValueError(f"no such step in a script: {text!r}")
    times, at, change, words, size_bytes = 0 if found["name"] in _ASIDE else 1, 0.5, "", {}, 0
    for mark in _MARK.finditer(found["marks"]):
        times = int(mark["times"] or times)
        at = int(mark["at"]) / 100 if mark["at"] else at
        change = mark["change"] or change
        size_bytes = int(mark["size"]) * _UNITS[mark["unit"]] if mark["size"] else size_bytes
        for word in filter(None, (mark["words"] or "").split(";")):
            key, _, value = word.partition("=")
            words[key.strip()] = value.strip()
    step = Step(found["name"], times, at, change, words, size_bytes)
    if (step.name == "size") != bool(size_bytes) or (step.name == "down" and step.span == (0.0, 0.0)):
        raise ValueError(f"no such step in a script: {text!r}")
    return step


def size_of(script: str) -> int:
    """The bytes that `size=` makes the file large; 0 where it does not."""
    return sum(step.size_bytes for step in steps_of(script))


def step_for(steps: tuple[Step, ...], request: int) -> Step:
    """The step for the `request`-th request, counted from 0. `redir*3` is one answer, not three."""
    answering = [step for step in steps if step.name not in _ASIDE] or [Step("ok")]
    for step in answering:
        request -= 1 if step.name == "redir" else step.times
        if request < 0:
            return step
    return answering[-1]


_BY_STATUS: dict[str, tuple[str, str]] = {
    "401": ("blocked", "auth_required"),
    "402": ("blocked", "auth_required"),
    "407": ("blocked", "auth_required"),
    "403": ("blocked", "forbidden"),
    "404": ("gone", "not_found"),
    "406": ("blocked", "not_acceptable"),
    "999": ("blocked", "not_acceptable"),
    "410": ("gone", "gone"),
    "429": ("unreachable", "rate_limited"),
    "451": ("gone", "legal"),
    "503": ("unreachable", "unavailable"),
    **dict.fromkeys(("202", "203", "204", "205", "304"), ("unreachable", "no_content")),
    **dict.fromkeys(("408", "425", "500"), ("unreachable", "server_error")),
    **dict.fromkeys(("501", "505"), ("unreachable", "bad_request")),
}
_BY_NAME: dict[str, tuple[str, str]] = {
    "html": ("not_a_price_file", "html"),
    "pdf": ("not_a_price_file", "pdf"),
    "empty": ("not_a_price_file", "empty"),
    "challenge": ("blocked", "challenge_page"),
    "cut": ("incomplete", "truncated"),
    "len": ("incomplete", "truncated"),
    "chunkcut": ("incomplete", "truncated"),
    "reset": ("unreachable", "connection_reset"),
    "stall": ("unreachable", "stalled"),
    "silent": ("unreachable", "header_timeout"),
    "close": ("unreachable", "empty_reply"),
    "garbage": ("unreachable", "protocol_error"),
    "trickle": ("unreachable", "header_timeout"),
    "drip": ("unreachable", "too_slow"),
    "loop": ("unreachable", "bad_redirect"),
    "ua": ("blocked", "forbidden"),
}


def outcome_of(script: str) -> tuple[str, str]:
    """The outcome and reason an address with this script must end in: those of its last step (PRICE_TABLE.md §3)."""
    steps = steps_of(script)
    if any(step.span[1] == float("inf") for step in steps):
        return "unreachable", "connection_refused"
    last = step_for(steps, 10**9)
    if last.name.isdigit() and last.status != 200:
        return _BY_STATUS.get(last.name, ("unreachable", "server_error" if last.status >= 500 else "bad_request"))
    fine = last.rate >= _SLOWEST or (last.name == "ua" and "Mozilla" in last.words)  # so says every client who it is
    if last.name == "page" and "links" in last.words:
        return "not_a_price_file", "html"
    return ("ok", "") if fine else _BY_NAME.get(last.name, ("ok", ""))
