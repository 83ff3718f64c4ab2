"""What is wrong or odd in a file: every code in one table, counted in flat memory with its first examples."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from glimmr.model import WEAK_TRANSPORT, Example, Finding
from glimmr.parse.rules.book import CMS_RULES, EDITIONS, FLAG_SOURCES, Rule
from glimmr.price_table import FLAGS

__all__ = ["EDITIONS", "RULES", "Findings", "Rule", "Spots", "code_of_flag"]

_EXAMPLES = 5
_VALUE_CHARACTERS = 200


def code_of_flag(flag: str) -> str:
    """Each row flag has a finding: `bad_number` is `GL-BAD-NUMBER`."""
    return "GL-" + flag.upper().replace("_", "-")


def _of_flag(flag: str, text: str) -> Rule:
    severity, source, elsewhere = FLAG_SOURCES.get(flag, ("warning", "Glimmr", "warning"))
    return Rule(code_of_flag(flag), severity, text, source, elsewhere=elsewhere)


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        *CMS_RULES,
        *(_of_flag(flag, text) for flag, text in FLAGS.items()),
        Rule("GL-UNKNOWN-COLUMN", "info", "a column or key nobody knows; it is kept in `extra`", "Glimmr"),
        Rule("GL-REJECTED", "error", "an item gave no charge; it is in the rejects", "Glimmr"),
        Rule("GL-CUT", "error", "the content ends in the middle of a record or element", "Glimmr"),
        Rule("GL-BROKEN-CONTAINER", "error", "the compressed data is damaged; what came before was read", "Glimmr"),
        Rule("GL-JSON-BROKEN", "error", "the JSON is malformed; it was mended and read", "RFC 8259"),
        Rule(
            "GL-OTHER-HEADER",
            "error",
            "a later or inner document in the JSON has another header; its items were read, the first header counts",
            "Glimmr",
        ),
        Rule(
            "GL-XML-BROKEN", "error", "the XML has NULs or is malformed around its records; they were read", "XML 1.0"
        ),
        Rule("GL-MEMBER", "warning", "a member of the archive, or a sheet of the workbook, gave no prices", "Glimmr"),
        Rule("GL-HIDDEN-SHEET", "info", "the sheet is hidden in its workbook; it was read", "Glimmr"),
        Rule("GL-ENCODING", "warning", "not all of the text is UTF-8", "Glimmr"),
        *(Rule(code, "warning", text, "Glimmr") for code, text in WEAK_TRANSPORT.items()),
    )
}


class Spot(NamedTuple):
    """A byte where something is odd: what it is, and of which field."""

    byte: int
    value: str | None = None
    name: str | None = None


class Spots:
    """How often something odd was found in a member's bytes, and where first: as many places as a finding shows."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Spot] = []

    @property
    def wanted(self) -> int:
        """How many more places are worth to be looked up."""
        return _EXAMPLES - len(self.first)

    def add(self, byte: int, value: str, name: str | None = None) -> None:
        """One more."""
        self.count += 1
        if self.wanted:
            self.first.append(Spot(byte, value, name))

    def add_many(self, count: int, places: Iterator[int], value: str | None = None) -> None:
        """`count` more; their bytes are asked for while they are wanted."""
        self.count += count
        self.first += [Spot(byte, value) for byte in itertools.islice(places, self.wanted)]


@dataclass(slots=True)
class _Seen:
    count: int = 0
    examples: list[Example] = field(default_factory=list[Example])


class Findings:
    """Counts findings by code; keeps the first few examples of each.

    `edition` is that of the template the file follows, None while it is not known to follow one: what a rule of another
    edition found is not reported.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self.edition: str | None = None

    def add(
        self, code: str, position: str = "", *, count: int = 1, name: str | None = None, value: str | None = None
    ) -> None:
        """One more (or `count` more, or none) of `code`; the example is kept while there are few."""
        if not count:
            return
        seen = self._seen.setdefault(RULES[code].code, _Seen())
        seen.count += count
        if position and len(seen.examples) < _EXAMPLES:
            short = None if value is None else value[:_VALUE_CHARACTERS]
            seen.examples.append(Example(position=position, field=name, value=short))

    def add_spots(self, code: str, spots: Spots) -> None:
        """As many of `code` as were found in the bytes of the member."""
        for one in spots.first:
            self.add(code, f"byte {one.byte}", name=one.name, value=one.value)
        self.add(code, count=spots.count - len(spots.first))

    def wanted(self, code: str) -> int:
        """How many more examples of `code` would be kept."""
        seen = self._seen.get(code)
        return _EXAMPLES - len(seen.examples) if seen else _EXAMPLES

    def report(self) -> tuple[Finding, ...]:
        """All findings of the file's edition, by code."""
        return tuple(
            Finding(code=code, severity=self._severity(RULES[code]), count=seen.count, examples=tuple(seen.examples))
            for code, seen in sorted(self._seen.items())
            if RULES[code].holds_for(self.edition)
        )

    def _severity(self, rule: Rule) -> str:
        return rule.severity if self.edition is not None else rule.elsewhere or rule.severity
