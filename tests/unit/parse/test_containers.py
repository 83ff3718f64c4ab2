"""Containers: every member has its own report; bombs, locks and depth have their outcomes."""

import gzip
import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from .papers import PREAMBLE, TALL, document, item, read

CSV = PREAMBLE + TALL + "MRI,1,CPT,both,5,,Aetna,PPO,4,other,\n"


def zip_of(**members: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_every_member_is_read_and_numbered_through(tmp_path: Path) -> None:
    inner = zip_of(**{"deep.json": document([item("CT", gross_charge=7)])})
    data = zip_of(
        **{
            "a.csv": CSV,
            "__MACOSX/a.csv": CSV,
            "d/._b.csv": "x",
            "readme.pdf": "%PDF-1.4",
            "inner.zip": inner,
            "b.csv": CSV,
        }
    )
    got = read(tmp_path, data)
    assert got.ended == ("ok", "")
    assert [(m.member, m.outcome, m.charges) for m in got.report.members] == [
        ("a.csv", "ok", 1),
        ("readme.pdf", "not_a_price_file", 0),
        ("inner.zip!deep.json", "ok", 1),
        ("b.csv", "ok", 1),
    ]
    assert [(c["charge_id"], c["member"]) for c in got.charges] == [
        (0, "a.csv"),
        (1, "inner.zip!deep.json"),
        (2, "b.csv"),
    ]
    assert [(r["rate_id"], r["charge_id"]) for r in got.rates] == [(0, 0), (1, 2)]
    assert got.findings()["GL-MEMBER"] == 1
    assert got.report.container == "zip"
    assert got.report.rows_in == 3


def test_equal_last_and_first_records_of_two_members_are_two_charges(tmp_path: Path) -> None:
    got = read(tmp_path, zip_of(**{"a.csv": CSV, "b.csv": CSV}))
    assert [c["records"] for c in got.charges] == [1, 1]


def test_a_gzip_has_no_member_name(tmp_path: Path) -> None:
    got = read(tmp_path, gzip.compress(CSV.encode()))
    assert (got.ended, got.report.container, got.charges[0]["member"]) == (("ok", ""), "gz", None)


def test_a_cut_gzip_keeps_what_it_gave(tmp_path: Path) -> None:
    lines = "".join(f"MRI {n},1,CPT,both,{n}.{n:04},,Aetna,PPO,4,other,\n" for n in range(1, 20_000))
    data = gzip.compress((PREAMBLE + TALL + lines).encode())
    got = read(tmp_path, data[: len(data) // 2])
    assert got.ended == ("incomplete", "truncated")
    assert len(got.charges) > 1000
    assert got.charges[0]["gross_charge"] == Decimal("1.0001")


def test_what_follows_a_gzip_is_ignored_but_a_second_gzip_is_read(tmp_path: Path) -> None:
    data = gzip.compress(CSV.encode())
    assert read(tmp_path, data + b"garbage").ended == ("ok", "")
    assert read(tmp_path, data + b"\x00" * 64).ended == ("ok", "")
    more = gzip.compress(b"CT,2,CPT,both,6,,,,,,\n")
    assert [c["description"] for c in read(tmp_path, data + more).charges] == ["MRI", "CT"]


def test_a_gzip_whose_checksum_is_wrong_is_incomplete(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(CSV.encode()))
    data[-6] ^= 0xFF
    got = read(tmp_path, bytes(data))
    assert got.ended[0] == "incomplete"
    assert got.findings()["GL-BROKEN-CONTAINER"] == 1


def test_a_zip_without_its_directory_is_incomplete(tmp_path: Path) -> None:
    assert read(tmp_path, zip_of(**{"a.csv": CSV})[:-40]).ended == ("incomplete", "truncated")


def test_an_encrypted_member_is_unsafe_to_read(tmp_path: Path) -> None:
    data = bytearray(zip_of(**{"a.csv": CSV}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert read(tmp_path, bytes(data)).ended == ("unsafe", "encrypted")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    assert read(tmp_path, bomb, bomb_bytes=1_000_000).ended == ("unsafe", "bomb")
    assert read(tmp_path, zip_of(**{"a.csv": b"0" * 5_000_000}), bomb_bytes=1_000_000).ended == ("unsafe", "bomb")


def test_more_than_the_settings_allow_is_too_large(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(CSV.encode() * 99), max_unpacked_bytes=5000).ended == (
        "too_large",
        "unpacked_size",
    )
    many = zip_of(**{f"{n}.txt": b"x" for n in range(5)})
    assert read(tmp_path, many, max_members=3).ended == ("too_large", "too_many_members")
    deep = CSV.encode()
    for _ in range(4):
        deep = gzip.compress(deep)
    assert read(tmp_path, deep).ended == ("too_large", "too_deep")
    assert read(tmp_path, deep, max_depth=4).ended == ("ok", "")


def test_one_good_member_makes_the_file_ok_in_part(tmp_path: Path) -> None:
    got = read(tmp_path, zip_of(**{"a.csv": CSV, "b.json": document([item("X", gross_charge=1)])[:-60]}))
    assert got.ended == ("ok", "partial")
    assert [m.outcome for m in got.report.members] == ["ok", "incomplete"]


def test_an_empty_archive_is_no_price_file(tmp_path: Path) -> None:
    assert read(tmp_path, zip_of()).ended == ("not_a_price_file", "empty")


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_damage_in_the_middle_of_a_member_is_told(tmp_path: Path, cut: int) -> None:
    lines = "".join(f"MRI {n},1,CPT,both,{n}.{n:04},,Aetna,PPO,4,other,\n" for n in range(1, 20_000))
    data = bytearray(zip_of(**{"a.csv": PREAMBLE + TALL + lines}))
    for at in range(len(data) // 2, len(data) // 2 + 40 * cut):
        data[at] ^= 0x5A
    got = read(tmp_path, bytes(data))
    assert got.ended[0] == "incomplete"
    assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
