"""Whether a file was cut."""

import bz2
import csv
import gzip
import io
import lzma
import random
import tarfile
import tempfile
import zipfile
from pathlib import Path

import py7zr
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimmr.sniff import whole

PARQUET = b"PAR1\x15\x04PAR1"
CSV = b"description,code|1,setting\n" + b"a,b,c\n" * 40
ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as archive:
    archive.writestr("a.csv", CSV)

# A ZIP64 end's locator (APPNOTE 4.3.15) that speaks of nine disks.
SPANNED = b"PK\x06\x07" + bytes(12) + (9).to_bytes(4, "little")


CASES = [
    (b'{"a": [1, 2]}\n', None),
    (b'{"a": [1, 2', "truncated"),
    (b'{"a": [1,', "truncated"),
    (b'{"a": 1},\n{"a": 2},\n', None),
    (gzip.compress(CSV, mtime=0), None),
    (gzip.compress(CSV, mtime=0) * 2, None),
    (gzip.compress(CSV, mtime=0)[:-3], "truncated"),
    (gzip.compress(CSV)[:10] + b"\xff" * 40, None),
    (ZIP.getvalue(), None),
    (ZIP.getvalue()[:-30], "truncated"),
    (CSV, None),
    (CSV + b"a,b,c", None),
    (CSV + b"a,b", "suspect_truncated"),
    (CSV + b'"' + b"a" * 200_000, None),  # an open quote: a cell larger than the csv module takes
    (ZIP.getvalue()[:-22] + SPANNED + ZIP.getvalue()[-22:], None),
    (b"", None),
    (b"%PDF-1.4", None),
    (b"<a><b/></a>\r\n", None),
    ("<a><b/></a>".encode("utf-16"), None),
    (b"<a><b>1</b", "truncated"),
    (b")]}',\n{}", None),
    (b"callback({});", None),
    (PARQUET, None),
    (PARQUET[:-1], "truncated"),
]


@pytest.mark.parametrize(("data", "reason"), CASES, ids=[str(at) for at in range(len(CASES))])
def test_a_cut_file_says_so(tmp_path: Path, data: bytes, reason: str | None) -> None:
    (tmp_path / "file").write_bytes(data)
    assert whole(tmp_path / "file") == reason


def test_a_cell_is_too_large_whatever_the_csv_module_is_told_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CSV + b'"' + b"a" * 200_000)
    before = csv.field_size_limit(1 << 30)
    try:
        assert whole(tmp_path / "file") is None
    finally:
        csv.field_size_limit(before)


def zst(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(data)
    return out.getvalue().to_pybytes()


def tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a.csv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def seven(data: bytes) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.writestr(data, "a.csv")
    return out.getvalue()


PACKERS = {"bz2": bz2.compress, "xz": lzma.compress, "zst": zst, "gz": gzip.compress, "tar": tar, "7z": seven}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("size", [0, 1, 5000, 900_000])
def test_every_packed_file_is_whole_until_it_is_cut(tmp_path: Path, packer: str, size: int) -> None:
    data = PACKERS[packer](random.Random(size).randbytes(size))
    (tmp_path / "file").write_bytes(data)
    assert whole(tmp_path / "file") is None
    # A tar ends in many blocks of zeros; a 7z of nothing has no list at its end.
    cuts = [512 + size // 2] if packer == "tar" else [len(data) // 2, len(data) - 1]
    for cut in cuts if size else []:
        (tmp_path / "file").write_bytes(data[:cut])
        assert whole(tmp_path / "file") == "truncated"


@pytest.mark.parametrize("packer", ["bz2", "xz", "zst", "gz"])
def test_streams_in_a_row_and_padding_are_whole(tmp_path: Path, packer: str) -> None:
    data = PACKERS[packer](b"a") + PACKERS[packer](CSV)
    (tmp_path / "file").write_bytes(data if packer == "zst" else data + bytes(8))
    assert whole(tmp_path / "file") is None


@given(st.binary(max_size=300))
def test_bzip2_is_whole_wherever_its_last_bit_falls(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").write_bytes(bz2.compress(data))
        assert whole(Path(folder) / "file") is None
