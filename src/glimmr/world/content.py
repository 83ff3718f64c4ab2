"""The bytes of a simulated file, made block by block: any size without holding it, the same for the same seed."""

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from glimmr.world import csv_text, json_text
from glimmr.world.prices import BLOCK_ITEMS, SLOT_CLOSE, SLOT_OPEN, Block, Shape, block_at, blocks
from glimmr.world.publisher import Publisher

_SLOT = re.compile(f"{SLOT_OPEN}(\\d+){SLOT_CLOSE}")
_ZIP_DATE = (2026, 1, 15, 8, 30, 0)
_FOLDER_JUNK = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "  # what macOS puts into archives


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What decides the bytes of a file. `shapes` are its tables: one, or several members of an archive.

    encoding: utf-8, utf-8-sig, cp1252, cp1252-tail (UTF-8 but for the last block). container: plain, gzip, zip.
    """

    shapes: tuple[Shape, ...]
    publisher: Publisher
    encoding: str = "utf-8"
    container: str = "plain"

    def chunks(self) -> Iterator[bytes]:
        """The bytes as served, in pieces of at most a few MB."""
        if self.container == "gzip":
            return _gzipped(_plain(self, self.shapes[0]))
        if self.container == "zip":
            return _zipped(self)
        return _plain(self, self.shapes[0])

    def parts(self) -> tuple[bytes, bytes, bytes]:
        """Beginning, records of the first block, end; of JSON, the records end in the comma before the next ones."""
        shape, is_json = self.shapes[0], self.shapes[0].kind == "json"
        encoding = "utf-8" if self.encoding in ("utf-8-sig", "cp1252-tail") else self.encoding
        mark = b"\xef\xbb\xbf" if self.encoding == "utf-8-sig" else b""
        head, tail = (json_text.head_text, json_text.tail_text) if is_json else (csv_text.head_text, None)
        records = _rendered(shape, *next(blocks(shape)), encoding)
        end = b"\n" + tail(self.publisher, shape).encode(encoding) if tail else b""
        return mark + head(self.publisher, shape).encode(encoding), records + (b",\n" if is_json else b""), end


def generate(
    kind: str,
    version: str = "3.0.0",
    *,
    rows: int | None = None,
    size_bytes: int | None = None,
    seed: int | str = 7,
    quirks: Iterable[str] = (),
    encoding: str = "utf-8",
) -> Iterator[bytes]:
    """A valid CMS file of `rows` items, or of at least `size_bytes` (about): streamed, never held.

    kind: tall, wide or json. Pass the result of `sized` to `glimmr.world.truth.counts` for what it holds.
    """
    return sized(kind, version, rows=rows, size_bytes=size_bytes, seed=seed, quirks=quirks, encoding=encoding).chunks()


def sized(
    kind: str,
    version: str = "3.0.0",
    *,
    rows: int | None = None,
    size_bytes: int | None = None,
    seed: int | str = 7,
    quirks: Iterable[str] = (),
    encoding: str = "utf-8",
) -> Content:
    """The content `generate` streams. A size is turned into items by the size of the first blocks."""
    publisher = Publisher(name="Generated Hospital", state="VT", places=(("Generated Hospital", "1 Long Road"),))
    shape = Shape(key=f"{seed}/generated", kind=kind, version=version, items=rows or 10**6, quirks=frozenset(quirks))
    if rows is None:
        measured = [len(_rendered(shape, *block_at(shape, number), "utf-8")) for number in range(1, 4)]
        items = round((size_bytes or 0) / (sum(measured) / len(measured)) * BLOCK_ITEMS) + 1
        shape = Shape(key=shape.key, kind=kind, version=version, items=items, quirks=shape.quirks)
    return Content(shapes=(shape,), publisher=publisher, encoding=encoding)


def write_file(
    out: BinaryIO,
    kind: str,
    version: str = "3.0.0",
    *,
    rows: int | None = None,
    size_bytes: int | None = None,
    seed: int | str = 7,
) -> int:
    """Write a generated file of `rows` items, or of about `size_bytes`, to `out`; gives the bytes written."""
    return sum(out.write(chunk) for chunk in generate(kind, version, rows=rows, size_bytes=size_bytes, seed=seed))


def _plain(content: Content, shape: Shape) -> Iterator[bytes]:
    """The file before any container, one piece per block."""
    encoding = "utf-8" if content.encoding in ("utf-8-sig", "cp1252-tail") else content.encoding
    if content.encoding == "utf-8-sig":
        yield b"\xef\xbb\xbf"
    is_json = shape.kind == "json"
    head = json_text.head_text if is_json else csv_text.head_text
    yield head(content.publisher, shape).encode(encoding)
    last = (shape.items - 1) // BLOCK_ITEMS
    for number, (block, turn) in enumerate(blocks(shape)):
        if is_json and number:
            yield b",\n"
        tail = content.encoding == "cp1252-tail" and number == last
        yield _rendered(shape, block, turn, "cp1252" if tail else encoding)
    if is_json:
        yield b"\n" + json_text.tail_text(content.publisher, shape).encode(encoding)


def _rendered(shape: Shape, block: Block, turn: int, encoding: str) -> bytes:
    """One block with its slots filled: the text is rendered once, and each turn only joins it with other numbers."""
    texts, slots = _template(shape, block, encoding)
    numbers = [number.encode() for number in block.numbers(turn)]
    pieces = [b""] * (len(texts) + len(slots))
    pieces[::2] = texts
    pieces[1::2] = [numbers[slot] for slot in slots]
    return b"".join(pieces)


@lru_cache(maxsize=16)
def _template(shape: Shape, block: Block, encoding: str) -> tuple[list[bytes], list[int]]:
    text = (json_text if shape.kind == "json" else csv_text).block_text(shape, block)
    parts = _SLOT.split(text)
    return [part.encode(encoding) for part in parts[::2]], [int(slot) for slot in parts[1::2]]


def _gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    squeezer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip header, whose time field zlib leaves 0
    for chunk in chunks:
        yield squeezer.compress(chunk)
    yield squeezer.flush()


def gzipped(data: bytes) -> bytes:
    """The bytes in a gzip wrapper without a time, so that they are the same each time."""
    return gzip.compress(data, mtime=0)


class _Tray(io.RawIOBase):
    """A file that can only be written; what was written is taken away in pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def _zipped(content: Content) -> Iterator[bytes]:
    """A ZIP with one member per table; with two of them, also the folder junk of macOS."""
    tray = _Tray()
    with zipfile.ZipFile(tray, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, shape in enumerate(content.shapes):
            name = member_name(shape, number)
            with archive.open(_info(name), "w", force_zip64=True) as member:
                for chunk in _plain(content, shape):
                    member.write(chunk)
                    yield tray.take()
            if len(content.shapes) > 1:
                archive.writestr(_info(f"__MACOSX/._{name}"), _FOLDER_JUNK)
    yield tray.take()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _ZIP_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def member_name(shape: Shape, number: int) -> str:
    """The name of a table inside an archive."""
    return f"prices_{number + 1}_standardcharges.{'json' if shape.kind == 'json' else 'csv'}"


def sha256_of(chunks: Iterable[bytes]) -> tuple[str, int]:
    """The sha256 (hex) and the size in bytes of what the chunks say."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return hasher.hexdigest(), size
