"""Magic bytes: which kind of content a head of bytes begins."""

import re
from enum import StrEnum

HEAD_BYTES = 256 * 1024  # what `sniff` wants to see; less is fine when the content is shorter


class Kind(StrEnum):
    """What bytes are. The value is what reports show."""

    EMPTY = "empty"
    GZIP = "gz"
    ZIP = "zip"
    BZIP2 = "bz2"
    XZ = "xz"
    ZSTD = "zst"
    SEVENZIP = "7z"
    RAR = "rar"
    TAR = "tar"
    XLSX = "xlsx"
    XLS = "xls"
    OOXML_DOCUMENT = "docx"
    OLE_DOCUMENT = "doc"
    OPENDOCUMENT = "ods"
    PDF = "pdf"
    RTF = "rtf"
    IMAGE = "image"
    HTML = "html"
    XML = "xml"
    LFS_POINTER = "lfs_pointer"
    PAYER_JSON = "payer_json"
    JSON = "json"
    PARQUET = "parquet"
    DELIMITED = "csv"
    UNKNOWN = "unknown"


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", Kind.GZIP),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVENZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"%PDF", Kind.PDF),
    (b"{\\rtf", Kind.RTF),
    (b"PAR1", Kind.PARQUET),
    (b"\x89PNG\r\n", Kind.IMAGE),
    (b"\xff\xd8\xff", Kind.IMAGE),
    (b"GIF8", Kind.IMAGE),
    (b"II*\x00", Kind.IMAGE),
    (b"MM\x00*", Kind.IMAGE),
    (b"RIFF", Kind.IMAGE),
)
_LFS = b"version https://git-lfs.github.com/spec/"
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script|title|meta)\b", re.IGNORECASE | re.DOTALL
)
_HTML_IN_XML = re.compile(rb"<(!doctype\s+html|html)\b", re.IGNORECASE)
# A payer's Transparency-in-Coverage file (CMS price-transparency-guide, schemas table-of-contents, in-network-rates,
# allowed-amounts, provider-reference): its root keys.
_PAYER_ROOT = re.compile(rb'"(in_network|out_of_network|reporting_structure|provider_groups|provider_references)"\s*:')
_PAYER_SIGN = re.compile(rb'"(reporting_entity_name|reporting_entity_type|provider_groups|in_network)"\s*:')
_HOSPITAL_SIGN = re.compile(rb'"(standard_charge_information|hospital_name)"\s*:')


def sniff(head: bytes, size_bytes: int | None = None) -> Kind:
    """What content begins with `head` (up to HEAD_BYTES of it; `size_bytes` is its whole size, when known)."""
    if not head or (size_bytes is not None and size_bytes == 0):
        return Kind.EMPTY
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return of_zip_names(_local_names(head))
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _of_ole(head)
    if head[257:262] == b"ustar":
        return Kind.TAR
    return _of_text(as_ascii(head))


def of_zip_names(names: list[bytes]) -> Kind:
    """A ZIP is told by the names of its members: a workbook, a document, or a container (OPC, ISO 29500-2)."""
    if b"[Content_Types].xml" in names or b"_rels/.rels" in names:
        if any(name.startswith((b"word/", b"ppt/")) for name in names):
            return Kind.OOXML_DOCUMENT
        return Kind.XLSX if any(name.startswith(b"xl/") for name in names) else Kind.ZIP
    if names and names[0] == b"mimetype":
        return Kind.OPENDOCUMENT
    return Kind.ZIP


def as_ascii(head: bytes) -> bytes:
    """A head of text in one-byte characters, whatever its encoding: BOMs gone, UTF-16 squeezed. For looking only."""
    while head.startswith(b"\xef\xbb\xbf"):
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


def _local_names(head: bytes) -> list[bytes]:
    """The names in the local file headers that are in sight (APPNOTE 4.3.7)."""
    names: list[bytes] = []
    at = head.find(b"PK\x03\x04")
    while at != -1 and at + 30 <= len(head):
        length = int.from_bytes(head[at + 26 : at + 28], "little")
        names.append(head[at + 30 : at + 30 + length])
        at = head.find(b"PK\x03\x04", at + 4)
    return names


def _of_ole(head: bytes) -> Kind:
    if "WordDocument".encode("utf-16-le") in head:
        return Kind.OLE_DOCUMENT
    if "PowerPoint Document".encode("utf-16-le") in head:
        return Kind.OLE_DOCUMENT
    return Kind.XLS


def _of_text(head: bytes) -> Kind:
    text = head.lstrip()
    if not text.strip(b"\x00"):
        return Kind.EMPTY if not text else Kind.UNKNOWN
    if text.startswith(_LFS):
        return Kind.LFS_POINTER
    if text.startswith((b"{", b"[")):
        payer = _PAYER_ROOT.search(head) and _PAYER_SIGN.search(head) and not _HOSPITAL_SIGN.search(head)
        return Kind.PAYER_JSON if payer else Kind.JSON
    if _HTML.match(head[:8192]):
        return Kind.HTML
    if text.startswith(b"<"):
        return Kind.HTML if _HTML_IN_XML.search(head[:8192]) else Kind.XML
    return Kind.UNKNOWN if _is_binary(head) else Kind.DELIMITED


def _is_binary(head: bytes) -> bool:
    """Text has hardly any control characters; a stray NUL is tolerated (real files have them)."""
    sample = head[:65536]
    controls = len(sample) - len(sample.translate(None, bytes(b for b in range(32) if b not in (9, 10, 12, 13))))
    return controls > 2 + 0.02 * len(sample)
