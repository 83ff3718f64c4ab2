"""Billing codes: all pairs as published, the primary one, and the normalised ones people filter by."""

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa

from glimmr.parse.tables.amounts import Ints, valid_mask
from glimmr.parse.tables.compute import functions as pc
from glimmr.parse.tables.draft import Draft
from glimmr.price_table import CODES

# CMS data dictionary 3.0, "code types"; CMG and MS-LTC-DRG are new in 3.0.
CODE_TYPES = frozenset(
    ("CPT", "HCPCS", "NDC", "RC", "ICD", "DRG", "MS-DRG", "R-DRG", "S-DRG", "APS-DRG", "AP-DRG", "APR-DRG", "APC",
     "LOCAL", "EAPG", "HIPPS", "CDT", "CDM", "TRIS-DRG", "CMG", "MS-LTC-DRG")
)  # fmt: skip
_PRIORITY = (
    ("HCPCS", "CPT"), ("MSDRG",), ("DRG", "RDRG", "SDRG", "APSDRG", "APDRG", "APRDRG", "TRISDRG", "MSLTCDRG"),
    ("APC", "EAPG"), ("NDC",), ("CDT",), ("RC",), ("ICD", "HIPPS", "CMG"), ("CDM",), ("LOCAL",),
)  # fmt: skip
_RANK = {name: rank for rank, names in enumerate(_PRIORITY) for name in names}
_LAST = len(_PRIORITY)
_SYNONYMS = {"REV": "RC", "REVCODE": "RC", "REVENUECODE": "RC", "REVENUE": "RC"}
_HCPCS = re.compile(r"(?:CPT|HCPCS)?[^A-Z0-9]*([A-Z0-9]{4}[A-Z0-9])(?:[^A-Z0-9].*)?", re.ASCII | re.DOTALL)
_NDC = re.compile(r"(\d{4,5})-(\d{3,4})-(\d{1,2})(?!\d)", re.ASCII)
_NDC_DIGITS = re.compile(r"(\d{11})(?!\d)", re.ASCII)
_DRG = re.compile(r"(?:MS-?)?(?:DRG)?[^0-9A-Z]*0*(\d{1,3})(?!\d)", re.ASCII)
_CPT = re.compile(r"\d{4}[\dFTUMA]", re.ASCII)
_LEVEL_II = re.compile(r"[A-V]\d{4}", re.ASCII)
_NAMED_DRG = re.compile(r"(?:MS-?)?DRG\W*\d", re.ASCII)
_RC = re.compile(r"0*(\d{1,4})(?:\.0+)?(?!\d)", re.ASCII)


@lru_cache(maxsize=65536)
def hcpcs(code: str) -> str | None:
    """`cpt® 99213-25` → `99213`. A code that has not five characters gives None."""
    found = _HCPCS.fullmatch(code.strip().upper())
    return found[1] if found else None


@lru_cache(maxsize=65536)
def ndc(code: str) -> str | None:
    """11 digits, 5-4-2: a hyphenated code's short segment is padded; 10 digits without hyphens are ambiguous: None."""
    found = _NDC.match(code.strip())
    if found:
        return f"{found[1]:0>5}{found[2]:0>4}{found[3]:0>2}"
    digits = _NDC_DIGITS.match(code.strip())
    return digits[1] if digits else None


@lru_cache(maxsize=65536)
def drg(code: str) -> str | None:
    """`MSDRG-7` → `007`."""
    found = _DRG.match(code.strip().upper())
    return found[1].zfill(3) if found else None


@lru_cache(maxsize=65536)
def revenue(code: str) -> str | None:
    """`360` → `0360`."""
    found = _RC.match(code.strip())
    return found[1].zfill(4) if found else None


# Column, types, how a code becomes normal, and what is normal already.
_FAMILIES: tuple[tuple[str, frozenset[str], Callable[[str], str | None], str], ...] = (
    ("hcpcs", frozenset({"HCPCS", "CPT"}), hcpcs, "^[0-9A-Z]{5}$"),
    ("ms_drg", frozenset({"MSDRG"}), drg, "^[0-9]{3}$"),
    ("ndc", frozenset({"NDC"}), ndc, "^[0-9]{11}$"),
    ("rev_code", frozenset({"RC"}), revenue, "^[0-9]{4}$"),
)


def told_types(codes: pa.Array, told: str) -> pa.Array:
    """The types of codes whose column name tells them: `HCPCS` also stands over CPT codes, "" over any.

    A code of five digits, or of four and a letter F, T, U, M or A, is CPT's (AMA categories I to III, PLA, MAAA); a
    letter and four digits is HCPCS level II; three digits under no name may be anything.
    """
    if told not in {"HCPCS", ""}:
        return pc.if_else(codes.is_valid(), pa.scalar(told), pa.scalar(None, pa.string()))
    encoded = codes.dictionary_encode()
    return pa.array([_told_type(code, told) for code in encoded.dictionary.to_pylist()], pa.string()).take(
        encoded.indices
    )


def _told_type(code: str, told: str) -> str | None:
    plain = code.strip().upper()
    if _CPT.fullmatch(plain):
        return "CPT"
    if _LEVEL_II.fullmatch(plain):
        return "HCPCS"
    if told:
        return told
    return "MS-DRG" if _NAMED_DRG.match(plain) else "LOCAL"


def put_codes(draft: Draft, owners: Ints, codes: pa.Array, types: pa.Array) -> None:
    """Set every code column of `draft` from pairs in source order: whose (ascending), code, type (blanks are null)."""
    upper = pc.utf8_upper(types)
    counts = np.bincount(owners, minlength=draft.rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    pairs = pa.StructArray.from_arrays([codes, upper], fields=list(CODES.value_type))
    draft.put("codes", pa.ListArray.from_arrays(offsets, pairs, type=CODES))
    if not len(owners):
        return
    encoded = upper.dictionary_encode()
    names: list[str] = [re.sub(r"[^A-Z]", "", name) for name in encoded.dictionary.to_pylist()]
    names = [_SYNONYMS.get(name, name) for name in names]
    known = [name in CODE_TYPES for name in encoded.dictionary.to_pylist()]
    which = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    unknown = ~np.array([*known, True], np.bool_)[which]
    draft.flag(np.unique(owners[unknown & valid_mask(upper)]), "unknown_code_type")
    rank = np.array([*(_RANK.get(name, _LAST) for name in names), _LAST + 1], np.int64)[which]
    rank[~valid_mask(codes)] = _LAST + 2
    _put_primary(draft, owners, rank, codes, upper)
    for column, family, normal, is_normal in _FAMILIES:
        member = np.array([*(name in family for name in names), False], np.bool_)[which]
        chosen = np.flatnonzero(member & (rank <= _LAST))
        if len(chosen):
            whose, first = np.unique(owners[chosen], return_index=True)
            found = _normalised(codes.take(pa.array(chosen[first])), normal, is_normal)
            draft.put(column, scatter(found, whose, draft.rows))


def _put_primary(draft: Draft, owners: Ints, rank: Ints, codes: pa.Array, types: pa.Array) -> None:
    order = np.argsort(owners * (_LAST + 3) + rank, kind="stable")
    whose, first = np.unique(owners[order], return_index=True)
    best = pa.array(order[first])
    draft.put("code", scatter(codes.take(best), whose, draft.rows))
    draft.put("code_type", scatter(types.take(best), whose, draft.rows))


def _normalised(codes: pa.Array, normal: Callable[[str], str | None], is_normal: str) -> pa.Array:
    encoded = codes.dictionary_encode()
    texts = encoded.dictionary
    odd = pc.invert(pc.match_substring_regex(texts, is_normal))
    if pc.any(odd).as_py():
        mended = pa.array([normal(code) for code in texts.filter(odd).to_pylist()], pa.string())
        texts = pc.replace_with_mask(texts, odd, mended)
    return texts.take(encoded.indices)


def scatter(values: pa.Array, rows: Ints, size: int) -> pa.Array:
    """An array of `size` that has `values` at `rows` and null elsewhere."""
    if len(rows) == size:
        return values
    index = np.full(size, -1, np.int64)
    index[rows] = np.arange(len(rows))
    return values.take(pa.array(index, mask=index < 0))
