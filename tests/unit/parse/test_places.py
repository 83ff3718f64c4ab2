"""A place in clean text is found again in the bytes it was made of."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glimmr.parse.elements.places import Places
from glimmr.parse.text import TextBlock, cleaned


def byte(raw: bytes, offset: int) -> int:
    places = Places()
    places.add(0, TextBlock(cleaned(raw)[0], raw=raw), 0)
    return places.byte(offset)


@pytest.mark.parametrize(
    ("raw", "offset", "due"), [(b"a\r@", 2, 2), (b"\r\r\r@", 3, 3), (b"\r\n\r@", 2, 3), (b"a\r\n@", 2, 3)]
)
def test_a_place_behind_line_ends_is_found(raw: bytes, offset: int, due: int) -> None:
    assert byte(raw, offset) == due


@given(st.lists(st.sampled_from([b"@", b"a", b"\n", b"\r", b"\r\n", b"\xe2\x82\xac"])).map(b"".join))
@example(b"\r\n\n\r@\r")
def test_every_mark_is_found_whatever_the_line_ends(raw: bytes) -> None:
    data = cleaned(raw)[0]
    in_text = [at for at, mark in enumerate(data) if mark == ord("@")]
    in_file = [at for at, mark in enumerate(raw) if mark == ord("@")]
    assert [byte(raw, at) for at in in_text] == in_file
