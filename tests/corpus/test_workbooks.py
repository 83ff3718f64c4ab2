"""Real workbooks: every cell of every sheet is what another reader finds there."""

import datetime as dt
import io
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from glimmr.parse.formats import BOOKS
from glimmr.parse.limits import Limits
from glimmr.parse.sheets.numbers import plain
from glimmr.parse.unpack import Container
from glimmr.sniff import Kind

_WITHOUT_CALAMINE = {Kind.SPREADSHEETML}


def _text(value: Any) -> str:
    """A value as calamine gives it, as we would write it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return plain(float(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _same(ours: str, theirs: str) -> bool:
    """Calamine knows no formats that pad a code, and has a blank for an error."""
    return ours == theirs or (ours[:1] == "0" and ours.lstrip("0") == theirs) or (ours[:1] == "#" and not theirs)


def test_every_cell_is_what_another_reader_finds(corpus: Path, tmp_path: Path) -> None:
    sheets = cells = 0
    for path in sorted((corpus / "files").rglob("*")):
        if not path.is_file() or path.stat().st_size > 5_000_000:
            continue
        for member in Container(path, Limits(), tmp_path).members():
            if member.failure is not None or member.kind not in BOOKS.keys() - _WITHOUT_CALAMINE:
                continue
            book = CalamineWorkbook.from_filelike(io.BytesIO(member.stream.seekable().read()))
            names: list[str] = []
            for sheet in BOOKS[member.kind](member.stream, Limits()):
                names.append(sheet.name)
                ours = list(sheet.rows)
                theirs = [[_text(value) for value in row] for row in _rows(book, sheet.name)]
                for number in range(max(len(ours), len(theirs))):
                    row = ours[number] if number < len(ours) else []
                    other = theirs[number] if number < len(theirs) else []
                    width = max(len(row), len(other))
                    pairs = zip([*row, *[""] * (width - len(row))], [*other, *[""] * (width - len(other))], strict=True)
                    odd = [pair for pair in pairs if not _same(*pair)]
                    assert not odd, (path.name, sheet.name, number + 1, odd[:3])
                    cells += width
                sheets += 1
            assert names == book.sheet_names, path.name
    assert sheets > 50
    assert cells > 100_000


def _rows(book: CalamineWorkbook, name: str) -> list[list[Any]]:
    return book.get_sheet_by_name(name).to_python(skip_empty_area=False)
