"""Text: its encoding, and what it is by how it begins: a page, XML, JSON, a payer's file, a table."""

import re

from glimmr.sniff.kind import Kind

_LOOK_BYTES = 8192
_UTF8_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n\x0b\x0c\x00"
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/|/annex/objects/")  # Git LFS, git-annex
_COMMENTS = rb"(?:<!--.*?-->\s*|<\?(?!xml).*?\?>\s*)*"
_HTML = re.compile(
    _COMMENTS + rb"<(!doctype\s+html|html|head|body|script|title|meta|link|style|div|frameset|center|h[1-6]|p)\b",
    re.IGNORECASE | re.DOTALL,
)
# A table without a page around it, as some export for Excel; XML may have a root of that name.
_HTML_TABLE = re.compile(_COMMENTS + rb"<table\b[^>]*>.{0,2048}?<(tr|th|td)\b", re.IGNORECASE | re.DOTALL)
_MHTML = re.compile(
    rb"(?=.{0,2048}^content-type:\s*multipart/related)(mime-version|from|subject|date|content-type):",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_BEGINNINGS = ((_POINTER, Kind.LFS_POINTER), (re.compile(rb"%PDF"), Kind.PDF), (_MHTML, Kind.MHTML))
_HTML_IN_XML = re.compile(rb"<(!doctype\s+html|html)\b", re.IGNORECASE)
_SVG = re.compile(rb"<(!doctype\s+svg|svg)\b", re.IGNORECASE)
# Excel 2002 and 2003 wrote workbooks as one XML (Office 2003 XML Reference Schemas).
_SPREADSHEETML = re.compile(
    rb"""<(\w+:)?Workbook\b[^>]*urn:schemas-microsoft-com:office:spreadsheet"""
    rb"""|<\?mso-application\s+progid\s*=\s*["']Excel\.Sheet["']\s*\?>"""
)
# What a JSON document, or a list of documents, begins with; a header in brackets (`[payer_name],…`) does not.
_JSON = re.compile(
    rb"""(\{\s*(["'{}\[/]|\w+\s*:|$))|(\[\s*(["'{}\[\]/]|-?\d[\d.eE+-]*\s*[,\]]|true\b|false\b|null\b|$))"""
)
_OBJECT_INSIDE = re.compile(rb"""[\[{]\s*(\{\s*)?"[\w .-]+"\s*:""")
_BRACKET = re.compile(rb"[\[{]")
# What some put before JSON so that a browser does not run it, or so that it does.
_BEFORE_JSON = re.compile(
    rb"""(\)\]\}['"]?,?|while\s*\(\s*1\s*\)\s*;?|for\s*\(\s*;\s*;\s*\)\s*;?|/\*.*?\*/|//[^\n]*\n"""
    rb"""|((var|let|const)\s+)?[A-Za-z_$][\w$.]*\s*[=(](?=\s*[\[{]))\s*""",
    re.DOTALL,
)
# A payer's Transparency-in-Coverage file (CMS price-transparency-guide, schemas table-of-contents, in-network-rates,
# allowed-amounts, provider-reference): its root keys.
_PAYER_ROOT = re.compile(rb'"(in_network|out_of_network|reporting_structure|provider_groups|provider_references)"\s*:')
_PAYER_SIGN = re.compile(rb'"(reporting_entity_name|reporting_entity_type|provider_groups|in_network)"\s*:')
_PAYER_NAME = re.compile(rb'"reporting_entity_name"\s*:')
_PAYER_TYPE = re.compile(rb'"reporting_entity_type"\s*:')
_HOSPITAL_SIGN = re.compile(rb'"(standard_charge_information|hospital_name)"\s*:')
# A ZIP with something before it: a local file header that makes sense (APPNOTE 4.3.7).
_ZIP_INSIDE = re.compile(rb"PK\x03\x04[\x00-\x3f][\x00-\x14]..[\x00-\x63]\x00", re.DOTALL)
_CONTROLS = bytes(code for code in range(1, 32) if code not in b"\t\n\x0c\r")


def as_ascii(head: bytes) -> bytes:
    """A head of text in one-byte characters, whatever its encoding: BOMs gone, UTF-16 squeezed. For looking only."""
    while head.startswith(_UTF8_BOM):
        head = head[3:]
    encoding = utf16_encoding(head)
    if encoding:
        return head[: len(head) & ~1].decode(encoding, "replace").lstrip("\ufeff").encode("utf-8")
    return head


def utf16_encoding(head: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` by BOM or, without one, by the NULs that ASCII text has in every other byte."""
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    even, odd = head[0:4096:2], head[1:4096:2]
    if len(odd) < 4:
        return None
    if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.05 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.05 * len(odd):
        return "utf-16-be"
    return None


def of_text(head: bytes) -> Kind:
    """What a head of text (see `as_ascii`) begins."""
    text = head.lstrip(_BLANKS)
    if not text:
        return Kind.EMPTY if head.strip() == b"" else Kind.UNKNOWN
    look = text[:_LOOK_BYTES]
    if look.startswith(b"<"):
        return _of_markup(look)
    if _is_json(look):
        return _of_json(head)
    for pattern, kind in _BEGINNINGS:
        if pattern.match(look):
            return kind
    if _ZIP_INSIDE.search(head):
        return Kind.ZIP
    return Kind.UNKNOWN if _is_binary(head) else Kind.DELIMITED


def _of_markup(look: bytes) -> Kind:
    if _SPREADSHEETML.search(look):
        return Kind.SPREADSHEETML
    if _HTML.match(look) or _HTML_TABLE.match(look) or _HTML_IN_XML.search(look):
        return Kind.HTML
    return Kind.IMAGE if _SVG.search(look) else Kind.XML


def _is_json(look: bytes) -> bool:
    return _JSON.match(look, _after_prefix(look)) is not None


def _after_prefix(look: bytes) -> int:
    """Where JSON would begin: after what guards or assigns it."""
    at = 0
    while (before := _BEFORE_JSON.match(look, at)) and before.end() > at:
        at = before.end()
    return at


def json_offset(head: bytes) -> int:
    """How many bytes stand before a JSON document that a reader must not see: `)]}'`, `var x =`, a comment. Often 0."""
    if utf16_encoding(head):
        return 0
    begins_at = len(head) - len(head.lstrip(_BLANKS + _UTF8_BOM))
    return begins_at + prefix if (prefix := _after_prefix(head[begins_at : begins_at + _LOOK_BYTES])) else 0


def json_inside(head: bytes) -> int | None:
    """Where the first bracket stands in text that does not begin as JSON but has an object with keys in it."""
    if utf16_encoding(head) or not _OBJECT_INSIDE.search(head):
        return None
    bracket = _BRACKET.search(head)
    return bracket.start() if bracket else None


def _of_json(head: bytes) -> Kind:
    if _HOSPITAL_SIGN.search(head):
        return Kind.JSON
    named = _PAYER_NAME.search(head) and _PAYER_TYPE.search(head)
    return Kind.PAYER_JSON if named or (_PAYER_ROOT.search(head) and _PAYER_SIGN.search(head)) else Kind.JSON


def _is_binary(head: bytes) -> bool:
    """Text has hardly any control characters; NULs are tolerated beside enough of it (real files are padded so)."""
    sample = head.strip(b"\x00")[:65536]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > 2 + 0.02 * len(sample) or sample.count(0) > 0.75 * len(sample)
