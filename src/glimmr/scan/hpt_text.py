"""A cms-hpt.txt as hospitals really write it: bytes in, records and findings out, whatever the mess.

Source: CMS, TXT file specification (45 CFR 180.50(d)(6)): five keys per location and price file.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise, zip_longest
from typing import Literal, NamedTuple

from glimmr.model import Example, Finding
from glimmr.scan.hpt_urls import addresses, tidy
from glimmr.sniff import HEAD_BYTES, Kind, sniff
from glimmr.sniff.kinds import utf16_encoding

MOST_BYTES = 2**20  # 185 locations, the most that were seen in one file, are 60 KB
MOST_RECORDS = 2_000
_EXAMPLES = 5
_VALUE_CHARACTERS = 200  # of an example
_MOST_PROSE = 1000  # lines below one value that are looked at
_LONGEST_VALUE = 1000  # characters of a name

CODES: dict[str, tuple[str, str]] = {
    "HPT-HTML": ("warning", "the file is a web page; the records are those in its text"),
    "HPT-ENCODING": ("info", "the text is not UTF-8, or begins with a byte order mark"),
    "HPT-KEY": ("info", "a key is not written as CMS writes it: lower case, with hyphens, at the start of a line"),
    "HPT-NO-NAME": ("error", "a record has no location-name"),
    "HPT-NO-URL": ("error", "a record has no mrf-url, or one that is no address"),
    "HPT-SEVERAL-URLS": ("info", "a record names several addresses; each is taken as a record of its own"),
    "HPT-SHARED": ("warning", "several location-names stand above one mrf-url; it is taken to be that of all of them"),
    "HPT-ORDER": ("warning", "records begin with another key than location-name"),
    "HPT-PROSE": ("info", "lines that belong to no key"),
    "HPT-TOO-LONG": ("error", "the file is longer than any that is meant; only its beginning was read"),
}

Verdict = Literal["hpt", "html", "empty", "no_records"]

_JOINT = "[ \\t\u00a0_\\-\u2010-\u2015\u2212]{0,3}"  # what stands between the words of a key
_KEYS = {
    "location-name": ("location", "name"),
    "source-page-url": ("source", "page", "url"),
    "mrf-url": ("mrf", "url"),
    "contact-name": ("contact", "name"),
    "contact-email": ("contact", "e-?mail"),
}
_FIRST = "location-name"
# A key stands anywhere, also right behind a value where the line breaks were lost.
_KEY = re.compile(
    "(?:" + "|".join(f"({_JOINT.join(words)})" for words in _KEYS.values()) + ")"
    "(?:s|\\(s\\))?(?:" + _JOINT + "[0-9]{1,3})?[ \\t\u00a0\"'\u201c\u201d\u2019*`_]{0,4}[:\uff1a]"
    # With `=` or a tabulator only at the start of a line: addresses are full of the one, tables of the other.
    "|(?m:^)[ \\t>*#\u2022\\d.)\"'-]{0,8}(?:" + "|".join(f"({_JOINT.join(words)})" for words in _KEYS.values()) + ")"
    "[ \"'*`]{0,4}(?:[ \\t]{0,8}=|\\t(?!\\s*(?:source|mrf|contact|location)\\b))",
    re.IGNORECASE,
)
_NAMES = (*_KEYS, *_KEYS)
_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_TAGS = re.compile("</?(?:br|p|div|span|pre|li|ul|ol|b|strong|em|font|td|tr)\\b[^<>]{0,400}>", re.IGNORECASE)
# What is no text of a web page, and its tags but for where its links lead.
_NO_TEXT = re.compile("<!--.*?(?:-->|\\Z)|<(script|style)\\b.*?(?:</\\1\\b|\\Z)", re.IGNORECASE | re.DOTALL)
_NO_LINK = re.compile("<!?/?(?!a\\s)[a-z][^<>]{0,2000}>", re.IGNORECASE)
_ENTITY = re.compile("&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff\0\x1a]")
# Marks that stand right before the next key on the same line are that key's.
_OPENS = re.compile("(?:[\"'\u201c\u2018_`({\\[]|\\*\\*){1,4}\\Z")
_ESCAPED_SPACE = re.compile(r"(?:\\[rnt])+")
_ESCAPED = re.compile(r"\\u((?![dD][89a-fA-F])[0-9a-fA-F]{4})")
_EMAIL = re.compile(r"[^\s@<>\"'“”(),;:]{1,64}@[^\s@<>\"'“”(),;:]{1,253}")
_CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(128, 160)}


@dataclass(frozen=True, slots=True, kw_only=True)
class HptRecord:
    """One location with one price file, as written. What is missing is empty (the name) or None; `place`: its line."""

    location_name: str
    source_page_url: str | None
    mrf_url: str | None
    contact_name: str | None
    contact_email: str | None
    place: str


@dataclass(frozen=True, slots=True)
class HptText:
    """What a cms-hpt.txt says. Only of the verdict `hpt` there are records."""

    verdict: Verdict
    records: tuple[HptRecord, ...] = ()
    findings: tuple[Finding, ...] = ()


class _Field(NamedTuple):
    key: str
    value: str
    line: int


@dataclass
class _Odd:
    """Findings while they are counted."""

    counts: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, list[Example]] = field(default_factory=dict[str, list[Example]])

    def note(self, code: str, line: int, name: str | None = None, value: str | None = None) -> None:
        self.counts[code] += 1
        shown = self.examples.setdefault(code, [])
        if len(shown) < _EXAMPLES:
            shown.append(Example(position=f"line {line}", field=name, value=(value or "")[:_VALUE_CHARACTERS] or None))

    def findings(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(code=code, severity=CODES[code][0], count=count, examples=tuple(self.examples[code]))
            for code, count in sorted(self.counts.items())
        )


def read_hpt(data: bytes) -> HptText:
    """Read a cms-hpt.txt. Never fails: what cannot be read has a verdict, what is odd a finding."""
    kind = sniff(data[:HEAD_BYTES], len(data))
    if kind is Kind.EMPTY or not data.strip():
        return HptText("empty")
    odd = _Odd()
    text = _text(data, odd)
    if kind is Kind.HTML:
        odd.note("HPT-HTML", 1)
        text = _NO_LINK.sub("\n", _NO_TEXT.sub("\n", text))
    fields = list(_fields(_plain(text), odd))
    told = (record for names, group in _groups(fields, odd) for record in _records(names, group, odd))
    records = tuple(islice(told, MOST_RECORDS))
    if next(told, None) is not None:
        odd.note("HPT-TOO-LONG", fields[-1].line, value=f"over {MOST_RECORDS:,} records")
    if kind is Kind.HTML and not any(one.location_name and one.mrf_url for one in records):
        return HptText("html")  # what is served for a file that is missing
    return HptText("hpt" if records else "no_records", records, odd.findings())


def _text(data: bytes, odd: _Odd) -> str:
    """The text as it is written, as much of it as is read."""
    head, utf16 = data[:MOST_BYTES], utf16_encoding(data)
    if utf16:
        text, is_utf8 = head[: len(head) & ~1].decode(utf16, "replace"), False
    else:
        lines = [_line(line) for line in head.split(b"\n")]
        text, is_utf8 = "\n".join(line for line, _ in lines), all(is_utf8 for _, is_utf8 in lines)
    if text.startswith("\ufeff") or not is_utf8:
        odd.note("HPT-ENCODING", 1, value=utf16)
    if len(data) > MOST_BYTES:
        # The record that was cut, address and all, is not taken for a whole one.
        starts = [match.start() for match in _KEY.finditer(text) if _key(match) == _FIRST]
        text = text[: starts[-1]] if starts else text
        odd.note("HPT-TOO-LONG", text.count("\n") + 1, value=f"{len(data):,} bytes")
    return text


def _plain(text: str) -> str:
    """A text with a line feed between its lines, without marks, tags and what nobody sees."""
    if "\\" in text:  # as JSON writes it
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text.replace("\\/", "/"))
        if "\n" not in text.strip():  # all of it is one text of JSON
            text = _ESCAPED_SPACE.sub("\n", text)
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    # "Â" and a no-break space is one whose UTF-8 somebody took for Latin-1.
    text = _INVISIBLE.sub("", _BREAKS.sub("\n", text.replace("Â\u00a0", " ")))
    return _TAGS.sub("\n", text)


def _line(line: bytes) -> tuple[str, bool]:
    """UTF-8 (and whether it is), else cp1252 with Latin-1 where that has nothing: some files turn into the other."""
    try:
        return line.decode("utf-8"), True
    except UnicodeDecodeError:
        return line.decode("latin-1").translate(_CP1252), False


def _key(match: re.Match[str]) -> str:
    return _NAMES[(match.lastindex or 1) - 1]


def _fields(text: str, odd: _Odd) -> Iterator[_Field]:
    """Every key with the text up to the next one."""
    found = list(_KEY.finditer(text))
    for number, said in _lines(text[: found[0].start()], 1) if found else ():
        odd.note("HPT-PROSE", number, value=said)
    line, at = 1, 0
    for match, following in zip_longest(found, found[1:]):
        line, at = line + text.count("\n", at, match.start()), match.start()
        key = _key(match)
        if match[0] != key + ":" or text[max(0, at - 1) : at] not in ("", "\n"):
            odd.note("HPT-KEY", line, key, match[0])
        value = text[match.end() : following.start()] if following else text[match.end() :]
        yield _Field(key, _OPENS.sub("", value) if following else value, line)


def _groups(fields: list[_Field], odd: _Odd) -> Iterator[tuple[list[_Field], list[_Field]]]:
    """The fields record by record, each with its names: those that stand alone above a record share what it says."""
    counts = Counter(one.key for one in fields)
    starter = _FIRST if counts[_FIRST] else "mrf-url"
    if fields and fields[0].key != starter and counts[fields[0].key] == counts[starter]:
        starter = fields[0].key
        odd.note("HPT-ORDER", fields[0].line, starter)
    at = [place for place, one in enumerate(fields) if one.key == starter]
    names: list[_Field] = []
    for start, end in pairwise([0, *at, len(fields)]):
        group = fields[start:end]
        if len(group) == 1 and group[0].key == _FIRST and end < len(fields):
            names += group
        elif any(one.key in (_FIRST, "mrf-url") for one in group):
            for name in names:
                odd.note("HPT-SHARED", name.line, _FIRST, tidy(name.value))
            yield [*names, *(one for one in group if one.key == _FIRST)], group
            names = []


def _records(names: list[_Field], group: list[_Field], odd: _Odd) -> Iterator[HptRecord]:
    """One record for each address of each location; one without an address where there is none."""
    said: dict[str, str] = {}
    urls: dict[str, None] = {}
    pages: list[str] = []
    for one in group:
        if one.key == "mrf-url":
            urls |= dict.fromkeys(addresses(one.value))
        elif one.key == "source-page-url":
            pages += addresses(one.value)
        elif one.key != _FIRST:
            said.setdefault(one.key, _first_line(one))
        for line, text in _rest(one):
            odd.note("HPT-PROSE", line, value=text)
    if not urls:
        written = next((one.value.strip() for one in group if one.key == "mrf-url"), None)
        odd.note("HPT-NO-URL", group[0].line, "mrf-url", written)
    if len(urls) > 1:
        odd.note("HPT-SEVERAL-URLS", group[0].line, "mrf-url", " ".join(urls))
    for name in names or [_Field(_FIRST, "", group[0].line)]:
        location_name = _first_line(name)
        if not location_name:
            odd.note("HPT-NO-NAME", name.line)
        for url in urls or [None]:
            yield HptRecord(
                location_name=location_name,
                source_page_url=pages[0] if pages else None,
                mrf_url=url,
                contact_name=said.get("contact-name") or None,
                contact_email=said.get("contact-email") or None,
                place=f"line {name.line}",
            )


def _first_line(one: _Field) -> str:
    value = next((text for _, text in _lines(one.value, one.line)), "")[:_LONGEST_VALUE]
    if one.key == "contact-email" and (email := _EMAIL.search(value.replace("mailto:", ""))):
        return email[0].rstrip(".")
    return value


def _rest(one: _Field) -> Iterator[tuple[int, str]]:
    """The lines below a value that are no part of it."""
    for number, text in islice(_lines(one.value, one.line), 1, _MOST_PROSE):
        if not (one.key.endswith("-url") and addresses(text, below=True)):
            yield number, text


def _lines(text: str, first: int) -> Iterator[tuple[int, str]]:
    """The lines that say something, tidied, with their numbers."""
    for number, line in enumerate(text.split("\n"), start=first):
        if line and (said := tidy(line)):
            yield number, said
