"""Whatever is cut off or bent in a container, the end is one of the closed list, and what is kept is true."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glimmr.outcomes import is_reason

from .boxes import CSV, PACKERS, tar_of, unpack, zip_of
from .papers import document, item, read, xlsx
from .test_sevenzips import seven

TEXT = CSV + "".join(f"CT {n},{n},CPT,both,{n},,,,,,\n" for n in range(40))
JSON = document([item("CT", gross_charge=7)])
BOXES = {
    **{name: pack(TEXT.encode()) for name, pack in PACKERS.items()},
    **{f"tar.{name}": pack(tar_of(("a.csv", TEXT), ("b.json", JSON))) for name, pack in PACKERS.items()},
    "tar": tar_of(("a.csv", TEXT), ("b.json", JSON)),
    "zip": zip_of(**{"a.csv": TEXT, "d/": b"", "b.json": JSON}),
    "stored zip": zip_of(0, **{"a.csv": TEXT, "in.zip": zip_of(**{"b.json": JSON})}),
    "lzma zip": zip_of(14, **{"a.csv": TEXT}),
    "7z": seven(("a.csv", TEXT), ("b.json", JSON)),
    "xlsx": xlsx({"Prices": [["description", "price"], ["MRI", 5]]}),
    "gz of zip": PACKERS["gz"](zip_of(**{"a.csv": TEXT})),
}
CONTENTS = (TEXT.encode(), JSON.encode())
TWO = {"tar", "zip", "stored zip", "7z", *(f"tar.{name}" for name in PACKERS)}
SOMETIMES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def sound(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        got = read(Path(folder), content)
    for one in (got.report, *got.report.members):
        assert one.outcome == "ok" or is_reason(one.outcome, one.reason), one
        assert one.rows_in == one.items_out + one.rows_rejected
    assert got.ended[0] not in {"internal_error", "resources"}


@pytest.mark.parametrize("box", BOXES)
@SOMETIMES
@given(data=st.data())
def test_a_container_cut_anywhere_ends_in_an_outcome(box: str, data: st.DataObject) -> None:
    sound(BOXES[box][: data.draw(st.integers(1, len(BOXES[box]) - 1))])


@pytest.mark.parametrize("box", BOXES)
@SOMETIMES
@given(data=st.data())
def test_a_container_with_bent_bytes_ends_in_an_outcome(box: str, data: st.DataObject) -> None:
    bent = bytearray(BOXES[box])
    for at in data.draw(st.lists(st.integers(0, len(bent) - 1), min_size=1, max_size=4)):
        bent[at] ^= data.draw(st.integers(1, 255))
    sound(bytes(bent))


@pytest.mark.parametrize("box", [box for box in BOXES if box != "xlsx"])
@SOMETIMES
@given(data=st.data())
def test_what_a_cut_container_gives_is_the_beginning_of_what_was_in_it(box: str, data: st.DataObject) -> None:
    whole = BOXES[box]
    with tempfile.TemporaryDirectory() as folder:
        # Shorter than that, nothing shows what it was.
        least = 520 if box == "tar" else 16
        members = unpack(Path(folder), whole[: data.draw(st.integers(least, len(whole) - 1))])
    for name, _, content, wrong in members:
        # Half a header of a tar shows up as bytes of the file itself; so does the first of an archive inside.
        is_header = (name is None and "tar" in box) or (name == "in.zip" and content in whole)
        assert any(original.startswith(content) for original in CONTENTS) or is_header
        # What is cut right at its first byte is empty, and the archive says that it is cut.
        assert not content or content in CONTENTS or wrong is not None or name is None
    # Nothing is lost without a word: either all is there, or something says what is wrong.
    complete = {content for *_, content, wrong in members if wrong is None}
    original = {content for content in CONTENTS if box in TWO or content == CONTENTS[0]}
    assert original <= complete or any(wrong for *_, wrong in members)
