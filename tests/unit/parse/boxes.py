"""Archives made for tests, and what the container finds in them."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from glimmr.parse import Limits
from glimmr.parse.unpack import Container

from .papers import PREAMBLE, TALL

CSV = PREAMBLE + TALL + "MRI,1,CPT,both,5,,Aetna,PPO,4,other,\n"
LONG = PREAMBLE + TALL + "".join(f"MRI {n},1,CPT,both,{n}.{n:04},,Aetna,PPO,4,other,\n" for n in range(1, 20_000))


def zst(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(data)
    return out.getvalue().to_pybytes()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zst,
}


def zip_of(_method: int = zipfile.ZIP_DEFLATED, /, **members: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", _method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(*members: tuple[str, bytes | str], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members:
            content = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def unpack(folder: Path, content: bytes, **limits: Any) -> list[tuple[str | None, str, bytes, str | None]]:
    """Every member: name, kind, bytes, and what was wrong."""
    folder.mkdir(exist_ok=True)
    (folder / "box").write_bytes(content)
    found: list[tuple[str | None, str, bytes, str | None]] = []
    for member in Container(folder / "box", Limits(**limits), folder).members():
        data, wrong = b"", member.failure
        while wrong is None and (part := member.stream.read(50_000)):
            data += part
        wrong = wrong or member.stream.damage
        found.append((member.name, member.kind.value, data, type(wrong).__name__ if wrong else None))
    return found
