"""What is wrong or odd in a file: every code in one table, counted in flat memory with its first examples."""

from dataclasses import dataclass, field

from glimmr.model import Example, Finding
from glimmr.price_table import FLAGS

_EXAMPLES = 5
_VALUE_CHARACTERS = 200
_ERRORS = frozenset({"bad_number", "bad_count", "unbalanced_quote", "short_row", "long_row"})
_INFOS = frozenset({"zero_amount", "header_alias", "modifier_row", "currency_text"})
_CMS = "CMS hospital price transparency data dictionary (CSV/JSON README)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding: stable code, severity (error, warning, info), what it says, and whose rule it is."""

    code: str
    severity: str
    text: str
    source: str


def _of_flag(flag: str, text: str) -> Rule:
    severity = "error" if flag in _ERRORS else "info" if flag in _INFOS else "warning"
    return Rule(code_of_flag(flag), severity, text, _CMS if severity != "info" else "Glimmr")


def code_of_flag(flag: str) -> str:
    """Each row flag has a finding: `bad_number` is `GL-BAD-NUMBER`."""
    return "GL-" + flag.upper().replace("_", "-")


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        *(_of_flag(flag, text) for flag, text in FLAGS.items()),
        Rule("GL-HEADER-MISSING", "error", "a general data element of the file's first two rows is missing", _CMS),
        Rule("GL-DATE", "error", "last_updated_on is no date", _CMS),
        Rule("GL-PLACEHOLDER", "error", "a placeholder of the template was left in a header", _CMS),
        Rule(
            "GL-DUPLICATE-COLUMN",
            "warning",
            "a column occurs more than once; the first counts (a payer's: each)",
            _CMS,
        ),
        Rule("GL-UNKNOWN-COLUMN", "info", "a column or key nobody knows; it is kept in `extra`", "Glimmr"),
        Rule("GL-UNKNOWN-VERSION", "warning", "the template version is none of CMS's", _CMS),
        Rule("GL-REJECTED", "error", "an item gave no charge; it is in the rejects", "Glimmr"),
        Rule("GL-CUT", "error", "the content ends in the middle of a record or element", "Glimmr"),
        Rule("GL-BROKEN-CONTAINER", "error", "the compressed data is damaged; what came before was read", "Glimmr"),
        Rule("GL-JSON-BROKEN", "error", "the JSON around the table is malformed; the table was read", "RFC 8259"),
        Rule("GL-MEMBER", "warning", "a member of the archive gave no prices", "Glimmr"),
        Rule("GL-ENCODING", "warning", "not all of the text is UTF-8", _CMS),
    )
}


@dataclass(slots=True)
class _Seen:
    count: int = 0
    examples: list[Example] = field(default_factory=list[Example])


class Findings:
    """Counts findings by code; keeps the first few examples of each."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def add(
        self, code: str, position: str = "", *, count: int = 1, name: str | None = None, value: str | None = None
    ) -> None:
        """One more (or `count` more) of `code`; the example is kept while there are few."""
        seen = self._seen.setdefault(RULES[code].code, _Seen())
        seen.count += count
        if position and len(seen.examples) < _EXAMPLES:
            short = None if value is None else value[:_VALUE_CHARACTERS]
            seen.examples.append(Example(position=position, field=name, value=short))

    def wanted(self, code: str) -> int:
        """How many more examples of `code` would be kept."""
        seen = self._seen.get(code)
        return _EXAMPLES - len(seen.examples) if seen else _EXAMPLES

    def report(self) -> tuple[Finding, ...]:
        """All findings, by code."""
        return tuple(
            Finding(code=code, severity=RULES[code].severity, count=seen.count, examples=tuple(seen.examples))
            for code, seen in sorted(self._seen.items())
        )
