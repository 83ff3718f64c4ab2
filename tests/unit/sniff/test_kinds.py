"""What bytes are, told by the bytes."""

import gzip
import io
import zipfile

import pytest

from glimmr.sniff import Kind, sniff


def zip_of(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


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
]


@pytest.mark.parametrize(("head", "kind"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_a_head_of_bytes_has_one_kind(head: bytes, kind: Kind) -> None:
    assert sniff(head, len(head)) is kind


def test_a_page_of_blanks_and_comments_is_told_in_no_time() -> None:
    assert sniff(b"<!-- " * 50_000) is Kind.XML
    assert sniff(b" " * 262_144) is Kind.EMPTY
