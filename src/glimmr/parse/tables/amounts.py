"""Money as published → decimal128(18, 6), exactly: the fast way proves itself, what it cannot prove goes by Decimal.

Why the fast way is exact: a text of at most 15 digits and its nearest double determine each other (IEEE 754), so when
`rint(x * 10^6) / 10^6 == x` and both have at most 15 digits, the text *is* that many millionths.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.flags import BIT
from glimmr.price_table import MONEY, MONEY_LIMIT

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MICRO = 10**6
_SENTINEL = 999_999_999
_SENTINEL_EXPONENT = 8
_LIMIT_EXPONENT = 12  # of MONEY_LIMIT
_PROVABLE_DIGITS = 15
_MANY_COLUMNS = 100
_CONTEXT = Context(prec=200, rounding=ROUND_HALF_EVEN)
_STEP = Decimal(1).scaleb(-6)
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_PLAIN_NUMBER = r"^-?(\d+\.?\d*|\.\d+)$"
NULL_TOKENS = frozenset(
    ("", "-", "--", "*", "**", "n/a", "#n/a", "na", "null", "none", "nan", "#value!", "#ref!", "#div/0!", "#name?", ".")
)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Typed amounts: decimals, flag bits per row (None: no flag at all), and the rows whose text must be kept.

    `from_texts` says that some of what should be JSON numbers were strings.
    """

    values: pa.Array
    bits: Ints | None = None
    kept: Ints | None = None
    from_texts: bool = False


@lru_cache(maxsize=65536)
def amount(text: str) -> tuple[int | None, int, bool]:
    """One text → (millionths or None, flag bits, whether its text is to be kept).

    One leading `$`, thousands separators and outer blanks are no part of the number; parentheses make it negative.
    """
    stripped = text.strip()
    if stripped.casefold() in NULL_TOKENS:
        return None, 0, stripped != ""
    number = stripped.removeprefix("$").strip()
    parentheses = number.startswith("(") and number.endswith(")")
    if parentheses:
        number = number[1:-1].strip().removeprefix("$")
    number = number.replace(",", "").strip()
    if not _NUMBER.fullmatch(number):
        return None, BIT["bad_number"], True
    bits = BIT["currency_text"] if number != stripped else 0
    value = Decimal(number)
    if parentheses:
        value = value.copy_negate()  # unlike -value, it rounds nothing
    if value.adjusted() == _SENTINEL_EXPONENT and int(value.copy_abs()) == _SENTINEL:
        return None, bits | BIT["sentinel_nine_nines"], False
    if value and value.adjusted() >= _LIMIT_EXPONENT:
        return None, bits | BIT["rounded"], True
    micro = int(value.quantize(_STEP, context=_CONTEXT).scaleb(6))
    if abs(micro) >= MONEY_LIMIT * _MICRO:
        return None, bits | BIT["rounded"], True
    rounded = Decimal(micro).scaleb(-6) != value
    bits |= BIT["rounded"] if rounded else 0
    return micro, bits | _sign_bits(micro), rounded


def _sign_bits(micro: int) -> int:
    return BIT["zero_amount"] if micro == 0 else BIT["negative"] if micro < 0 else 0


def of_texts(texts: pa.Array) -> Amounts:
    """Amounts of a string array; null stays null."""
    rows = len(texts)
    if texts.null_count == rows:
        return Amounts(pa.nulls(rows, MONEY))
    valid = valid_mask(texts)
    doubles, rest, bits = _cast(texts) or _mixed(texts, valid)
    short = _lengths(texts) <= _PROVABLE_DIGITS
    proved = valid & short if rest is None else valid & short & ~rest
    return _finish(_numbers(doubles), valid, proved, bits, lambda odd: texts.take(pa.array(odd)).to_pylist())


def of_numbers(values: Sequence[float | str | None]) -> Amounts:
    """Amounts of JSON numbers (at most 15 digits each) and strings (anything else)."""
    rows = len(values)
    try:
        doubles = pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
        return _of_mixed_numbers(values)
    if doubles.null_count == rows:
        return Amounts(pa.nulls(rows, MONEY))
    valid = valid_mask(doubles)
    return _finish(_numbers(doubles), valid, valid, None, lambda odd: [repr(values[i]) for i in odd.tolist()])


def _of_mixed_numbers(values: Sequence[float | str | None]) -> Amounts:
    texts = [v if v is None or isinstance(v, str) else repr(v) for v in values]
    return replace(of_texts(blank_to_null(pa.array(texts, pa.string()))), from_texts=True)


def _cast(texts: pa.Array) -> tuple[pa.Array, None, None] | None:
    """Doubles of texts that all are plain numbers; None when not all are.

    Arrow also reads `+5`, which is no number here, and `1e-400` as zero: a sign or an exponent goes the other way.
    """
    characters = _characters(texts)
    if any(mark in characters for mark in (b"+", b"e", b"E")):
        return None
    try:
        return texts.cast(pa.float64()), None, None
    except pa.ArrowInvalid:
        return None


def _mixed(texts: pa.Array, valid: Bools) -> tuple[pa.Array, Bools, Ints | None]:
    """When not every text is a number: doubles of those that are, after $ and commas; the others; flags."""
    cleaned = pc.utf8_trim_whitespace(texts)
    plain = pc.replace_substring(pc.replace_substring_regex(cleaned, r"^\$", ""), ",", "")
    plain = pc.utf8_trim_whitespace(plain)
    number = pc.match_substring_regex(plain, _PLAIN_NUMBER).fill_null(False)
    changed = pc.not_equal(plain, cleaned).fill_null(False)
    doubles = pc.if_else(number, plain, pa.scalar(None, pa.string())).cast(pa.float64())
    is_number = number.to_numpy(zero_copy_only=False)
    marked = changed.to_numpy(zero_copy_only=False) & is_number
    bits = np.where(marked, BIT["currency_text"], 0).astype(np.int64) if marked.any() else None
    return doubles, valid & ~is_number, bits


def _finish(
    doubles: npt.NDArray[np.float64],
    valid: Bools,
    provable: Bools,
    bits: Ints | None,
    texts_of: Callable[[Ints], list[str]],
) -> Amounts:
    """Prove what can be proved, send the rest through `amount`, set the flags."""
    with np.errstate(all="ignore"):
        micro = np.rint(doubles * _MICRO)
        proved = provable & (np.abs(micro) < 10**_PROVABLE_DIGITS) & (micro / _MICRO == doubles)
        exact = np.where(proved, micro, 1).astype(np.int64)
    nulls = ~valid
    bits = _flag(bits, proved & (exact == 0), "zero_amount")
    bits = _flag(bits, proved & (exact < 0), "negative")
    nines = proved & (np.abs(exact) // _MICRO == _SENTINEL)
    if nines.any():
        bits = _flag(bits, nines, "sentinel_nine_nines")
        nulls |= nines
    odd = np.flatnonzero(valid & ~proved)
    if not len(odd):
        return Amounts(decimals(exact, nulls), bits)
    bits = np.zeros(len(valid), np.int64) if bits is None else bits
    bits[odd] = 0
    keep: list[int] = []
    for row, text in zip(odd.tolist(), texts_of(odd), strict=True):
        value, bits[row], kept = amount(text)
        exact[row] = value or 0
        nulls[row] = value is None
        if kept:
            keep.append(row)
    return Amounts(decimals(exact, nulls), bits if bits.any() else None, np.array(keep, np.int64) if keep else None)


def _flag(bits: Ints | None, where: Bools, name: str) -> Ints | None:
    if not where.any():
        return bits
    bits = np.zeros(len(where), np.int64) if bits is None else bits
    bits[where] |= BIT[name]
    return bits


def decimals(micro: Ints, nulls: Bools) -> pa.Array:
    """decimal128(18, 6) of millionths: 16 little-endian bytes each, sign-extended."""
    words = np.empty((len(micro), 2), np.int64)
    words[:, 0] = micro
    words[:, 1] = micro >> 63
    null_count = int(nulls.sum())
    bitmap = pa.py_buffer(np.packbits(~nulls, bitorder="little")) if null_count else None
    return pa.Array.from_buffers(MONEY, len(micro), [bitmap, pa.py_buffer(words)], null_count)


def micros(values: pa.Array) -> Ints:
    """The millionths of a decimal array (what stands at nulls means nothing)."""
    words = np.frombuffer(values.buffers()[1], np.int64)[2 * values.offset : 2 * (values.offset + len(values))]
    return words[::2]


def valid_mask(array: pa.Array) -> Bools:
    """Which rows are not null."""
    if array.null_count == 0:
        return np.ones(len(array), np.bool_)
    return array.is_valid().to_numpy(zero_copy_only=False)


def blank_to_null(texts: pa.Array) -> pa.Array:
    """Outer blanks removed; what is empty then is null."""
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.utf8_trim_whitespace(texts)
    shortest = pc.min(pc.binary_length(trimmed)).as_py()
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed) if shortest == 0 else trimmed


def blanks_to_null(columns: list[pa.Array]) -> list[pa.Array]:
    """`blank_to_null` of columns of one length; thousands of short ones are done together, as calls cost more."""
    filled = [at for at, column in enumerate(columns) if column.null_count < len(column)]
    if len(filled) < _MANY_COLUMNS:
        return list(map(blank_to_null, columns))
    rows = len(columns[0])
    trimmed = blank_to_null(pa.concat_arrays([columns[at] for at in filled]))
    done = list(columns)
    for place, at in enumerate(filled):
        done[at] = trimmed.slice(place * rows, rows)
    return done


def _numbers(doubles: pa.Array) -> npt.NDArray[np.float64]:
    return (doubles.fill_null(0.0) if doubles.null_count else doubles).to_numpy(zero_copy_only=False)


def _offsets(texts: pa.Array) -> npt.NDArray[np.int32]:
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def _lengths(texts: pa.Array) -> npt.NDArray[np.int32]:
    return np.diff(_offsets(texts))


def _characters(texts: pa.Array) -> bytes:
    """All texts as one."""
    offsets = _offsets(texts)
    return texts.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0])).to_pybytes()
