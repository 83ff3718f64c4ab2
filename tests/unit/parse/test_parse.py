"""`parse` as a whole: what it writes, what it tells, how it ends."""

import hashlib
import itertools
import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glimmr.errors import StorageFault
from glimmr.model import FileReport
from glimmr.outcomes import Outcome, is_reason
from glimmr.parse import PARSER_VERSION, Limits, parse, parse_in_child
from glimmr.price_table import CHARGES, RATES, REJECTS, schema
from glimmr.settings import Settings

from .layouts import CONTAINERS
from .papers import PREAMBLE, TALL, document, item, read

CSV = PREAMBLE + TALL + "MRI,1,CPT,both,5,,Aetna,PPO,4,other,\n"


def test_the_files_have_the_schema_of_the_price_table(tmp_path: Path) -> None:
    text = document([item(f"I{n}", {"payer_name": "A"}, gross_charge=1) for n in range(3)] + [{"description": "x"}])
    (tmp_path / "in").write_text(text)
    report = parse(tmp_path / "in", tmp_path / "out")
    for name, columns in (("charges", CHARGES), ("rates", RATES), ("rejects", REJECTS)):
        file = pq.ParquetFile(tmp_path / "out" / f"{name}.parquet")
        assert file.schema_arrow.remove_metadata() == schema(columns)
    assert report.file_id == hashlib.sha256(text.encode()).hexdigest()
    assert report.bytes == len(text)
    assert {row["file_id"] for row in pq.read_table(tmp_path / "out" / "rates.parquet").to_pylist()} == {report.file_id}
    assert report.parser_version == PARSER_VERSION
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "charges.parquet",
        "rates.parquet",
        "rejects.parquet",
    ]


def test_the_limits_are_those_of_the_settings() -> None:
    for name in ("max_unpacked_bytes", "max_members", "max_rejected_percent"):
        assert getattr(Limits(), name) == Settings.model_fields[name].default


def test_a_folder_that_cannot_be_written_is_our_fault_and_not_the_file_s(tmp_path: Path) -> None:
    (tmp_path / "in").write_text(CSV)
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(StorageFault):
        parse(tmp_path / "in", tmp_path / "out")
    with pytest.raises(StorageFault):
        parse(tmp_path / "absent", tmp_path / "elsewhere")


def test_row_groups_are_small_and_ids_dense(tmp_path: Path) -> None:
    rows = "".join(f"Item {n},{n},CPT,both,{n},,,,,,\n" for n in range(50_000))
    got = read(tmp_path, PREAMBLE + TALL + rows, block_bytes=100_000)
    file = pq.ParquetFile(tmp_path / "out" / "charges.parquet")
    assert [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] == [8192] * 6 + [848]
    assert [c["charge_id"] for c in got.charges] == list(range(50_000))


def test_parsing_twice_gives_the_same_bytes_and_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    read(tmp_path, document([item("A", gross_charge=1), item("B", gross_charge=1), {"description": "x"}]))
    read(tmp_path, CSV)
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    read(tmp_path, CSV)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == first
    assert set(first) == {"charges.parquet", "rates.parquet"}


def test_the_child_s_answer_is_plain_json(tmp_path: Path) -> None:
    (tmp_path / "in").write_text(CSV)
    limits = {"max_members": 5, "max_rejected_percent": 50.0}
    told = parse_in_child(
        lambda **_: None, path=str(tmp_path / "in"), to=str(tmp_path / "out"), file_id="f" * 64, limits=limits
    )
    report = FileReport.from_dict(json.loads(json.dumps(told)))
    assert (report.outcome, report.charges, report.rates, report.file_id) == ("ok", 1, 1, "f" * 64)


class Clock:
    """Seconds that pass a little with every look."""

    def __init__(self, step_seconds: float) -> None:
        self.now = 1000.0
        self._step_seconds = step_seconds

    def monotonic(self) -> float:
        self.now += self._step_seconds
        return self.now


@pytest.mark.parametrize("packed", ["none", "gz", "zip", "zip in zip", "tar", "7z"])
@pytest.mark.parametrize("step_seconds", [0.04, 0.999, 5.0])
def test_progress_goes_forward_once_a_second_at_most_and_ends_at_the_whole(
    packed: str, step_seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(step_seconds)
    monkeypatch.setattr("glimmr.parse.reading.time", clock)
    chance = random.Random(3)  # so that it does not pack to nothing
    rows = "".join(f"MRI {chance.random()},1,CPT,both,{n},,Aetna,PPO,4,other,\n" for n in range(1, 25_000))
    (tmp_path / "in").write_bytes(CONTAINERS[packed]((CSV + rows).encode()))
    told: list[tuple[float, dict[str, int]]] = []
    limits = Limits(block_bytes=100_000)
    report = parse(
        tmp_path / "in", tmp_path / "out", limits=limits, tell=lambda **progress: told.append((clock.now, progress))
    )
    assert report.outcome == "ok"
    times, progress = [when for when, _ in told], [said for _, said in told]
    assert len(told) > 2 or step_seconds < 0.1 or packed in {"gz", "7z"}  # they are read in large pieces
    # The last says that the whole is read, and waits for nobody.
    assert all(later - before >= 1 for before, later in itertools.pairwise([1000.0, *times[:-1]]))
    for name in ("bytes", "rows"):
        assert [said[name] for said in progress] == sorted(said[name] for said in progress)
    assert all(said["bytes"] <= said["total"] == report.bytes for said in progress)
    assert progress[-1] == {"bytes": report.bytes, "total": report.bytes, "rows": report.charges + report.rates}
    assert [said["bytes"] for said in progress].count(report.bytes) == 1


def test_what_tell_raises_ends_the_work_and_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CancelledError(Exception):
        pass

    def cancel(**_: object) -> None:
        raise CancelledError

    monkeypatch.setattr("glimmr.parse.reading._TELL_SECONDS", 0.0)
    (tmp_path / "in").write_text(CSV + "MRI,1,CPT,both,5,,Aetna,PPO,4,other,\n" * 100_000)
    with pytest.raises(CancelledError):
        parse(tmp_path / "in", tmp_path / "out", tell=cancel)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "ended"),
    [
        (b"", ("not_a_price_file", "empty")),
        (b" \n ", ("not_a_price_file", "empty")),
        (b"<!DOCTYPE html><html></html>", ("not_a_price_file", "html")),
        (b"%PDF-1.7", ("not_a_price_file", "pdf")),
        (b"\x89PNG\r\n\x1a\n", ("not_a_price_file", "image")),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ("not_a_price_file", "lfs_pointer")),
        (b'{"reporting_entity_name": "x", "in_network": []}', ("not_a_price_file", "payer_file")),
        (b"Rar!\x1a\x07\x00", ("unparseable", "unsupported_format")),
        (b"\x00\x01\x02\x03" * 100, ("unparseable", "unknown_format")),
        (b"a,b\n1,2\n", ("no_price_table", "no_header")),
    ],
)
def test_what_is_no_price_file_says_so(tmp_path: Path, data: bytes, ended: tuple[str, str]) -> None:
    got = read(tmp_path, data)
    assert got.ended == ended
    assert got.report.message
    assert (got.charges, got.rates) == ([], [])


def test_any_mutation_of_a_price_file_ends_in_an_outcome(tmp_path: Path) -> None:
    chance = random.Random(7)
    papers = [
        CSV.encode() * 3,
        document(
            [item(f"I{n}", {"payer_name": "A", "standard_charge_dollar": 1.5}, gross_charge=1) for n in range(9)]
        ).encode(),
    ]
    for turn in range(150):
        data = bytearray(papers[turn % 2])
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 9)] = chance.choice(
                [b"", b'"', b"{", b"]", b"\x00", b"\xff", b"\n", b",", bytes(data[at : at + 30])]
            )
        got = read(tmp_path, bytes(data), block_bytes=chance.choice([50, 1000, 4 * 2**20]))
        assert is_reason(Outcome(got.report.outcome), got.report.reason)
        assert got.report.rows_in == got.report.items_out + got.report.rows_rejected
        assert (len(got.charges), len(got.rates), len(got.rejects)) == (
            got.report.charges,
            got.report.rates,
            got.report.rows_rejected,
        )
