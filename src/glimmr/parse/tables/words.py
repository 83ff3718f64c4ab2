"""Columns of few words (setting, billing class, methodology, counts, modifiers): folded to the table's spelling."""

import re

import numpy as np
import pyarrow as pa

from glimmr.parse.tables.amounts import NULL_TOKENS, Ints, valid_mask
from glimmr.parse.tables.draft import Draft, Label
from glimmr.price_table import TEXTS

SETTINGS = {"inpatient": "inpatient", "outpatient": "outpatient", "both": "both", "ip": "inpatient", "op": "outpatient"}
# Before CMS's template, letters and both words were usual.
LEGACY_SETTINGS = SETTINGS | {
    "i": "inpatient", "in": "inpatient", "inpat": "inpatient", "o": "outpatient", "out": "outpatient",
    "outpat": "outpatient", "ip/op": "both", "inpatient/outpatient": "both", "inpatient & outpatient": "both",
    "inpatient and outpatient": "both",
}  # fmt: skip
BILLING_CLASSES = {"facility": "facility", "professional": "professional", "both": "both"}
METHODOLOGIES = {
    "case rate": "case rate",
    "fee schedule": "fee schedule",
    "percent of total billed charges": "percent of total billed charges",
    "percent of total billed charge": "percent of total billed charges",
    "percentage of total billed charges": "percent of total billed charges",
    "per diem": "per diem",
    "other": "other",
}
_GAPS = re.compile(r"[\s_-]+")
_RANGE = re.compile(r"(\d{1,9})\s*(?:through|to|-|–)\s*(\d{1,9})", re.IGNORECASE | re.ASCII)  # noqa: RUF001 - as seen
_WHOLE = re.compile(r"(\d{1,9})(?:\.0*)?", re.ASCII)
_CMS_COUNT = re.compile(r"0|1 through 10|1[1-9]|[2-9]\d+|[1-9]\d{2,}", re.IGNORECASE | re.ASCII)  # JSON schema 3.0
_MODIFIERS = re.compile(r"[|,;\s]+")


def put_word(
    draft: Draft, name: str, texts: pa.Array, known: dict[str, str], flag: str, *, exact: bool = False
) -> None:
    """A column whose values are of a closed list, whatever case or blanks they came with; others stay as published.

    What CMS takes for another value is marked: it folds case and outer blanks in CSV, nothing in JSON (`exact`).
    """
    if texts.null_count == len(texts):
        return
    encoded = texts.dictionary_encode()
    published: list[str] = encoded.dictionary.to_pylist()
    folded = [known.get(_GAPS.sub(" ", text.strip()).casefold()) for text in published]
    spelled = [fold or (text.strip() or None) for fold, text in zip(folded, published, strict=True)]
    draft.put(name, pa.array(spelled, pa.string()).take(encoded.indices))
    plain = [text.strip() if exact else text.strip().casefold() for text in published]
    variant = [fold is not None and fold != text for fold, text in zip(folded, plain, strict=True)]
    _mark(draft, "GL-SPELLING", name, encoded, variant)
    strange = np.array([f is None and s is not None for f, s in zip(folded, spelled, strict=True)] + [False], np.bool_)
    if strange.any():
        draft.flag(strange[encoded.indices.fill_null(len(published)).to_numpy(zero_copy_only=False)], flag)


def _mark(draft: Draft, code: str, name: str, encoded: pa.DictionaryArray, where: list[bool]) -> None:
    """Mark the rows whose distinct text is one of those."""
    if any(where):
        which = encoded.indices.fill_null(len(where)).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(np.array([*where, False], np.bool_)[which])
        draft.mark(code, name, rows, encoded.dictionary.take(encoded.indices.take(pa.array(rows))))


def count(text: str) -> tuple[int, int] | None:
    """`0` → (0, 0), `1 through 10` → (1, 10), `57` → (57, 57) (CMS data dictionary 3.0, count of allowed amounts)."""
    plain = text.strip().replace(",", "")
    whole = _WHOLE.fullmatch(plain)
    if whole:
        number = int(whole[1])
        return number, number
    both = _RANGE.fullmatch(plain)
    return (int(both[1]), int(both[2])) if both else None


def put_counts(draft: Draft, texts: pa.Array, labels: Label) -> None:
    """`allowed_count_min`, `allowed_count_max`; a text that is no count goes to `extra`."""
    if texts.null_count == len(texts):
        return
    encoded = texts.dictionary_encode()
    published: list[str] = encoded.dictionary.to_pylist()
    read = [count(text) for text in published]
    for name, end in (("allowed_count_min", 0), ("allowed_count_max", 1)):
        ends = pa.array([None if one is None else one[end] for one in read], pa.int32())
        draft.put(name, ends.take(encoded.indices))
    odd = [r is not None and not _CMS_COUNT.fullmatch(text.strip()) for r, text in zip(read, published, strict=True)]
    _mark(draft, "GL-COUNT-FORMAT", "allowed_count", encoded, odd)
    bad = np.array([one is None and text.strip() != "" for one, text in zip(read, published, strict=True)] + [False])
    if bad.any():
        strange = np.array([t.strip().casefold() not in NULL_TOKENS for t in published] + [False])
        which = encoded.indices.fill_null(len(published)).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(bad[which])
        draft.flag((bad & strange)[which], "bad_count")
        draft.keep(rows, labels, texts.take(pa.array(rows)), "bad_count")


def put_modifiers(draft: Draft, texts: pa.Array) -> None:
    """`modifiers` as a list, from one text with `|`, commas or blanks between."""
    if texts.null_count == len(texts):
        return
    encoded = texts.dictionary_encode()
    lists = [split_modifiers(text) or None for text in encoded.dictionary.to_pylist()]
    draft.put("modifiers", pa.array(lists, TEXTS).take(encoded.indices))


def split_modifiers(text: str) -> list[str]:
    """`26|TC`, `26, TC` and `26 TC` are two modifiers."""
    return [one for one in _MODIFIERS.split(text) if one]


def flag_modifier_rows(draft: Draft, coded: Ints) -> None:
    """A row with modifiers and no code prices a modifier (`coded`: the rows that have a code)."""
    if "modifiers" in draft.columns:
        bare = valid_mask(draft.columns["modifiers"]).copy()
        bare[coded] = False
        draft.flag(bare, "modifier_row")
