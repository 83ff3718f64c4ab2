"""The records of a list, in whatever it is written: CSV with any delimiter, JSON, JSON lines, Parquet."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glimmr.scan.identity import says_something
from glimmr.sniff.kinds import utf16_encoding

_LONGEST_CELL = 131_072
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)  # Excel writes it above the header, and swallows it again
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_LETTER = re.compile(r"[^a-z0-9]+")


class BrokenList(ValueError):
    """The bytes are no list. The text says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns as written, and every record that says something: its number as a spreadsheet counts, and its facts.

    Facts are texts by folded column name. Going through the records may raise BrokenList.
    """

    columns: tuple[str, ...]
    records: Iterator[tuple[int, dict[str, str]]]


@lru_cache(maxsize=4096)
def folded(column: str) -> str:
    """A column's name without case and punctuation: `MRF-URL`, `mrfUrl` and `mrf url` are `mrf_url`."""
    return _NO_LETTER.sub("_", _HUMP.sub("_", column).casefold()).strip("_")


def pick(facts: Mapping[str, str], names: Iterable[str]) -> str:
    """The first of these columns that says something in this record, or an empty text."""
    return next((facts[name] for name in names if says_something(facts.get(name))), "")


def rows(data: bytes) -> Rows:
    """What a list holds. Raises BrokenList when it is none."""
    if data[:4] == b"PAR1":
        return _parquet(data)
    text = text_of(data)
    if text.lstrip()[:1] in ("[", "{"):
        return _json(text)
    return _delimited(text)


def text_of(data: bytes) -> str:
    """A text in UTF-8, UTF-16 or cp1252, without its byte order mark. Raises BrokenList when it is none."""
    try:
        text = data.decode(utf16_encoding(data) or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise BrokenList("holds NUL characters, so it is no text: save it as CSV in UTF-8")
    return text


def _delimited(text: str) -> Rows:
    lines = _csv_rows(text)
    _, header = next(lines, (0, []))
    names = [folded(cell) for cell in header]

    def records() -> Iterator[tuple[int, dict[str, str]]]:
        for number, row in lines:
            # Of two columns with one name the first counts.
            yield number, {name: cell.strip() for name, cell in reversed(list(zip(names, row, strict=False)))}

    return Rows(tuple(header), records())


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    lines = (line.strip() for line in io.StringIO(text, newline=None))
    first = next((line for line in lines if line and not _SEPARATOR_LINE.fullmatch(line)), "")
    # Strict, because a missing closing quote would swallow all rows up to the next quote without a word.
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",\t;|", key=first.count), strict=True, skipinitialspace=True
    )
    begun = 1
    try:
        for number, row in enumerate(reader, start=1):
            _check(row)
            if any(cell.strip() for cell in row) and not (number == 1 and _SEPARATOR_LINE.fullmatch("".join(row))):
                yield number, row
            begun = reader.line_num + 1
    except csv.Error as error:
        raise BrokenList(f"line {begun}: {error} (is a closing quote missing?)") from error


def _check(row: list[str]) -> None:
    """The csv module's own limit is one for the whole process, and the parser of price files raises it."""
    if max(map(len, row), default=0) > _LONGEST_CELL:
        raise csv.Error(f"a cell is longer than {_LONGEST_CELL:,} characters")


def _json(text: str) -> Rows:
    """One document (a list of objects, or an object that holds one), or an object in each line."""
    try:
        numbered = list(enumerate(_objects(json.loads(text)), start=1))
    except RecursionError as error:
        raise BrokenList("is no JSON list: it is nested too deeply") from error
    except json.JSONDecodeError as error:
        numbered = _json_lines(text, error)
    return _of_objects(numbered)


def _json_lines(text: str, whole: json.JSONDecodeError) -> list[tuple[int, Any]]:
    if "\n" not in text.strip() or text.lstrip().startswith("["):
        raise BrokenList(f"is no JSON: line {whole.lineno}: {whole.msg}") from whole
    numbered: list[tuple[int, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            numbered += [(number, json.loads(line))] if line.strip() else []
        except (json.JSONDecodeError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
            raise BrokenList(f"line {number} is no JSON: {said}") from error
    return numbered


def _objects(document: Any) -> list[Any]:
    if isinstance(document, dict):
        inner: list[Any] = list(document.values())
        lists: list[list[Any]] = [one for one in inner if isinstance(one, list)]
        return next((one for one in lists if any(isinstance(record, dict) for record in one)), [document])
    return document


def _of_objects(numbered: list[tuple[int, Any]]) -> Rows:
    columns: dict[str, None] = {}
    for number, one in numbered:
        if not isinstance(one, dict):
            raise BrokenList(f"record {number} is no JSON object with named values")
        columns |= dict.fromkeys(map(str, one))
    return Rows(tuple(columns), ((number, _facts(one)) for number, one in numbered))


def _parquet(data: bytes) -> Rows:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise BrokenList(f"is no whole Parquet file: {error}") from error

    def records() -> Iterator[tuple[int, dict[str, str]]]:
        number = 0
        try:
            for batch in file.iter_batches(use_threads=False):
                for one in batch.to_pylist():
                    number += 1
                    yield number, _facts(one)
        except (pa.ArrowException, OSError) as error:
            raise BrokenList(f"is broken behind row {number}: {error}") from error

    return Rows(tuple(file.schema_arrow.names), records())


def _facts(one: Mapping[str, Any]) -> dict[str, str]:
    """What is no text or number (an inner list) says nothing here. Some writers of Parquet have texts as bytes."""
    return {
        folded(str(name)): (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).strip()
        for name, value in reversed(list(one.items()))
        if isinstance(value, str | int | float | Decimal | bytes) and not isinstance(value, bool)
    }
