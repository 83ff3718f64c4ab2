"""Flags of many rows at once: one bit each in an integer, a list of names only when written."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glimmr.price_table import FLAGS, TEXTS

NAMES: tuple[str, ...] = tuple(FLAGS)
BIT: dict[str, int] = {name: 1 << index for index, name in enumerate(NAMES)}


def names_of(bits: int) -> list[str]:
    """The flags set in `bits`, in the order of the closed list."""
    return [name for name in NAMES if bits & BIT[name]]


def as_lists(bits: npt.NDArray[np.int64] | None, rows: int) -> pa.Array:
    """The `flags` column: never null, empty where nothing is odd."""
    if bits is None or not bits.any():
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.array([], pa.string()))
    distinct, which = np.unique(bits, return_inverse=True)
    lists = pa.array([names_of(int(one)) for one in distinct], TEXTS)
    return lists.take(pa.array(which))
