"""Text of any encoding becomes the same clean UTF-8, wherever the blocks are cut."""

# ruff: noqa: RUF001 - dashes and odd letters are what is tested

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimmr.parse.text import Text, recode

from .papers import BLOCKS

WORDS = 'naïve café\r\nß,"x\ny"\rend – “quoted” €5\n'
CLEAN = WORDS.replace("\r\n", "\n").replace("\r", "\n")


def text_of(data: bytes, block_bytes: int) -> tuple[str, Text]:
    text = Text(io.BytesIO(data), block_bytes)
    return b"".join(block.data for block in text).decode("utf-8"), text


@pytest.mark.parametrize("block_bytes", BLOCKS[3:])  # a byte order mark is read whole
@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (WORDS.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + WORDS.encode(), "utf-8-sig"),
        (b"\xff\xfe" + WORDS.encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_every_unicode_encoding_gives_the_same_text(data: bytes, encoding: str, block_bytes: int) -> None:
    clean, text = text_of(data, block_bytes)
    assert clean == CLEAN
    assert (text.encoding, text.recoded_lines) == (encoding, 0)


@pytest.mark.parametrize("block_bytes", [64, 1000, 4 * 2**20])
def test_only_the_lines_that_are_no_utf8_become_cp1252(block_bytes: int) -> None:
    data = "café – 1\n".encode() + "café – 2\n".encode("cp1252") + "Ã©\n".encode() + b"last \x81\x96"
    clean, text = text_of(data, block_bytes)
    assert clean == "café – 1\ncafé – 2\nÃ©\nlast \x81–"
    assert text.recoded_lines == 2


def test_a_recoded_line_is_told_by_its_offset() -> None:
    data, recoded = recode(b"a\nb\xe9\nc\xc3\xa9\nd\x96\n")
    assert [data[at:].split(b"\n")[0].decode() for at in recoded] == ["bé", "d–"]


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(BLOCKS[2:]))
def test_any_bytes_become_valid_text(data: bytes, block_bytes: int) -> None:
    text_of(data, block_bytes)


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x00\ufeff"), max_size=200), st.sampled_from(BLOCKS[2:])
)
def test_valid_utf8_is_not_changed(words: str, block_bytes: int) -> None:
    if "\x00" not in words and not words.startswith("\ufeff"):
        assert text_of(("ascii " * 20 + words).encode(), max(block_bytes, 64))[0] == "ascii " * 20 + words


def test_nuls_are_dropped_and_a_document_on_one_long_line_loses_only_its_bad_bytes() -> None:
    assert text_of(b"a\x00b\n", 64)[0] == "ab\n"
    long = "é" * 600_000
    assert text_of(long.encode() + b"\xe9", 4 * 2**20)[0] == long + "é"


def test_several_byte_order_marks_are_no_text() -> None:
    bom = b"\xef\xbb\xbf"
    assert text_of(bom * 3 + b"a,b\n", 1000)[0] == "a,b\n"
