"""What bytes are, told by the bytes."""

import gzip
import io
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimmr.sniff import Kind, sniff


def zip_of(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def tar_of(form: int) -> bytes:
    return tarfile.TarInfo("a.csv").tobuf(form)


def before_ustar() -> bytes:
    data = bytearray(tar_of(tarfile.USTAR_FORMAT))
    data[257:265], data[148:156] = bytes(8), b" " * 8
    data[148:156] = b"%06o\x00 " % sum(data)
    return bytes(data)


def root(program: bytes) -> bytes:
    """The first directory entry of a compound file: its name in 64 bytes, and at byte 80 the class of its program."""
    return "Root Entry".encode("utf-16-le").ljust(64, b"\x00") + bytes(16) + program + bytes(44)


CASES = [
    (b"", Kind.EMPTY),
    (b"  \r\n", Kind.EMPTY),
    (b"\xef\xbb\xbf", Kind.EMPTY),
    (gzip.compress(b"x", mtime=0), Kind.GZIP),
    (zip_of("a.csv"), Kind.ZIP),
    (zip_of(), Kind.ZIP),
    (zip_of("[Content_Types].xml", "xl/workbook.xml"), Kind.XLSX),
    (zip_of("[Content_Types].xml", "word/document.xml"), Kind.OOXML_DOCUMENT),
    (zip_of("_rels/.rels", "ppt/presentation.xml", "[Content_Types].xml"), Kind.OOXML_DOCUMENT),
    (zip_of("mimetype", "content.xml"), Kind.OPENDOCUMENT),
    (OLE + "Workbook".encode("utf-16-le"), Kind.XLS),
    (OLE + "WordDocument".encode("utf-16-le"), Kind.OLE_DOCUMENT),
    (b"\xef\xbb\xbf" * 2 + b'{"hospital_name": "X"}', Kind.JSON),
    (b"%PDF-1.4", Kind.PDF),
    (b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (b"BZh91AY", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVENZIP),
    (b"\n <!DOCTYPE HTML>", Kind.HTML),
    (b"<!-- x --><html>", Kind.HTML),
    (b"<?xml version='1.0'?><!DOCTYPE html><html/>", Kind.HTML),
    (b"\xef\xbb\xbf<?xml version='1.0'?><Workbook/>", Kind.XML),
    (b"version https://git-lfs.github.com/spec/v1\n", Kind.LFS_POINTER),
    (b'\xef\xbb\xbf {"hospital_name": 1', Kind.JSON),
    ('{"hospital_name": 1'.encode("utf-16"), Kind.JSON),
    (b"[{", Kind.JSON),
    (b'{"reporting_entity_name": "x", "reporting_structure": [', Kind.PAYER_JSON),
    (b'{"reporting_entity_name": "x", "standardcharges": [', Kind.JSON),
    (b'{"hospital_name": "x", "reporting_entity_name": "y", "in_network": 1', Kind.JSON),
    (b"description,code|1\n", Kind.DELIMITED),
    ("description,code|1\n".encode("utf-16-le"), Kind.DELIMITED),
    (b"caf\xe9;1\n\x00", Kind.DELIMITED),
    (bytes(range(256)) * 4, Kind.UNKNOWN),
    (bytes(4096), Kind.UNKNOWN),
    (b"PAR1", Kind.PARQUET),
    # archives
    (b"\x28\xb5\x2f\xfd\x24", Kind.ZSTD),
    (b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello", Kind.ZSTD),
    (b"Rar!\x1a\x07\x00", Kind.RAR),
    (b"Rar!\x1a\x07\x01\x00", Kind.RAR),
    (b"MSCF\x00\x00\x00\x00", Kind.OTHER_ARCHIVE),
    (b"\x04\x22\x4d\x18", Kind.OTHER_ARCHIVE),
    (b"PK00" + zip_of("a.csv"), Kind.ZIP),
    (b"\xef\xbb\xbf" + zip_of("a.csv"), Kind.ZIP),
    (b"BZhaving,price\n", Kind.DELIMITED),
    (tar_of(tarfile.USTAR_FORMAT), Kind.TAR),
    (tar_of(tarfile.GNU_FORMAT), Kind.TAR),
    (tar_of(tarfile.PAX_FORMAT), Kind.TAR),
    (before_ustar(), Kind.TAR),
    (b"a,b\n" + b"1,2\n" * 200, Kind.DELIMITED),
    # workbooks and documents
    (zip_of("[Content_Types].xml", "xl/workbook.bin"), Kind.XLSB),
    (zip_of("[content_types].xml", "xl\\workbook.xml"), Kind.XLSX),
    (zip_of("a.csv", "xl/b.csv"), Kind.ZIP),
    (zip_of("META-INF/manifest.xml", "content.xml", "mimetype"), Kind.OPENDOCUMENT),
    (OLE + "EncryptedPackage".encode("utf-16-le"), Kind.ENCRYPTED_OFFICE),
    (OLE + "EncryptionInfo Workbook EncryptedPackage".encode("utf-16-le"), Kind.ENCRYPTED_OFFICE),
    (OLE + root(b"\x20\x08\x02\x00") + "WordDocument".encode("utf-16-le"), Kind.XLS),
    (OLE + root(b"\x06\x09\x02\x00") + "Workbook".encode("utf-16-le"), Kind.OLE_DOCUMENT),
    (OLE + root(bytes(4)) + "WordDocument Workbook".encode("utf-16-le"), Kind.OLE_DOCUMENT),
    (OLE + "__properties_version1.0".encode("utf-16-le"), Kind.OLE_DOCUMENT),
    (OLE + "Book".encode("utf-16-le"), Kind.XLS),
    (OLE, Kind.XLS),
    (b"{\\rtf1\\ansi", Kind.RTF),
    (b"SQLite format 3\x00", Kind.DATABASE),
    (b"\x00\x01\x00\x00Standard ACE DB\x00", Kind.DATABASE),
    # pages and markup
    (b"\r\n%PDF-1.7", Kind.PDF),
    (b"<table border=0><tr><td>x", Kind.HTML),
    (b"<table><item><price>1</price></item></table>", Kind.XML),
    (b"<div class=x>", Kind.HTML),
    (b"<meta http-equiv=Content-Type><html xmlns:x='urn:schemas-microsoft-com:office:excel'>", Kind.HTML),
    ("<html>".encode("utf-16"), Kind.HTML),
    (b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n", Kind.MHTML),
    (b"From: <Saved by Blink>\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;", Kind.MHTML),
    (b"From,To,Price\n1,2,3\n", Kind.DELIMITED),
    (b"Date: 1/1/2024,Content\nfrom,to\n", Kind.DELIMITED),
    (b"<?xml version='1.0'?><svg xmlns='x'/>", Kind.IMAGE),
    (b"<?xml version='1.0'?>\n<?mso-application progid=\"Excel.Sheet\"?>\n<Workbook", Kind.SPREADSHEETML),
    (b"<ss:Workbook xmlns:ss='urn:schemas-microsoft-com:office:spreadsheet'>", Kind.SPREADSHEETML),
    (b"<Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'>", Kind.SPREADSHEETML),
    (b"<dataroot><Prices/></dataroot>", Kind.XML),
    (b"/annex/objects/SHA256E-s1--x\n", Kind.LFS_POINTER),
    # JSON, and text that only looks so
    (b"{", Kind.JSON),
    (b" \t\r\n\x00[ ]", Kind.JSON),
    (b')]}\'\n{"a": 1}', Kind.JSON),
    (b")]}',\n[1]", Kind.JSON),
    (b'while(1);{"a": 1}', Kind.JSON),
    (b'var prices = {"a": 1};', Kind.JSON),
    (b'callback([{"a": 1}])', Kind.JSON),
    (b'// prices\n/* of\n2024 */ {"a": 1}', Kind.JSON),
    (b'{"a": 1}\n{"a": 2}\n', Kind.JSON),
    (b'{"a": 1},{"a": 2}', Kind.JSON),
    (b"{a: 1}", Kind.JSON),
    (b"[payer_name],[plan_name]\n", Kind.DELIMITED),
    (b"{Hospital},price\n", Kind.DELIMITED),
    (b"[Aetna] price,b\n", Kind.DELIMITED),
    (b"[2024 price],b\n", Kind.DELIMITED),
    (b"[-2.5e3, 7]", Kind.JSON),
    (b'"Effective": 2024,x\n', Kind.DELIMITED),
    # payers' files
    (b'{"reporting_entity_name": "x", "reporting_entity_type": "y", "plans": [', Kind.PAYER_JSON),
    (b'{"version": "1"' + b', "x": "y"' * 20_000 + b', "provider_references": [], "in_network": [', Kind.PAYER_JSON),
    (b'{"provider_groups": [{"npi": [1]}]}', Kind.PAYER_JSON),
    (b'{"hospital_name": "x", "in_network": "provider_groups"', Kind.JSON),
    # odd text
    (bytes(300) + b"description,price\n", Kind.DELIMITED),
    (b"description,price\n" + bytes(3000), Kind.DELIMITED),
    (b"a\x00\x00\x00,b\x00\x00\x00\n" * 99, Kind.DELIMITED),
    ("é,ü\n".encode("utf-16-be") + "a,b\n".encode("utf-16-be") * 99, Kind.DELIMITED),
    (b"MZ\x90\x00\x03" + bytes(range(256)), Kind.UNKNOWN),
]


@pytest.mark.parametrize(("head", "kind"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_a_head_of_bytes_has_one_kind(head: bytes, kind: Kind) -> None:
    assert sniff(head, len(head)) is kind


def test_a_page_of_blanks_and_comments_is_told_in_no_time() -> None:
    assert sniff(b"<!-- " * 50_000) is Kind.XML
    assert sniff(b" " * 262_144) is Kind.EMPTY


@pytest.mark.parametrize(
    "head",
    [b"(" * 200_000, b"{" * 200_000, b"a" * 200_000 + b"=", b"/*" * 99_000, b"<table " * 30_000, b"var " * 60_000,
     b"mime-version: " * 9_000, b"//\n" * 80_000, b"<?x " * 60_000, b"PK\x03\x04" * 60_000,
     bytes(range(1, 9)) * 30_000],
)  # fmt: skip
def test_no_head_takes_long(head: bytes) -> None:
    started = time.process_time()
    sniff(head)
    assert time.process_time() - started < 1


@given(st.binary(max_size=600))
def test_any_bytes_are_of_some_kind(data: bytes) -> None:
    assert sniff(data) in Kind
    for magic in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{", b"<", b"\xff\xfe", b"\xef\xbb\xbf"):
        assert sniff(magic + data) in Kind
