"""tar: every regular file in one pass, whatever wrote it; nothing extracted; what is broken is told."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from .boxes import CSV, LONG, PACKERS, tar_of, unpack
from .papers import read

FORMS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packer", [None, *PACKERS])
def test_every_file_of_a_tar_is_a_member(tmp_path: Path, form: str, packer: str | None) -> None:
    data = tar_of(("d/a.csv", CSV), ("d/._a.csv", "x"), ("empty", b""), ("b.csv", CSV), form=FORMS[form])
    got = read(tmp_path, PACKERS[packer](data) if packer else data)
    assert [(m.member, m.outcome) for m in got.report.members] == [
        ("d/a.csv", "ok"),
        ("empty", "not_a_price_file"),
        ("b.csv", "ok"),
    ]
    assert got.report.container == (f"{packer}>tar" if packer else "tar")
    assert got.ended == ("ok", "")


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_long_and_foreign_names_are_kept(tmp_path: Path, form: str) -> None:
    name = "é" * 90 + "/" + "x" * 150
    assert [m[0] for m in unpack(tmp_path, tar_of((name, CSV), form=FORMS[form]))] == [name]


def test_links_devices_and_folders_are_passed_over(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("etc")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("a.csv")
        info.size = len(CSV.encode())
        archive.addfile(info, io.BytesIO(CSV.encode()))
    assert unpack(tmp_path, out.getvalue()) == [("a.csv", "csv", CSV.encode(), None)]


def test_a_tar_from_before_ustar_is_told_by_its_checksum(tmp_path: Path) -> None:
    data = bytearray(tar_of(("a.csv", CSV), form=tarfile.USTAR_FORMAT))
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\x00 " % sum(data[:512])
    assert unpack(tmp_path, bytes(data)) == [("a.csv", "csv", CSV.encode(), None)]


def test_a_size_in_gnu_base_256_is_read(tmp_path: Path) -> None:
    data = bytearray(tar_of(("a.csv", CSV), form=tarfile.GNU_FORMAT))
    data[124:136] = b"\x80" + len(CSV.encode()).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\x00 " % sum(data[:512])
    assert unpack(tmp_path, bytes(data)) == [("a.csv", "csv", CSV.encode(), None)]


def test_tars_in_a_row_are_all_read_and_padding_is_not(tmp_path: Path) -> None:
    data = tar_of(("a.csv", CSV)) + tar_of(("b.csv", CSV))
    assert [m[0] for m in unpack(tmp_path, data + b"garbage" * 200)] == ["a.csv", "b.csv"]


def test_a_cut_tar_keeps_whole_files_and_is_incomplete(tmp_path: Path) -> None:
    data = tar_of(("a.csv", CSV), ("b.csv", LONG))
    got = read(tmp_path, gzip.compress(data[:300_000]))
    assert [(m.member, m.outcome) for m in got.report.members] == [
        ("a.csv", "ok"),
        ("b.csv", "incomplete"),
        (None, "incomplete"),
    ]
    assert got.ended == ("incomplete", "truncated")
    assert len(got.charges) > 1000


def test_a_broken_header_does_not_hide_that_files_are_lost(tmp_path: Path) -> None:
    data = bytearray(tar_of(("a.csv", CSV), ("b.csv", CSV)))
    data[data.index(b"b.csv") + 50] ^= 1
    members = unpack(tmp_path, bytes(data))
    assert members[0] == ("a.csv", "csv", CSV.encode(), None)
    assert (members[-1][0], members[-1][3]) == (None, "CutShort")


def test_a_tar_without_its_end_mark_is_incomplete(tmp_path: Path) -> None:
    data = tar_of(("a.csv", CSV))
    end = 512 + -(-len(CSV.encode()) // 512) * 512
    assert read(tmp_path, data[:end]).ended == ("incomplete", "truncated")


def test_an_endless_header_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    got = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + b"9999 path=" + b"x" * 5000)
    assert got.ended == ("unparseable", "broken_structure")


def test_a_sparse_file_is_refused_by_name(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.type = tarfile.GNUTYPE_SPARSE
    got = read(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert [(m.member, m.outcome, m.reason) for m in got.report.members] == [
        ("a.csv", "unparseable", "unsupported_format")
    ]


def test_more_files_than_allowed_are_refused(tmp_path: Path) -> None:
    data = tar_of(*((f"{n}.csv", "x") for n in range(5)))
    assert read(tmp_path, data, max_members=3).ended == ("too_large", "too_many_members")
