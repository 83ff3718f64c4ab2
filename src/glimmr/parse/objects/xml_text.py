"""XML text made fit for a strict parser: stray `&` and `<`, HTML's entities, forbidden characters; a DTD is refused."""

import html.entities
import re
from collections.abc import Iterator

from glimmr.errors import ForbiddenDtd, Unparseable
from glimmr.parse.text import TextBlock

# Characters XML 1.0 does not allow (production [2] Char) become blanks.
_CONTROLS = bytes(0x20 if b < 0x20 and b not in b"\t\n\r" else b for b in range(256))
_NONCHARACTERS = re.compile(rb"\xef\xbf[\xbe\xbf]")
_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]*\?>")
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_BARE = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos);)(?:(?P<name>\w{2,31};)|#(?P<decimal>\d{1,7});|#[xX](?P<hex>[0-9a-fA-F]{1,6});)?"
    rb"|<(?P<less>[^A-Za-z_:/!?\x80-\xff])"
)
_CDATA = re.compile(rb"(<!\[CDATA\[|\]\]>)")
# libxml2 takes quadratic time for the attributes of one tag.
_LONG_TAG = re.compile(rb"<(?![!?])[^<>]{262144}")
_LONGEST_BYTES = 10_000_000  # between two `>`; libxml2 takes no longer text either


def pieces(blocks: Iterator[TextBlock]) -> Iterator[bytes]:
    """Text in pieces that end with a `>` (but for the last), without declaration: it is UTF-8 whatever that says.

    Raises ForbiddenDtd for a document type or entity declarations, Unparseable for text without end.
    """
    carry = b""
    in_data = False  # inside a CDATA section, where nothing is markup
    first = True
    for block in blocks:
        data = carry + block.data if carry else block.data
        end = data.rfind(b">") + 1
        data, carry = data[:end], data[end:]
        if len(carry) > _LONGEST_BYTES:
            raise Unparseable("text in the XML is longer than any can be", reason="broken_structure")
        if not data:
            continue
        if first:
            data = data[found.end() :] if (found := _DECLARATION.match(data)) else data.lstrip()
            first = False
        clean, in_data = _clean(data, in_data=in_data)
        yield clean
    if carry.strip():
        yield _clean(carry, in_data=in_data)[0]


def _clean(data: bytes, *, in_data: bool) -> tuple[bytes, bool]:
    data = data.translate(_CONTROLS)
    if b"\xef\xbf" in data:
        data = _NONCHARACTERS.sub(b"\xef\xbf\xbd", data)
    if not in_data and b"<![CDATA[" not in data:
        return _markup(data), False
    parts: list[bytes] = []
    for part in _CDATA.split(data):
        if part in {b"<![CDATA[", b"]]>"} and in_data == (part == b"]]>"):
            in_data = not in_data
            parts.append(part)
        else:
            parts.append(part if in_data else _markup(part))
    return b"".join(parts), in_data


def _markup(data: bytes) -> bytes:
    if _DTD.search(data):
        raise ForbiddenDtd("XML with a document type or entities is not read", reason="dtd")
    if _LONG_TAG.search(data):
        raise Unparseable("a tag in the XML is longer than any can be", reason="broken_structure")
    return _BARE.sub(_escaped, data)


def _escaped(found: re.Match[bytes]) -> bytes:
    """What a stray `&` or `<` stands for."""
    if found["less"]:
        return b"&lt;" + found["less"]
    if found["name"]:
        text = html.entities.html5.get(found["name"].decode("ascii", "replace"))
        return b"&amp;" + found["name"] if text is None else text.encode()
    number = int(found["decimal"]) if found["decimal"] else int(found["hex"], 16) if found["hex"] else None
    if number is None:
        return b"&amp;"
    allowed = number in {9, 10, 13} or 0x20 <= number <= 0xD7FF or 0xE000 <= number <= 0xFFFD
    return found[0] if allowed or 0x10000 <= number <= 0x10FFFF else b" "
