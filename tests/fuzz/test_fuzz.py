"""Whatever the bytes: a typed outcome, every item accounted for, in little time and memory."""

import json
import tempfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from glimmr.outcomes import Outcome, is_reason
from glimmr.parse import Limits
from tests.support.memory import growth
from tests.unit.parse.papers import Read, read

from .mutations import FAMILIES, SEEDS, papers
from .oddities import ODDITIES

_SECONDS = 2.0  # of CPU: other work on the machine is not the parser's fault
_BYTES = 300 * 2**20
USUAL = Limits().block_bytes
_BLOCKS = (64, 1000, USUAL, USUAL)  # bytes: small ones put the ends of blocks everywhere
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
# The default suite bends the same papers each time; `--long` bends others.
FEW = settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=QUIET)
MANY = settings(max_examples=2000, deadline=None, suppress_health_check=QUIET)


def timed(content: bytes, block_bytes: int) -> tuple[Read, float]:
    """Parse; with the seconds of CPU that took."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        got = read(Path(folder), content, block_bytes=block_bytes)
        return got, time.process_time() - started


def ends_well(content: bytes, block_bytes: int | None = None) -> None:
    """Parse and check all that must hold of any bytes; the time only with blocks of the usual size."""
    block_bytes = block_bytes or _BLOCKS[zlib.crc32(content) % len(_BLOCKS)]
    with growth() as peak_bytes:
        got, seconds = timed(content, block_bytes)
        peak = peak_bytes()
    report = got.report
    assert is_reason(Outcome(report.outcome), report.reason), (report.outcome, report.reason)
    assert report.outcome not in {Outcome.INTERNAL_ERROR, Outcome.RESOURCES}
    assert report.message or report.outcome == Outcome.OK
    assert report.outcome != Outcome.OK or got.charges
    assert report.rows_in == report.items_out + report.rows_rejected
    assert (len(got.charges), len(got.rates), len(got.rejects)) == (report.charges, report.rates, report.rows_rejected)
    for member in report.members:
        assert is_reason(Outcome(member.outcome), member.reason), (member.outcome, member.reason)
        assert member.rows_in == member.items_out + member.rows_rejected
        assert member.outcome != Outcome.OK or member.charges > 0
    assert sum(member.charges for member in report.members) == report.charges
    assert [charge["charge_id"] for charge in got.charges] == list(range(report.charges))
    owners = [rate["charge_id"] for rate in got.rates]
    assert owners == sorted(owners)
    assert [charge["rates"] for charge in got.charges] == [owners.count(at) for at in range(len(got.charges))]
    json.dumps(report.as_dict(), ensure_ascii=False).encode()
    assert peak <= _BYTES, f"{peak >> 20} MB"
    # Once only: what is slow the first time may be remembered the second.
    assert block_bytes != USUAL or seconds <= _SECONDS, f"{seconds:.1f} s"


def test_there_are_papers_of_every_format_to_bend() -> None:
    assert {"tall csv", "wide csv", "legacy csv", "json", "foreign json", "workbook", "xls", "spreadsheetml", "xml",
            "gz", "zip", "tar"} <= set(FAMILIES)  # fmt: skip
    assert all(SEEDS.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bent_paper_ends_in_a_typed_outcome(family: str) -> None:
    @FEW
    @given(papers(family))
    def bend(content: bytes) -> None:
        ends_well(content)

    bend()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_bent_paper_ends_in_a_typed_outcome_many_times(family: str) -> None:
    @MANY
    @given(papers(family))
    def bend(content: bytes) -> None:
        ends_well(content)

    bend()


@pytest.mark.parametrize("kind", list(ODDITIES))
def test_a_well_formed_paper_of_odd_content_ends_in_a_typed_outcome(kind: str) -> None:
    @settings(FEW, max_examples=40)
    @given(ODDITIES[kind])
    def fill(content: bytes) -> None:
        ends_well(content)

    fill()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", list(ODDITIES))
def test_a_well_formed_paper_of_odd_content_ends_in_a_typed_outcome_many_times(kind: str) -> None:
    @MANY
    @given(ODDITIES[kind])
    def fill(content: bytes) -> None:
        ends_well(content)

    fill()


@pytest.mark.parametrize("cells", [b",", b"a,", b"IP,OP,", b"Price|", b"aetna "])
def test_a_head_of_millions_of_cells_takes_little_time(cells: bytes) -> None:
    timed(b"Description,Price\nx,1\n", USUAL)  # imports take time, once
    ends_well(b"Description,Price," + cells * ((8 << 20) // len(cells)) + b"\nx,1\n", USUAL)


@settings(FEW, max_examples=40)
@given(st.binary(max_size=2000))
@example(b"\x1f\x8b")
@example(b"PK\x03\x04")
@example(b"PK\x05\x06" + bytes(18))
@example(b"BZh9")
@example(b"\xfd7zXZ\x00")
@example(b"\x28\xb5\x2f\xfd")
@example(b"7z\xbc\xaf\x27\x1c")
@example(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf{")
@example(b"{")
@example(b"[[[[")
@example(b'"')
@example(b"<")
@example(b"<?xml?>")
@example(b"standard_charge|gross,description")
@example(b"standard_charge|gross,description\n")
@example(b'{"standard_charge_information": [')
def test_any_bytes_at_all_end_in_a_typed_outcome(content: bytes) -> None:
    ends_well(content)
