"""Where JSON values end, told by brackets and quotes alone (no decoding)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_CLASS = bytes(1 if chr(b) in '"{}[]' else 0 for b in range(256))
_DELTA = np.zeros(256, np.int8)
_DELTA[[0x7B, 0x5B]] = 1  # { [
_DELTA[[0x7D, 0x5D]] = -1  # } ]
# Where one element of the table most likely ends and the next begins. A wrong place cannot decode (brackets or quotes
# would not close), so a successful decode proves the cut.
_SEAM = re.compile(
    rb'\}\s*,\s*\{\s*"(?:description|code_information|drug_information|standard_charges|billing_code_information)"'
)
_BLANKS = re.compile(rb"[ \t\r\n,]*+")
_WINDOW_BYTES = 64 * 1024
_NEAR_BYTES = 2048
_NEAR_LIST_BYTES = 256 * 1024
_FIRST_STEP_BYTES, _STEP_BYTES = 4096, 4 * 1024 * 1024
_QUOTE, _BACKSLASH = 34, 92
# What a double does not give back as it was published: numbers of more than 15 digits, with more than 6 decimals, of
# 10^12 or more, or with an exponent. All have a run of 13 digits and point, 7 decimals, or a digit before an `e`.
_LONG_RUN, _LONG_DECIMALS, _STRIDE = 13, 7, 4
_CACHED_BYTES = 128 * 1024
_LONG_NUMBER = re.compile(
    rb"([:\[,]\s*)(-?\d+(?:(?:\.\d{7,}|[\d.]{12,})(?:[eE][+-]?\d+)?|(?:\.\d+)?[eE][+-]?\d+))(?=\s*[,}\]])"
)


@dataclass(frozen=True, slots=True)
class Spans:
    """Complete values of an array: begin and end offsets; where its `]` stands, when it was seen.

    `open_at` is where a value begins that does not end in sight.
    """

    begins: list[int]
    ends: list[int]
    closed_at: int | None
    open_at: int | None = None


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
    found = _BLANKS.match(data, at)
    return found.end() if found else at


def spans(data: bytes, at: int, until: int | None = None) -> Spans:
    """The values of an array whose inside begins at `at` (outside any value), as far as `data` (or `until`) goes."""
    begins: list[int] = []
    ends: list[int] = []
    for index, change, depth in _structure(data, at, len(data) if until is None else until):
        closing = np.flatnonzero(depth < 0)
        last = int(closing[0]) if len(closing) else len(index)
        closed_at = int(index[last]) if len(closing) else None
        index, change, depth = index[:last], change[:last], depth[:last]  # noqa: PLW2901
        begins += index[(depth == 1) & (change > 0)].tolist()
        ends += (index[(depth == 0) & (change < 0)] + 1).tolist()
        if closed_at is not None:
            return Spans(begins[: len(ends)], ends, closed_at)
    return Spans(begins[: len(ends)], ends, None, begins[len(ends)] if len(begins) > len(ends) else None)


def ends_soon(data: bytes, at: int) -> bool:
    """Whether the `]` of an array whose inside begins at `at` is near."""
    return spans(data, at, min(len(data), at + _NEAR_LIST_BYTES)).closed_at is not None


def value_end(data: bytes, at: int) -> int | None:
    """The end (exclusive) of the object or array that begins at `at`; None when `data` ends first."""
    for index, change, depth in _structure(data, at, len(data)):
        ends = np.flatnonzero((depth == 0) & (change < 0))
        if len(ends):
            return int(index[ends[0]]) + 1
    return None


def near_value_end(data: bytes, at: int) -> int | None:
    """`value_end`, looked for in growing windows: cheap when the value is short and much follows."""
    end = _simple_end(data, at)
    if end is not None:
        return end
    window = _NEAR_BYTES
    while True:
        end = value_end(data[at : at + window], 0)
        if end is not None:
            return at + end
        if at + window >= len(data):
            return None
        window *= 8


def _simple_end(data: bytes, at: int) -> int | None:
    """The end of a short object or array without others inside; None when it may be anything else."""
    closing = b"}" if data[at : at + 1] == b"{" else b"]"
    end = data.find(closing, at, at + _NEAR_BYTES) + 1
    text = data[at:end]
    if not end or b"\\" in text or text.count(b'"') % 2 or text.count(b"{") + text.count(b"[") != 1:
        return None
    return end


def _structure(data: bytes, at: int, until: int) -> Iterator[tuple[Ints, npt.NDArray[np.int8], npt.NDArray[np.int32]]]:
    """Brackets and quotes from `at` to `until`: offsets, depth change at each (0 inside strings), depth after each.

    Step by step, so that an element of many megabytes takes little more memory than itself; the first steps are short,
    for of thousands of small lists in a row each ends soon.
    """
    inside, level, step_bytes = False, 0, _FIRST_STEP_BYTES
    while at < until:
        end = min(at + step_bytes, until)
        step_bytes = min(8 * step_bytes, _STEP_BYTES)
        while end < len(data) and data[end - 1] == _BACKSLASH:  # what follows it belongs to it
            end += 1
        view = np.frombuffer(data, np.uint8)[at:end]
        index = np.flatnonzero(np.frombuffer(data[at:end].translate(_CLASS), np.bool_))
        marks = view[index]
        quotes = marks == _QUOTE
        if (view == _BACKSLASH).any():
            quotes &= ~_escaped(view, index)
        strings = np.bitwise_xor.accumulate(quotes) ^ inside
        change = np.where(strings | (marks == _QUOTE), 0, _DELTA[marks]).astype(np.int8)
        depth = np.cumsum(change, dtype=np.int32) + np.int32(level)
        if len(index):
            inside, level = bool(strings[-1]), int(depth[-1])
            yield index + at, change, depth
        at = end


def _escaped(view: npt.NDArray[np.uint8], index: Ints) -> npt.NDArray[np.bool_]:
    """Which marks stand behind an odd number of backslashes."""
    slashes = np.flatnonzero(view == _BACKSLASH)
    starts = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    lengths = np.diff(np.append(starts, len(slashes)))
    behind = slashes[starts] + lengths  # the byte behind each run of backslashes
    return np.isin(index, behind[lengths % 2 == 1])


def with_exact_numbers(data: bytes) -> bytes:
    """Numbers that would not survive as text through a double become strings.

    Something like a number inside a string is quoted too, which breaks that string: such text does not decode.
    """
    view = np.frombuffer(data, np.uint8)
    if _has_exponent(view) or _has_long_decimals(view) or _has_long_run(view):
        return _LONG_NUMBER.sub(rb'\1"\2"', data)
    return data


def _is_of_number(letters: Bytes) -> Bools:
    """Digits and point (and the slash between them: to ask for it too would take longer than what it costs)."""
    return letters - ord(".") <= ord("9") - ord(".")


def _has_exponent(view: Bytes) -> bool:
    """Whether an `e` or `E` stands behind a digit. In pieces that stay in the processor's cache: four times as fast."""
    for at in range(0, len(view), _CACHED_BYTES):
        letters, before = view[at + 1 : at + 1 + _CACHED_BYTES], view[at : at + _CACHED_BYTES]
        is_e, is_digit = (letters | 0x20) == ord("e"), before[: len(letters)] - ord("0") <= ord("9") - ord("0")
        if (is_e & is_digit).any():
            return True
    return False


def _has_long_decimals(view: Bytes) -> bool:
    """Whether something like seven digits stand behind a point: only the last is looked at first."""
    points = np.flatnonzero(view[:-_LONG_DECIMALS] == ord("."))
    for step in range(_LONG_DECIMALS, 0, -1):
        points = points[_is_of_number(view[points + step])]
    return bool(len(points))


def _has_long_run(view: Bytes) -> bool:
    """Whether 13 digits and points follow each other: three in a row of every fourth byte, then all around them."""
    every = _is_of_number(view[::_STRIDE])
    begins = np.flatnonzero(every[:-2] & every[1:-1] & every[2:]) * _STRIDE
    if not len(begins):
        return False
    around = begins[:, None] + np.arange(1 - _STRIDE, _LONG_RUN)  # the run begins at one of the first four
    of_number = _is_of_number(view[np.clip(around, 0, len(view) - 1)])
    runs = np.lib.stride_tricks.sliding_window_view(of_number, _LONG_RUN, axis=1)
    return bool(runs.all(axis=2).any())
