"""7z: every file through py7zr, in one pass; without it, a sentence that says what to install."""

import io
import sys
import zlib
from pathlib import Path
from typing import Any

import py7zr
import pytest

from glimmr.parse import Limits
from glimmr.parse.unpack import Container

from .boxes import CSV, LONG, PACKERS, unpack, zip_of
from .papers import read

FILTERS: dict[str, list[dict[str, Any]]] = {
    "lzma2": [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "lzma": [{"id": py7zr.FILTER_LZMA, "preset": 1}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "zstd": [{"id": py7zr.FILTER_ZSTD, "level": 3}],
    "ppmd": [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}],
    "copy": [{"id": py7zr.FILTER_COPY}],
    "bcj": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "delta": [{"id": py7zr.FILTER_DELTA, "dist": 4}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
}


def seven(*members: tuple[str, bytes | str], filters: list[dict[str, Any]] | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=filters or FILTERS["lzma2"], **options) as archive:
        for name, data in members:
            archive.writestr(data, name)
    return out.getvalue()


@pytest.mark.parametrize("method", FILTERS)
def test_every_file_is_a_member_whatever_the_method(tmp_path: Path, method: str) -> None:
    data = seven(("a.csv", CSV), ("__MACOSX/._a.csv", LONG), ("empty", b""), ("d/b.csv", LONG), filters=FILTERS[method])
    members = unpack(tmp_path, data)
    assert sorted(members, key=str) == sorted(
        [("a.csv", "csv", CSV.encode(), None), ("d/b.csv", "csv", LONG.encode(), None), ("empty", "empty", b"", None)],
        key=str,
    )


def test_a_7z_is_parsed(tmp_path: Path) -> None:
    got = read(tmp_path, zip_of(**{"x.7z": seven(("a.csv", CSV), ("readme.pdf", "%PDF-1.4"), ("b.csv", CSV))}))
    assert [(m.member, m.outcome, m.charges) for m in got.report.members] == [
        ("x.7z!a.csv", "ok", 1),
        ("x.7z!readme.pdf", "not_a_price_file", 0),
        ("x.7z!b.csv", "ok", 1),
    ]
    assert read(tmp_path, seven(("a.csv", CSV))).report.container == "7z"


def test_files_nobody_reads_are_passed_over_and_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    data = seven(("a.pdf", b"%PDF-1.4" + b"x" * 3_000_000), ("a.csv", CSV), ("a.csv", LONG))
    got = read(tmp_path, data)
    assert [(m.member, m.charges) for m in got.report.members] == [("a.pdf", 0), ("a.csv", 1), ("a.csv (2)", 19_999)]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py7zr", None)
    got = read(tmp_path, seven(("a.csv", CSV)))
    assert got.ended == ("unparseable", "unsupported_format")
    assert 'pip install "glimmr[sevenzip]"' in got.report.message


@pytest.mark.parametrize("header_encryption", [False, True])
def test_a_locked_7z_is_unsafe(tmp_path: Path, header_encryption: bool) -> None:
    filters = [*FILTERS["lzma2"], {"id": py7zr.FILTER_CRYPTO_AES256_SHA256}]
    data = seven(("a.csv", CSV), filters=filters, password="x", header_encryption=header_encryption)
    assert read(tmp_path, data).ended == ("unsafe", "encrypted")


def test_a_method_that_is_not_read_says_so(tmp_path: Path) -> None:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=FILTERS["copy"]) as archive:
        archive.set_encoded_header_mode(False)
        archive.writestr(CSV, "a.csv")
    data = bytearray(out.getvalue())
    begins_at = 32 + int.from_bytes(data[12:20], "little")
    header = bytes(data[begins_at:]).replace(b"\x01\x01\x00", b"\x01\x01\x7e", 1)  # one coder, of an unknown method
    assert header != bytes(data[begins_at:])
    data[begins_at:] = header
    data[28:32] = zlib.crc32(header).to_bytes(4, "little")
    data[8:12] = zlib.crc32(data[12:32]).to_bytes(4, "little")
    assert read(tmp_path, bytes(data)).ended == ("unparseable", "unsupported_format")


def test_a_bomb_is_not_unpacked_though_nobody_reads_it(tmp_path: Path) -> None:
    bomb = seven(("a.csv", b"0\n" * 5_000_000))
    assert read(tmp_path, bomb, bomb_bytes=1_000_000).ended == ("unsafe", "bomb")
    hidden = seven(("__MACOSX/a.csv", b"0\n" * 5_000_000), ("b.csv", CSV))
    assert read(tmp_path, hidden, bomb_bytes=1_000_000).ended == ("unsafe", "bomb")


def test_a_dictionary_larger_than_a_file_may_take_is_refused(tmp_path: Path) -> None:
    data = seven(("a.csv", CSV), filters=[{"id": py7zr.FILTER_LZMA2, "dict_size": 32 << 20}])
    assert read(tmp_path, data, max_dictionary_bytes=8 << 20).ended == ("too_large", "unpacked_size")
    data = seven(("a.csv", CSV), filters=[{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 25}])
    assert read(tmp_path, data, max_dictionary_bytes=8 << 20).ended == ("too_large", "unpacked_size")


def test_a_cut_7z_is_incomplete(tmp_path: Path) -> None:
    data = seven(("a.csv", LONG))
    assert read(tmp_path, data[:-10]).ended == ("incomplete", "truncated")
    assert read(tmp_path, data[:40]).ended == ("incomplete", "truncated")


def test_damage_inside_keeps_what_came_before(tmp_path: Path) -> None:
    data = bytearray(seven(("a.csv", CSV), ("b.csv", LONG), ("c.csv", CSV), filters=FILTERS["deflate"]))
    data[len(data) // 2] ^= 0x55
    members = unpack(tmp_path, bytes(data))
    assert members[0] == ("a.csv", "csv", CSV.encode(), None)
    # Deflate may find its way again after the damage: what then has the right checksum is whole.
    assert (members[1][0], members[1][3]) == ("b.csv", "CutShort")
    assert members[2][0] == "c.csv"
    assert members[2][3] == "CutShort" or members[2][2] == CSV.encode()


def test_more_files_than_allowed_are_refused(tmp_path: Path) -> None:
    data = seven(*((f"{n}.csv", "x") for n in range(5)))
    assert read(tmp_path, data, max_members=3).ended == ("too_large", "too_many_members")


class Stop(Exception):
    pass


@pytest.mark.parametrize("packer", ["7z", "zip", *PACKERS])
@pytest.mark.parametrize("reads", [0, 1])
def test_who_watches_the_file_can_stop_it_and_is_not_taken_for_damage(tmp_path: Path, packer: str, reads: int) -> None:
    pack = {"7z": lambda text: seven(("a.csv", text)), "zip": lambda text: zip_of(**{"a.csv": text}), **PACKERS}[packer]
    (tmp_path / "box").write_bytes(pack(LONG.encode()))

    class Watched(io.BytesIO):
        seen = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.seen += 1
            if self.seen > reads:
                raise Stop
            return super().read(size)

    with pytest.raises(Stop):
        for member in Container(tmp_path / "box", Limits(), tmp_path, lambda file: Watched(file.read())).members():
            while member.stream.read(50_000):
                pass
