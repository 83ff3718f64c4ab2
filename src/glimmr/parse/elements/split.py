"""Where JSON values end, told by brackets and quotes alone (no decoding)."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_CLASS = bytes(1 if chr(b) in '"{}[]' else 0 for b in range(256))
_DELTA = np.zeros(256, np.int8)
_DELTA[[0x7B, 0x5B]] = 1  # { [
_DELTA[[0x7D, 0x5D]] = -1  # } ]
# Where one element of the table most likely ends and the next begins. A wrong place cannot decode (brackets or quotes
# would not close), so a successful decode proves the cut.
_SEAM = re.compile(
    rb'\}\s*,\s*\{\s*"(?:description|code_information|drug_information|standard_charges|billing_code_information)"'
)
_WINDOW_BYTES = 64 * 1024
_DIGITS = bytes(0x30 if chr(b) in "0123456789." else 0x20 for b in range(256))
_LONG_RUN = b"0" * 16
_LONG_NUMBER = re.compile(rb"([:\[,]\s*)(-?\d[\d.]{14,}(?:[eE][+-]?\d+)?)(?=\s*[,}\]])")


@dataclass(frozen=True, slots=True)
class Spans:
    """Complete values of an array: begin and end offsets; where its `]` stands, when it was seen."""

    begins: list[int]
    ends: list[int]
    closed_at: int | None


def seam(data: bytes, at: int) -> int | None:
    """The end (exclusive) of the last element that another one follows, or None when no seam is in sight."""
    size = len(data)
    window = _WINDOW_BYTES
    while True:
        begin = max(at, size - window)
        last = None
        for last in _SEAM.finditer(data, begin):  # noqa: B007
            pass
        if last is not None:
            return last.start() + 1
        if begin == at:
            return None
        window *= 8


def after_comma(data: bytes, at: int) -> int:
    """The offset of the next byte that is neither blank nor comma."""
    size = len(data)
    while at < size and data[at] in b" \t\r\n,":
        at += 1
    return at


def spans(data: bytes, at: int) -> Spans:
    """The values of an array whose inside begins at `at` (outside any value), as far as `data` goes."""
    index, change, depth = _structure(data, at)
    tops = np.flatnonzero((depth == 0) & (change < 0))
    closing = np.flatnonzero(depth < 0)
    closed = int(closing[0]) if len(closing) else None
    if closed is not None:
        tops = tops[tops < closed]
    opens = np.flatnonzero((depth == 1) & (change > 0))
    if closed is not None:
        opens = opens[opens < closed]
    begins, ends = index[opens[: len(tops)]].tolist(), (index[tops] + 1).tolist()
    return Spans(begins, ends, None if closed is None else int(index[closed]))


def value_end(data: bytes, at: int) -> int | None:
    """The end (exclusive) of the object or array that begins at `at`; None when `data` ends first."""
    index, change, depth = _structure(data, at)
    ends = np.flatnonzero((depth == 0) & (change < 0))
    return int(index[ends[0]]) + 1 if len(ends) else None


def _structure(data: bytes, at: int) -> tuple[Ints, npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Brackets and quotes from `at` on: offsets, depth change at each (0 inside strings), depth after each."""
    view = np.frombuffer(data, np.uint8)
    marked = np.frombuffer(data[at:].translate(_CLASS), np.bool_)
    index = np.flatnonzero(marked) + at
    marks = view[index]
    quotes = marks == 34
    if b"\\" in data:
        quotes &= ~_escaped(view, index, at)
    inside = np.bitwise_xor.accumulate(quotes) if len(quotes) else quotes
    change = np.where(inside | (marks == 34), 0, _DELTA[marks]).astype(np.int8)
    return index, change, np.cumsum(change, dtype=np.int32)


def _escaped(view: npt.NDArray[np.uint8], index: Ints, at: int) -> npt.NDArray[np.bool_]:
    """Which marks stand behind an odd number of backslashes."""
    slashes = np.flatnonzero(view[at:] == 92) + at
    if not len(slashes):
        return np.zeros(len(index), np.bool_)
    starts = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    lengths = np.diff(np.append(starts, len(slashes)))
    behind = slashes[starts] + lengths  # the byte behind each run of backslashes
    return np.isin(index, behind[lengths % 2 == 1])


def with_exact_numbers(data: bytes) -> bytes:
    """Numbers of more than 15 digits would lose some on their way through a double: they become strings."""
    if _LONG_RUN not in data.translate(_DIGITS):
        return data
    return _LONG_NUMBER.sub(rb'\1"\2"', data)
