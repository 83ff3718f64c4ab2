"""The little language of faults: what an address answers to its first, second, … request.

A script is steps with commas between them: `"503*2, reset@50%, ok"`. A step is a name with, in any order, `*N` (said to
N requests), `@P%` (from that part of the body on), `+N` / `-P%` (of the announced length), `(key=value)`. The last step
is said for ever.

| step | the server |
|---|---|
| `ok` | answers as a good server: Range, ETag, If-None-Match |
| `404`, `503(ra=2)`, … | answers that status; `ra` is its Retry-After |
| `html`, `pdf`, `empty` | answers 200 with that instead of the file |
| `cut@50%` | answers half of the body, and says that this was all |
| `reset@50%`, `stall@50%` | breaks the connection there, or says no more |
| `len+10`, `len-50%` | announces more than it sends, or less |
| `chunkcut@50%`, `chunked` | sends chunks and closes without the last one; sends all chunks |
| `silent`, `close` | never answers; closes without an answer |
| `drip(rate=1)` | sends `rate` bytes a second |
| `redir*3`, `loop` | redirects three times, then is ok; redirects to itself |
| `gz-as-csv` | sends the file gzipped and does not say so |
| `norange`, `range+7`, `etag-flip` | ignores Range; continues at a wrong place; has another ETag each time |
| `ua(Mozilla)` | is ok for agents whose name holds that, else 403 |
| `cookie` | gives a cookie and redirects to itself until it is shown |
"""

import re
from dataclasses import dataclass, field

_STEP = re.compile(r"(?P<name>\d{3}|[a-z]+(?:-(?:as-csv|flip))?)(?P<marks>(?:@\d+%|[+-]\d+%?|\*\d+|\([^)]*\))*)")
_MARK = re.compile(r"@(?P<at>\d+)%|(?P<change>[+-]\d+%?)|\*(?P<times>\d+)|\((?P<words>[^)]*)\)")
_NAMES = frozenset((
    "ok", "html", "pdf", "empty", "cut", "reset", "stall", "len", "chunkcut", "chunked", "drip", "redir", "loop",
    "gz-as-csv", "norange", "range", "etag-flip", "ua", "silent", "close", "cookie",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `at` is a part of the body (0 to 1), `change` a text like `+10` or `-50%`, `words` its `key=value`s."""

    name: str
    times: int = 1
    at: float = 0.5
    change: str = ""
    words: dict[str, str] = field(default_factory=dict[str, str], hash=False)

    @property
    def status(self) -> int:
        """The status a numbered step answers; 200 for the others."""
        return int(self.name) if self.name.isdigit() else 200


def steps_of(script: str) -> tuple[Step, ...]:
    """The steps of a script. Raises ValueError naming the step that is none."""
    return tuple(_step(part.strip()) for part in script.split(","))


def _step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    if not found or not (found["name"].isdigit() or found["name"] in _NAMES):
        raise ValueError(f"no such step in a script: {text!r}")
    times, at, change, words = 1, 0.5, "", {}
    for mark in _MARK.finditer(found["marks"]):
        times = int(mark["times"] or times)
        at = int(mark["at"]) / 100 if mark["at"] else at
        change = mark["change"] or change
        for word in filter(None, (mark["words"] or "").split(";")):
            key, _, value = word.partition("=")
            words[key.strip()] = value.strip()
    return Step(found["name"], times, at, change, words)


def step_for(steps: tuple[Step, ...], request: int) -> Step:
    """The step for the `request`-th request, counted from 0. `redir*3` is one answer, not three."""
    for step in steps:
        request -= 1 if step.name == "redir" else step.times
        if request < 0:
            return step
    return steps[-1]


_BY_STATUS: dict[str, tuple[str, str]] = {
    "401": ("blocked", "auth_required"),
    "402": ("blocked", "auth_required"),
    "403": ("blocked", "forbidden"),
    "404": ("gone", "not_found"),
    "406": ("blocked", "not_acceptable"),
    "410": ("gone", "gone"),
    "429": ("unreachable", "rate_limited"),
    "451": ("gone", "legal"),
    "503": ("unreachable", "unavailable"),
}
_BY_NAME: dict[str, tuple[str, str]] = {
    "html": ("not_a_price_file", "html"),
    "pdf": ("not_a_price_file", "pdf"),
    "empty": ("not_a_price_file", "empty"),
    "cut": ("incomplete", "truncated"),
    "len": ("incomplete", "truncated"),
    "chunkcut": ("incomplete", "truncated"),
    "reset": ("unreachable", "connection_reset"),
    "stall": ("unreachable", "stalled"),
    "silent": ("unreachable", "header_timeout"),
    "close": ("unreachable", "empty_reply"),
    "drip": ("unreachable", "too_slow"),
    "loop": ("unreachable", "bad_redirect"),
    "ua": ("blocked", "forbidden"),
}


def outcome_of(script: str) -> tuple[str, str]:
    """The outcome and reason an address with this script must end in: those of its last step (PRICE_TABLE.md §3)."""
    last = steps_of(script)[-1]
    if last.name.isdigit():
        return _BY_STATUS.get(last.name, ("unreachable", "server_error" if last.status >= 500 else "bad_request"))
    return _BY_NAME.get(last.name, ("ok", ""))
