"""Whether the cells of delimited text have blanks around them: to trim them all takes long, and most need it not."""

import numpy as np

from glimmr.parse.tables.amounts import Bools, Ints

_SPACE, _LINE_END, _QUOTE, _LAST_ASCII = 32, 10, 34, 127
_CACHED_BYTES = 128 * 1024  # in pieces that stay in the processor's cache: several times as fast


def is_trimmed(data: memoryview, quotes: Ints, records: int, delimiter: int) -> bool:
    """Whether surely no cell of these `records` begins or ends with a blank; `quotes` are where quotes stand.

    The text is regular: every opening quote begins a cell, every closing one ends one, or it stands for a quote.
    """
    letters = np.frombuffer(data, np.uint8)
    if letters[0] == _SPACE or letters[-1] == _SPACE:
        return False
    lines, at_edges = 0, [np.empty(0, np.int64)]
    for at in range(0, len(letters), _CACHED_BYTES):
        begin = max(at - 1, 0)
        part = letters[begin : at + _CACHED_BYTES + 1]
        is_end, is_delimiter = part == _LINE_END, part == delimiter
        lines += int(np.count_nonzero(is_end[at - begin : at - begin + _CACHED_BYTES]))
        others = (part < _SPACE) | (part > _LAST_ASCII)  # among them are the other blanks
        if lines > records or (others & ~is_end & ~is_delimiter).any():  # or line ends inside quotes
            return False
        is_edge = is_end | is_delimiter | (part == _QUOTE)
        spaces = (part == _SPACE)[1:-1] & (is_edge[:-2] | is_edge[2:])
        if spaces.any():
            at_edges.append(np.flatnonzero(spaces) + begin + 1)
    return _are_inside(np.concatenate(at_edges), quotes)


def _are_inside(spaces: Ints, quotes: Ints) -> bool:
    """Whether these stand inside of quotes and touch neither the opening nor the closing one."""
    if not len(spaces):
        return True
    behind = np.searchsorted(quotes, spaces)  # the quote behind each
    if not (behind % 2 == 1).all():
        return False
    doubled = _doubled(quotes)
    opening = (quotes[behind - 1] == spaces - 1) & ~doubled[behind - 1]
    closing = (quotes[behind] == spaces + 1) & ~doubled[behind]
    return not (opening | closing).any()


def _doubled(quotes: Ints) -> Bools:
    """Which quotes stand for one in the text: one that closes and one that opens, side by side."""
    side_by_side = np.diff(quotes) == 1
    side_by_side[::2] = False
    doubled = np.zeros(len(quotes), np.bool_)
    doubled[:-1] |= side_by_side
    doubled[1:] |= side_by_side
    return doubled
