"""Real-shaped papers, bent: bytes flipped, cut, doubled, spliced, tokens put in, containers put round."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from tests.mess import builders
from tests.mess.builders import BUILDERS

_MESS = Path(builders.__file__).parent
_MOST_BYTES = 400_000  # of a seed: the large papers of the mess say nothing new here
_MOST_INNER_BYTES = 4 << 20
_OPENED = frozenset(("workbook", "zip", "gz"))  # families whose content can be bent inside
Change = Callable[[bytes], bytes]

TOKENS = [
    b'"', b'""', b"'", b",", b"|", b"\t", b";", b"\n", b"\r", b"\r\n", b"\n\n\n", b"\x00", b"\x00" * 64,
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"{", b"}", b"[", b"]", b"}{", b"][", b"},{", b"\\", b"\\u",
    b"\\ud800", b":", b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 40, b"0." + b"0" * 40 + b"1", b"999999999",
    b"-", b"\x80\x81\x96\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"<", b">", b"</row>", b"<row>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"&#x0;", b"<![CDATA[", b"]]>",
    b"<?xml version='1.0' encoding='utf-16'?>", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x1f\x8b\x08\x00",
    b"standard_charge|gross", b"standard_charge|", b'"standard_charge_information":[', b'"standard_charges":',
    b"code|1|type", b"payer_name", b"Description,Price", b"Grand Total", b"=1+1", b"[payer_name]", b",,,,,,,,",
    b"\n,,,\n", b" " * 100, b"[" * 3000, b'{"a":' * 1500, b"<a>" * 1500, b'"' * 999, b"x" * 70_000,
]  # fmt: skip


_HEADS = {
    b"\x1f\x8b": "gz",
    b"\xd0\xcf": "xls",
    b"BZ": "packed",
    b"\xfd7": "packed",
    b"(\xb5": "packed",
    b"7z": "packed",
}


def _family_of(data: bytes) -> str:
    if data[:2] == b"PK":
        return "workbook" if b"xl/" in data else "zip"
    if data[:2] in _HEADS:
        return _HEADS[data[:2]]
    return "tar" if data[257:262] == b"ustar" else _family_of_text(data.replace(b"\x00", b""))


def _family_of_text(data: bytes) -> str:
    text = data.lstrip(b"\xef\xbb\xbf\xff\xfe \n")
    if text.startswith(b"<"):
        return "spreadsheetml" if b"<Workbook" in text else "xml"
    if text.startswith((b"{", b"[")):
        return "json" if b"standard_charge" in text else "foreign json"
    if b"standard_charge" not in text.lower():
        return "legacy csv"
    wide = any(f"standard_charge|{payer}".encode() in text for payer in ("Meadow", "Fern", "["))
    return "wide csv" if wide else "tall csv"


def _seeds() -> dict[str, list[bytes]]:
    papers = {p.name: p.read_bytes() for p in sorted(_MESS.iterdir()) if p.is_file() and p.suffix not in {".py", ""}}
    papers = {name: data for name, data in papers.items() if not name.endswith(".expected.json")}
    large = {"blank_bulk", "zip_bomb", "cp1252_after_the_first_megabyte"}
    papers |= {name: build() for name, build in BUILDERS.items() if name not in large}
    found: dict[str, list[bytes]] = {}
    for data in papers.values():
        if 0 < len(data) <= _MOST_BYTES:
            found.setdefault(_family_of(data), []).append(data)
    return found


SEEDS = _seeds()
FAMILIES = sorted(SEEDS)
_EVERY = [seed for family in FAMILIES for seed in SEEDS[family]]


def _place(data: bytes, share: float) -> int:
    return int(share * len(data))


_SHARE = st.floats(0, 1, exclude_max=True)


def _flip(share: float, mask: int) -> Change:
    def change(data: bytes) -> bytes:
        at = _place(data, share)
        return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] if data else data

    return change


def _cut(begin: float, length: int) -> Change:
    return lambda data: data[: _place(data, begin)] + data[_place(data, begin) + length :]


def _end(share: float) -> Change:
    return lambda data: data[: _place(data, share)]


def _double(begin: float, length: int, times: int) -> Change:
    def change(data: bytes) -> bytes:
        at = _place(data, begin)
        return data[: at + length] + data[at : at + length] * times + data[at + length :]

    return change


def _insert(share: float, token: bytes) -> Change:
    return lambda data: data[: _place(data, share)] + token + data[_place(data, share) :]


def _splice(share: float, other: int, begin: float) -> Change:
    return lambda data: data[: _place(data, share)] + _EVERY[other][_place(_EVERY[other], begin) :]


def _replace(old: bytes, new: bytes) -> Change:
    return lambda data: data.replace(old, new, 3)


_ENDS = [(b",", b";"), (b",", b"\t"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b"\n", b""), (b'"', b""), (b"}", b"]"),
         (b"[", b"{"), (b"description", b"Description "), (b"gross", b"goss"), (b":", b""), (b".", b","),
         (b"standard_charges", b"charges"), (b"<", b"&lt;"), (b"utf-8", b"utf-16"), (b"UTF-8", b"latin-9")]  # fmt: skip

CHANGE: st.SearchStrategy[Change] = st.one_of(
    st.builds(_flip, _SHARE, st.integers(1, 255)),
    st.builds(_cut, _SHARE, st.integers(1, 200)),
    st.builds(_end, _SHARE),
    st.builds(_double, _SHARE, st.integers(1, 300), st.sampled_from([1, 1, 2, 50])),
    st.builds(_insert, _SHARE, st.sampled_from(TOKENS)),
    st.builds(_insert, _SHARE, st.binary(min_size=1, max_size=20)),
    st.builds(_splice, _SHARE, st.integers(0, len(_EVERY) - 1), _SHARE),
    st.sampled_from(_ENDS).map(lambda pair: _replace(*pair)),
)
CHANGES = st.lists(CHANGE, min_size=1, max_size=5)


def bent(data: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        data = change(data)
    return data


def inside(data: bytes, changes: list[Change], which: int) -> bytes:
    """What a container holds, bent, and packed again; the bytes themselves bent where it cannot be opened."""
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.compress(bent(gzip.decompress(data), changes), 1)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _MOST_INNER_BYTES:
                return bent(data, changes)
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error):
        return bent(data, changes)
    names = list(parts)
    return zipped({n: bent(d, changes) if n == names[which % len(names)] else d for n, d in parts.items()})


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


WRAPPERS: list[Change] = [
    bytes,
    bytes,
    bytes,
    gzip.compress,
    lambda data: zipped({"a": data}),
    lambda data: zipped({"a.zip": zipped({"b": data})}),
    lambda data: gzip.compress(gzip.compress(data)),
    lambda data: gzip.compress(data)[:-9],
    lambda data: zipped({"a.csv": data, "b.csv": data}),
    lambda data: builders.tarred({"a": data}),
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data + data,
    lambda data: data.decode("latin-1").encode("utf-16"),
]


class Paper(bytes):
    """Bytes whose name is short: hypothesis shows what fails, and would show every byte."""

    __slots__ = ()

    def __repr__(self) -> str:
        head = super().__repr__() if len(self) <= 1500 else f"{self[:700]!r} … {self[-300:]!r}"
        return f"{len(self)} bytes: {head}"


def papers(family: str) -> st.SearchStrategy[Paper]:
    """Bent papers of one family; containers also bent inside."""
    seeds = SEEDS[family]

    def made(seed: int, changes: list[Change], which: int, wrapper: int) -> Paper:
        bend = inside(seeds[seed], changes, which) if which >= 0 else bent(seeds[seed], changes)
        return Paper(WRAPPERS[wrapper](bend))

    which = st.integers(-4, 9) if family in _OPENED else st.just(-1)
    return st.builds(made, st.integers(0, len(seeds) - 1), CHANGES, which, st.integers(0, len(WRAPPERS) - 1))
