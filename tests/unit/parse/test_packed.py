"""gz, bz2, xz and zstd: unpacked while they are read, several streams in a row, damage told after what is whole."""

import bz2
import gzip
import lzma
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest

from glimmr.errors import Bomb
from glimmr.parse import Limits
from glimmr.parse.unpack import Container

from .boxes import CSV, LONG, PACKERS, unpack, zst
from .papers import read

EVERY = pytest.mark.parametrize("packer", PACKERS)


@EVERY
def test_a_packed_table_is_read_and_has_no_member_name(tmp_path: Path, packer: str) -> None:
    got = read(tmp_path, PACKERS[packer](CSV.encode()))
    assert (got.ended, got.report.container, got.charges[0]["member"]) == (("ok", ""), packer, None)


@EVERY
def test_streams_in_a_row_are_one_text(tmp_path: Path, packer: str) -> None:
    pack = PACKERS[packer]
    data = pack(CSV.encode()) + pack(b"") + pack(b"CT,2,CPT,both,6,,,,,,\n")
    assert [c["description"] for c in read(tmp_path, data).charges] == ["MRI", "CT"]


@EVERY
@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_cut_stream_keeps_what_it_gave(tmp_path: Path, packer: str, part: float) -> None:
    data = PACKERS[packer](LONG.encode())
    ((name, _, got, wrong),) = unpack(tmp_path, data[: int(len(data) * part)])
    assert (name, wrong) == (None, "CutShort")
    assert LONG.encode().startswith(got)
    # bz2 packs 900 kB at a time, xz and zstd as much: a cut before the end of the first such block leaves nothing.
    assert len(got) > (100_000 if packer == "gz" or part > 0.9 else -1)


@EVERY
def test_a_cut_stream_is_incomplete(tmp_path: Path, packer: str) -> None:
    data = PACKERS[packer](LONG.encode())
    got = read(tmp_path, data[: len(data) - 40])
    assert got.ended == ("incomplete", "truncated")
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected


@pytest.mark.parametrize("packer", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("tail", [b"garbage", b"\x00" * 64, b"\x1f", b"\x00" * 100_000])
def test_what_follows_the_last_stream_is_ignored(tmp_path: Path, packer: str, tail: bytes) -> None:
    assert unpack(tmp_path, PACKERS[packer](CSV.encode()) + tail) == [(None, "csv", CSV.encode(), None)]


def test_a_zstd_frame_to_skip_is_skipped(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    assert unpack(tmp_path, skipped + zst(CSV.encode()) + skipped) == [(None, "csv", CSV.encode(), None)]


@pytest.mark.parametrize("packer", ["gz", "bz2", "xz"])
def test_a_wrong_checksum_is_told(tmp_path: Path, packer: str) -> None:
    data = bytearray(PACKERS[packer](CSV.encode()))
    data[-6 if packer == "gz" else -9 if packer == "bz2" else len(data) // 2] ^= 0xFF
    assert unpack(tmp_path, bytes(data))[0][3] == "CutShort"


def test_a_dictionary_larger_than_a_file_may_take_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 32 << 20}]
    data = lzma.compress(CSV.encode(), lzma.FORMAT_XZ, filters=filters)
    assert read(tmp_path, data, max_dictionary_bytes=8 << 20).ended == ("too_large", "unpacked_size")
    assert read(tmp_path, data).ended == ("ok", "")


@EVERY
def test_a_bomb_is_not_unpacked(tmp_path: Path, packer: str) -> None:
    bomb = PACKERS[packer](b"0\n" * 1_500_000)
    assert read(tmp_path, bomb, bomb_bytes=1_000_000, bomb_ratio=100).ended == ("unsafe", "bomb")


@EVERY
def test_unpacking_takes_little_memory(tmp_path: Path, packer: str) -> None:
    (tmp_path / "box").write_bytes(PACKERS[packer](b"0" * 100_000_000))
    tracemalloc.start()
    try:
        (member,) = Container(tmp_path / "box", Limits(bomb_bytes=50_000_000), tmp_path).members()
        with pytest.raises(Bomb):
            while member.stream.read(1 << 20):
                pass
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_layers_are_counted_and_the_chain_is_told(tmp_path: Path) -> None:
    data = zst(bz2.compress(gzip.compress(CSV.encode())))
    assert read(tmp_path, data).report.container == "zst>bz2>gz"
    assert read(tmp_path, lzma.compress(data)).ended == ("too_large", "too_deep")


def test_a_stream_is_a_file_for_who_needs_one_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(gzip.compress(CSV.encode()))
    for member in Container(tmp_path / "box", Limits(), tmp_path).members():
        file = member.stream.seekable()
        file.seek(5)
        assert file.read(3) == CSV.encode()[5:8]
        member.stream.seekable()
        assert member.stream.read(1 << 20) == CSV.encode()
        assert member.stream.read(10) == b""


def test_a_gzip_header_may_be_long(tmp_path: Path) -> None:
    packed = gzip.compress(CSV.encode(), mtime=0)
    extra, name = b"x" * 60_000, b"n" * 60_000 + b"\x00"
    header = packed[:3] + b"\x0c" + packed[4:10] + len(extra).to_bytes(2, "little") + extra + name
    assert unpack(tmp_path, header + packed[10:]) == [(None, "csv", CSV.encode(), None)]


@pytest.mark.parametrize("flags", range(0, 32, 2))
def test_a_gzip_header_may_have_any_field_and_come_in_parts(tmp_path: Path, flags: int) -> None:
    packed = gzip.compress(CSV.encode(), mtime=0)
    fields = [(4, b"\x04\x00abcd"), (8, b"prices.csv\x00"), (16, b"a comment\x00")]
    header = packed[:3] + bytes([flags]) + packed[4:10] + b"".join(field for flag, field in fields if flags & flag)
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") if flags & 2 else b""
    assert unpack(tmp_path, header + packed[10:]) == [(None, "csv", CSV.encode(), None)]
    # The second member's header begins just before the reader's next step.
    part = random.Random(1).randbytes(6000)
    for cut in range(4090, 4096):
        lead = gzip.compress(part[: cut - 23], 0, mtime=0)
        ((_, _, got, wrong),) = unpack(tmp_path, lead + header + packed[10:])
        assert (got, wrong) == (part[: cut - 23] + CSV.encode(), None), len(lead)
