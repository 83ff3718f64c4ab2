"""Numbers as people see them: shortest decimal text, codes padded by their format, dates in ISO."""

import functools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

Shown = Callable[[float], str]  # how a number format shows a number

_ORDINARY = 1e21  # below this a number is written without an exponent
_SMALLEST = 1e-15
_DATE_IDS = frozenset((*range(14, 23), 45, 47))  # built-in formats that are dates or times of day (ECMA-376 18.8.30)
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DATE_LETTER = re.compile(r"[ymdhs]", re.IGNORECASE)
_ZEROS = re.compile(r"0+(-0+)*")
_DAY_SECONDS = 86_400
_LAST_DAY = 2_958_466  # 9999-12-31 is the last day
_FAKE_LEAP_DAY = 60  # 1900-02-29, which Lotus 1-2-3 had and Excel kept


def plain(number: float) -> str:
    """The shortest decimal text that reads back as the same double: `1163`, `0.1`, never `1e+16`."""
    text = repr(number)
    if text.endswith(".0"):
        return "0" if text == "-0.0" else text[:-2]
    if "e" in text and _SMALLEST < abs(number) < _ORDINARY:
        return format(Decimal(text), "f")
    return text


def number_text(text: str, show: Shown | None = None) -> str:
    """A number that is written as text, as `show` or else `plain` gives it; any other text stays as it is."""
    try:
        return (show or plain)(float(text))
    except (ValueError, OverflowError):
        return text


def shown(format_id: int, code: str | None, *, from_1904: bool) -> Shown | None:
    """How a number format shows numbers, where that is more than the number.

    Only zeros (`000`, `00000-0000`) pad a code, as in DRG 055; dates become ISO 8601. None for all others: a percentage
    or a currency leaves the number as it is.
    """
    if code is None:
        return _dates(from_1904) if format_id in _DATE_IDS else None
    if (zeros := padding(code)) is not None or _ELAPSED.search(code):
        return zeros
    return _dates(from_1904) if _DATE_LETTER.search(_LITERAL.sub("", code.split(";", 1)[0])) else None


def padding(code: str) -> Shown | None:
    """How a number format of zeros only (and hyphens between them) shows numbers; None for any other."""
    return functools.partial(_padded, code) if len(code) > 1 and _ZEROS.fullmatch(code) else None


def _padded(code: str, number: float) -> str:
    if number < 0 or not number.is_integer():
        return plain(number)
    digits = str(int(number)).rjust(code.count("0"), "0")
    for at in [i for i, letter in enumerate(reversed(code)) if letter == "-"]:
        digits = digits[:-at] + "-" + digits[-at:]
    return digits


def _dates(from_1904: bool) -> Shown:
    def date_text(number: float) -> str:
        days = number + 1462 if from_1904 else number
        if not 0 <= days < _LAST_DAY:
            return plain(number)
        day, seconds = divmod(round(days * _DAY_SECONDS), _DAY_SECONDS)
        if day == 0:
            return (datetime(1900, 1, 1) + timedelta(seconds=seconds)).time().isoformat()  # noqa: DTZ001 - no zone
        start = datetime(1899, 12, 30 if day > _FAKE_LEAP_DAY else 31)  # noqa: DTZ001 - a sheet's dates have no zone
        moment = start + timedelta(days=day, seconds=seconds)
        return moment.isoformat() if seconds else moment.date().isoformat()

    return date_text
