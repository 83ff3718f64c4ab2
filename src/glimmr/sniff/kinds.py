"""Magic bytes: which kind of content a head of bytes begins."""

import re

from glimmr.sniff.kind import HEAD_BYTES, Kind
from glimmr.sniff.writing import as_ascii, of_text, utf16_encoding

__all__ = ["HEAD_BYTES", "Kind", "as_ascii", "is_tar_header", "of_zip_names", "sniff", "utf16_encoding"]

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (rb"\x1f\x8b", Kind.GZIP),
    (rb"BZh[1-9]($|1($|A($|Y($|&SY)))|\x17($|\x72))", Kind.BZIP2),
    (rb"\xfd7zXZ\x00", Kind.XZ),
    (rb"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (rb"[\x50-\x5f]\x2a\x4d\x18.{4}", Kind.ZSTD),  # a frame to skip comes first (RFC 8878 3.1.2); lz4 has them too
    (rb"7z\xbc\xaf\x27\x1c", Kind.SEVENZIP),
    (rb"Rar!\x1a\x07", Kind.RAR),
    (rb"\x1f\x9d|\x1f\xa0|\x04\x22\x4d\x18|LZIP\x01|MSCF\x00\x00\x00\x00|!<arch>\n", Kind.OTHER_ARCHIVE),
    (rb"(PK00)?(PK\x03\x04|PK\x05\x06|PK\x07\x08PK\x03\x04)", Kind.ZIP),
    (rb"\{\\rtf", Kind.RTF),
    (rb"PAR1($|\x15)", Kind.PARQUET),
    (rb"SQLite format 3\x00|\x00\x01\x00\x00Standard (Jet|ACE) DB\x00", Kind.DATABASE),
    (
        rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*|RIFF.{4}WEBP|BM.{4}\x00\x00\x00\x00|\x00\x00\x01\x00",
        Kind.IMAGE,
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _MAGIC)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The first field of the class of the program that wrote a compound file ([MS-CFB] 2.6.1): Excel 5 to 95, Excel 97 and
# later, Word 6 and 95, Word 97 and later, PowerPoint 97 and later.
_ROOT_CLASSES = {
    b"\x10\x08\x02\x00": Kind.XLS,
    b"\x20\x08\x02\x00": Kind.XLS,
    b"\x00\x09\x02\x00": Kind.OLE_DOCUMENT,
    b"\x06\x09\x02\x00": Kind.OLE_DOCUMENT,
    b"\x10\x8d\x81\x64": Kind.OLE_DOCUMENT,
}
_TAR_HEADER_BYTES = 512
_TAR_CHECKSUM = slice(148, 156)


def sniff(head: bytes, size_bytes: int | None = None) -> Kind:
    """What content begins with `head` (up to HEAD_BYTES of it; `size_bytes` is its whole size, when known)."""
    if not head or (size_bytes is not None and size_bytes == 0):
        return Kind.EMPTY
    kind = next((kind for pattern, kind in _PATTERNS if pattern.match(head)), None)
    if kind is Kind.ZIP:
        return of_zip_names(_local_names(head))
    if kind is not None:
        return kind
    if head.startswith(_OLE):
        return _of_ole(head)
    if head[257:262] == b"ustar" or is_tar_header(head[:_TAR_HEADER_BYTES]):
        return Kind.TAR
    return of_text(as_ascii(head))


def of_zip_names(names: list[bytes]) -> Kind:
    """A ZIP is told by the names of its members: a workbook, a document, or a container (OPC, ISO 29500-2)."""
    # OPC compares names without case; some tools write them with backslashes.
    parts = {name.replace(b"\\", b"/").lstrip(b"/").lower() for name in names}
    if b"[content_types].xml" in parts or b"_rels/.rels" in parts:
        if any(part.startswith((b"word/", b"ppt/", b"visio/")) for part in parts):
            return Kind.OOXML_DOCUMENT
        if b"xl/workbook.bin" in parts:
            return Kind.XLSB
        return Kind.XLSX if any(part.startswith(b"xl/") for part in parts) else Kind.ZIP
    if names and names[0] == b"mimetype":
        return Kind.OPENDOCUMENT
    return Kind.OPENDOCUMENT if {b"mimetype", b"content.xml", b"meta-inf/manifest.xml"} <= parts else Kind.ZIP


def is_tar_header(header: bytes) -> bool:
    """Whether a block is a tar's: its checksum is right, which old tars without `ustar` have too (POSIX pax, ustar)."""
    if len(header) < _TAR_HEADER_BYTES or not header[0]:
        return False
    digits = header[_TAR_CHECKSUM].strip(b" \x00")
    if not digits or digits.strip(b"01234567"):
        return False
    rest = header[: _TAR_CHECKSUM.start] + b" " * 8 + header[_TAR_CHECKSUM.stop :]
    # Some old tars summed the bytes as signed numbers.
    return int(digits, 8) in {sum(rest), sum(byte - 256 if byte > 127 else byte for byte in rest)}


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
    """A compound file ([MS-CFB]): by the class of its root, else by the names of its streams, as far as they are seen.

    They may stand anywhere in the file; what nobody has seen may be a workbook.
    """
    if _utf16("EncryptedPackage") in head:  # [MS-OFFCRYPTO] 1.3.3
        return Kind.ENCRYPTED_OFFICE
    root = head.find(_utf16("Root Entry"))
    kind = _ROOT_CLASSES.get(head[root + 80 : root + 84]) if root != -1 else None
    if kind is not None:
        return kind
    documents = ("WordDocument", "PowerPoint Document", "VisioDocument", "__properties_version1.0")
    return Kind.OLE_DOCUMENT if any(_utf16(name) in head for name in documents) else Kind.XLS


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")
