"""ZIP: every member with its own result; broken lists, lying headers, odd methods and bombs have their outcomes."""

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from .boxes import CSV, LONG, unpack, zip_of
from .papers import read, xlsx

METHODS = {"stored": 0, "deflate": 8, "bzip2": 12, "lzma": 14}
END_BYTES = 22


def local(name: bytes, data: bytes, *, method: int = 0, size: int | None = None, flags: int = 0) -> bytes:
    size = len(data) if size is None else size
    header = struct.pack(
        "<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 0, zlib.crc32(data), len(data), size, len(name), 0
    )
    return header + name + data


def central(name: bytes, data: bytes, at: int, *, method: int = 0, size: int | None = None, flags: int = 0) -> bytes:
    size = len(data) if size is None else size
    fixed = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flags, method, 0, 0, zlib.crc32(data), len(data), size, len(name),
        0, 0, 0, 0, 0, at,
    )  # fmt: skip
    return fixed + name


def end(count: int, list_bytes: int, at: int) -> bytes:
    return struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, list_bytes, at, 0)


def by_hand(*members: tuple[bytes, bytes], method: int = 0, flags: int = 0) -> bytes:
    body = listing = b""
    for name, data in members:
        listing += central(name, data, len(body), method=method, flags=flags)
        body += local(name, data, method=method, flags=flags)
    return body + listing + end(len(members), len(listing), len(body))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_the_standard_library_is_read(tmp_path: Path, method: str) -> None:
    data = zip_of(METHODS[method], **{"a.csv": CSV, "b.csv": LONG})
    assert unpack(tmp_path, data) == [
        ("a.csv", "csv", CSV.encode(), None),
        ("b.csv", "csv", LONG.encode(), None),
    ]


@pytest.mark.parametrize("method", [1, 6, 9, 98, 77])
def test_a_method_that_is_not_read_says_which(tmp_path: Path, method: int) -> None:
    got = read(tmp_path, by_hand((b"a.csv", b"xxxx"), method=method))
    assert got.ended == ("unparseable", "unsupported_format")
    assert str(method) in got.report.message
    assert ("deflate64" in got.report.message) == (method == 9)


@pytest.mark.parametrize("flags", [1, 1 | 64])
def test_a_locked_member_is_unsafe_and_the_others_are_read(tmp_path: Path, flags: int) -> None:
    body = local(b"a.csv", b"secret", flags=flags) + local(b"b.csv", CSV.encode())
    second = len(local(b"a.csv", b"secret"))
    listing = central(b"a.csv", b"secret", 0, flags=flags) + central(b"b.csv", CSV.encode(), second)
    got = read(tmp_path, body + listing + end(2, len(listing), len(body)))
    assert [(m.member, m.outcome, m.reason) for m in got.report.members] == [
        ("a.csv", "unsafe", "encrypted"),
        ("b.csv", "ok", ""),
    ]
    assert got.ended == ("ok", "partial")


@pytest.mark.parametrize(
    "before", [b"MZ\x90\x00" + bytes(range(256)) * 40, b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", bytes(300_000)]
)
def test_bytes_before_a_zip_do_not_hide_it(tmp_path: Path, before: bytes) -> None:
    assert unpack(tmp_path, before + zip_of(**{"a.csv": CSV})) == [("a.csv", "csv", CSV.encode(), None)]
    assert unpack(tmp_path, before + zip_of(**{"a.csv": CSV}) + b"\r\n\x00")[0][:2] == ("a.csv", "csv")


def test_members_of_one_name_have_a_result_each(tmp_path: Path) -> None:
    got = read(tmp_path, by_hand((b"a.csv", CSV.encode()), (b"a.csv", LONG.encode()), (b"a.csv (2)", CSV.encode())))
    assert [(m.member, m.charges) for m in got.report.members] == [
        ("a.csv", 1),
        ("a.csv (2)", 19_999),
        ("a.csv (2) (2)", 1),
    ]


@pytest.mark.parametrize(
    ("raw", "flags", "name"),
    [
        (b"../../etc/passwd", 0, "../../etc/passwd"),
        (b"a\x1b[2Jb\r\n\x00.csv", 0, "a\ufffd[2Jb\ufffd\ufffd\ufffd.csv"),
        ("x\u202evsc.exe".encode(), 0x800, "x\ufffdvsc.exe"),
        ("café.csv".encode(), 0, "café.csv"),
        (b"caf\x82.csv", 0, "café.csv"),
        (b"\xff\xfe.csv", 0x800, "\ufffd\ufffd.csv"),
        (b"n" * 5000, 0, "n" * 399 + "…"),
    ],
)
def test_a_name_is_shown_but_never_obeyed(tmp_path: Path, raw: bytes, flags: int, name: str) -> None:
    got = read(tmp_path, by_hand((raw, CSV.encode()), flags=flags))
    assert got.charges[0]["member"] == name
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "charges.parquet",
        "paper",
        "rates.parquet",
    ]


@pytest.mark.parametrize("size", [10, 10**9])
def test_a_size_that_lies_is_told_and_the_bytes_are_kept(tmp_path: Path, size: int) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packed.compress(CSV.encode()) + packed.flush()
    listing = central(b"a.csv", data, 0, method=8, size=size)
    body = local(b"a.csv", data, method=8, size=size)
    got = read(tmp_path, body + listing + end(1, len(listing), len(body)))
    assert (got.ended, len(got.charges)) == (("incomplete", "truncated"), 1)


def test_a_wrong_checksum_is_told_and_the_bytes_are_kept(tmp_path: Path) -> None:
    data = by_hand((b"a.csv", CSV.encode()))
    got = read(tmp_path, data.replace(struct.pack("<I", zlib.crc32(CSV.encode())), b"abcd"))
    assert (got.ended, len(got.charges)) == (("incomplete", "truncated"), 1)


def test_a_list_that_points_nowhere_loses_only_that_member(tmp_path: Path) -> None:
    body = local(b"b.csv", CSV.encode())
    listing = central(b"a.csv", b"x", 10**6) + central(b"b.csv", CSV.encode(), 0)
    members = unpack(tmp_path, body + listing + end(2, len(listing), len(body)))
    assert [(m[0], m[3]) for m in members] == [("a.csv", "CutShort"), ("b.csv", None)]


@pytest.mark.parametrize("method", ["stored", "deflate"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_cut_zip_gives_what_its_headers_give(tmp_path: Path, method: str, streamed: bool) -> None:
    out = io.BytesIO()
    if streamed:  # as a program writes that cannot seek back: sizes come after each member
        out.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(out, "w", METHODS[method]) as archive:
        archive.writestr("d/", b"")
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", LONG)
    data = out.getvalue()
    got = read(tmp_path, data[: data.index(b"b.csv") + 100_000])
    assert [(m.member, m.outcome) for m in got.report.members] == [
        ("a.csv", "ok"),
        ("b.csv", "incomplete"),
        (None, "incomplete"),
    ]
    assert got.ended == ("incomplete", "truncated")
    assert len(got.charges) > 1000
    whole = unpack(tmp_path, data[: data.index(b"PK\x01\x02") + 60])
    assert whole[:2] == [("a.csv", "csv", CSV.encode(), None), ("b.csv", "csv", LONG.encode(), None)]
    assert [(m[0], m[3]) for m in whole[2:]] == [(None, "CutShort")]


def test_a_zip_cut_after_a_zip_inside_it_is_not_taken_for_that_one(tmp_path: Path) -> None:
    data = zip_of(0, **{"a.csv": CSV, "in.zip": zip_of(**{"b.csv": CSV}), "c.csv": CSV})
    members = unpack(tmp_path, data[: data.index(b"c.csv") - 30])
    assert [(m[0], m[3]) for m in members] == [("a.csv", None), ("in.zip!b.csv", None), (None, "CutShort")]


def test_a_list_that_is_too_short_or_broken_does_not_hide_members(tmp_path: Path) -> None:
    data = bytearray(by_hand((b"a.csv", CSV.encode()), (b"b.csv", CSV.encode())))
    data[data.rindex(b"PK\x01\x02")] = 0
    assert [(m[0], m[3]) for m in unpack(tmp_path, bytes(data))] == [
        ("a.csv", None),
        ("b.csv", None),
        (None, "CutShort"),
    ]


def test_something_that_only_begins_like_a_zip_is_incomplete(tmp_path: Path) -> None:
    assert read(tmp_path, b"PK\x03\x04" + bytes(100)).ended == ("incomplete", "truncated")


def test_zip64_is_read(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.csv", "w", force_zip64=True) as member:
        member.write(CSV.encode())
    data = out.getvalue()
    assert unpack(tmp_path, data) == [("a.csv", "csv", CSV.encode(), None)]
    body, listing = data[: data.index(b"PK\x01\x02")], data[data.index(b"PK\x01\x02") : -END_BYTES]
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(listing), len(body))
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body + listing), 1)
    wide = body + listing + record + locator + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert unpack(tmp_path, wide) == [("a.csv", "csv", CSV.encode(), None)]
    assert unpack(tmp_path, b"stub" + wide) == [("a.csv", "csv", CSV.encode(), None)]


def overlapping(count: int) -> bytes:
    """Members that all share one kernel, as in "a better zip bomb" (Fifield 2019), by full overlap."""
    kernel = local(b"0.csv", CSV.encode())
    listing = b"".join(central(b"%d.csv" % n, CSV.encode(), 0) for n in range(count))
    return kernel + listing + end(count, len(listing), len(kernel))


def quoting() -> bytes:
    """Each member's bytes hold the next one's header, so every one unpacks all that follow."""
    last = local(b"b.csv", CSV.encode())
    first = local(b"a.csv", last)
    listing = central(b"a.csv", last, 0) + central(b"b.csv", CSV.encode(), len(first) - len(last))
    return first + listing + end(2, len(listing), len(first))


def test_members_that_lie_over_one_another_are_a_bomb(tmp_path: Path) -> None:
    assert read(tmp_path, overlapping(2)).ended == ("unsafe", "bomb")
    assert read(tmp_path, quoting()).ended == ("unsafe", "bomb")
    nested = gzip.compress(zip_of(**{"x.zip": quoting(), "a.csv": CSV}))
    assert [(m.member, m.outcome) for m in read(tmp_path, nested).report.members] == [
        ("x.zip", "unsafe"),
        ("a.csv", "ok"),
    ]


def test_a_zip_in_a_zip_unpacks_against_one_budget(tmp_path: Path) -> None:
    bomb = zip_of(**{"b.zip": zip_of(**{"c.csv": b"0\n" * 1_500_000})})
    assert read(tmp_path, bomb, bomb_bytes=1_000_000).ended == ("unsafe", "bomb")
    assert read(tmp_path, bomb, max_unpacked_bytes=1_000_000).ended == ("too_large", "unpacked_size")


def test_a_list_of_very_many_members_is_refused_in_little_memory(tmp_path: Path) -> None:
    body = local(b"a", b"")
    listing = central(b"a", b"", 0) * 400_000
    data = body + listing + end(0xFFFF, len(listing), len(body))
    tracemalloc.start()
    try:
        assert read(tmp_path, data).ended == ("too_large", "too_many_members")
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_workbook_is_looked_at_as_a_zip_first(tmp_path: Path) -> None:
    book = xlsx({"Prices": [["a", "b"], [1, 2]]})
    assert unpack(tmp_path, book) == [(None, "xlsx", book, None)]
    assert read(tmp_path, book, max_members=3).ended == ("too_large", "too_many_members")
    assert read(tmp_path, book, max_unpacked_bytes=800).ended == ("too_large", "unpacked_size")
    listing = book[book.index(b"PK\x01\x02") : -END_BYTES]
    first = listing[: listing.index(b"PK\x01\x02", 4)]
    twice = book[: book.index(b"PK\x01\x02")] + listing + first
    twice += end(5, len(listing + first), book.index(b"PK\x01\x02"))
    assert read(tmp_path, twice).ended == ("unsafe", "bomb")


def test_a_workbook_that_says_it_unpacks_to_too_much_is_a_bomb(tmp_path: Path) -> None:
    book = bytearray(xlsx({"Prices": [["a", "b"], [1, 2]]}))
    at = book.index(b"PK\x01\x02", book.index(b"PK\x01\x02") + 4)
    book[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    assert read(tmp_path, bytes(book)).ended == ("unsafe", "bomb")


def test_a_file_of_nothing_but_signatures_is_told_in_no_time(tmp_path: Path) -> None:
    header = local(b"a", b"", flags=8)
    for data in (header + b"PK\x07\x08" * 300_000, b"PK\x03\x04" * 300_000, b"PK\x05\x06" * 300_000):
        assert read(tmp_path, data).ended[0] in {"incomplete", "unparseable", "not_a_price_file"}
