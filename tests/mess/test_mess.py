"""Every mess of DOMAIN.md §2 as a small paper, and the rows it must give, written by hand beside it.

`NAME.EXT` is the paper, `NAME.expected.json` what is due; papers that are large or binary are made by `builders`. The
rows of §2 that are not about the bytes of a price file, and where they belong:

- UTF-16 `cms-hpt.txt`, prose, HTML or one line as `cms-hpt.txt`, its scheme-less and relative addresses: the scan reads
  that file, not the parser (`tests/unit/scan`).
- SAS tokens, Box and Google Drive pages, `blob:` and `#fragment` addresses: addresses, which scan and download know.
- User-agent and TLS blocks, HEAD 405, 204, legacy TLS, exports that never end: answers of servers (download, `world`).
- ETags that change with each request, no validators, no ranges: change detection of the download.
- A file republished during its download, resets: resuming, also the download's. What a cut leaves is read here.
- `Content-Disposition` names: the name of a file says nothing to the parser, which looks at bytes alone.
"""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from glimmr.outcomes import Outcome, is_reason
from glimmr.price_table import FLAGS
from tests.unit.parse.papers import Read, read

from .builders import BUILDERS
from .expected import HERE, NAMES, expected_of, paper_of

MONEY = frozenset(
    ("drug_unit", "gross_charge", "discounted_cash", "min_negotiated", "max_negotiated", "negotiated_dollar",
     "negotiated_percentage", "estimated_amount", "median_amount", "p10_amount", "p90_amount")
)  # fmt: skip
# Columns that are compared only where the expectation names them; of all others "not named" means "null".
FREE = {
    "charges": {"file_id", "charge_id", "rates", "member", "source_pos", "code", "code_type", "codes", "hcpcs",
                "ms_drg", "ndc", "rev_code"},
    "rates": {"file_id", "charge_id", "rate_id", "source_pos"},
}  # fmt: skip
# Findings that are no row's flag and of which a mess names every one; the others are rules of the template.
NAMED_FINDINGS = frozenset(
    ("GL-ENCODING", "GL-CUT", "GL-REJECTED", "GL-BROKEN-CONTAINER", "GL-JSON-BROKEN", "GL-OTHER-HEADER", "GL-MEMBER",
     "GL-PLACEHOLDER", "GL-DUPLICATE-COLUMN", "GL-UNKNOWN-COLUMN", "GL-UNKNOWN-VERSION", "GL-DATE")
)  # fmt: skip


def test_every_paper_has_its_expectation_and_every_expectation_its_paper() -> None:
    files = {path.stem for path in HERE.iterdir() if path.suffix not in {".py", ""} and ".expected" not in path.name}
    assert files | set(BUILDERS) == set(NAMES)
    assert not files & set(BUILDERS)


def plain(column: str, value: Any) -> Any:
    """A value as expectations spell it: money as its shortest text, maps as objects, code pairs as lists."""
    if value is None:
        return None
    if column in MONEY:
        return Decimal(value)
    if column == "codes":
        return [list(pair.values()) for pair in value] if value and isinstance(value[0], dict) else value
    return dict(value) if column == "extra" else value


def same(table: str, found: dict[str, Any], due: dict[str, Any], ignored: set[str]) -> None:
    """One row: `"*"` stands for anything, `{"has": text}` for a text that contains it, whatever its case."""
    unnamed = {column: None for column in found if column not in FREE[table]}
    due = unnamed | {"flags": []} | ({"records": 1} if table == "charges" else {}) | due
    due.pop("charge", None)
    for column, value in due.items():
        if value == "*":
            continue
        if isinstance(value, dict) and set(value) == {"has"}:
            assert value["has"].casefold() in (found[column] or "").casefold(), (table, column, found)
        elif column == "flags":
            assert sorted(set(found[column]) - ignored) == sorted(value), (table, column, found)
        else:
            assert plain(column, found[column]) == plain(column, value), (table, column, found)


def same_tables(got: Read, due: dict[str, Any]) -> None:
    charges, rates = due.get("charges", []), due.get("rates", [])
    assert [c["description"] for c in got.charges] == [c.get("description") for c in charges]
    assert [r["charge_id"] for r in got.rates] == [r.get("charge", 0) for r in rates]
    for table, rows, wanted in (("charges", got.charges, charges), ("rates", got.rates, rates)):
        for found, row in zip(rows, wanted, strict=True):
            same(table, found, row, set(due.get("ignore_flags", [])))


def same_ends(got: Read, due: dict[str, Any]) -> None:
    """Large papers: how many rows there are, and some of them by number."""
    for table in ("charges", "rates"):
        rows = getattr(got, table)
        assert len(rows) == due["count"][table]
        for at, row in due["at"].get(table, {}).items():
            same(table, rows[int(at)], row, set())


def same_rejects(got: Read, due: dict[str, Any]) -> None:
    wanted = due.get("rejects", [])
    if wanted == "*":
        return
    assert len(got.rejects) == len(wanted)
    for found, row in zip(got.rejects, wanted, strict=True):
        for column, value in row.items():
            if isinstance(value, dict):
                assert value["has"] in found[column]
            else:
                assert found[column] == value, (column, found)


def same_members(got: Read, due: dict[str, Any]) -> None:
    wanted = due.get("members", [])
    if wanted:
        assert len(got.report.members) == len(wanted)
    for found, member in zip(got.report.members, wanted, strict=False):
        for name, value in member.items():
            there = getattr(found.header if hasattr(found.header, name) else found, name)
            assert there == (tuple(value) if isinstance(value, list) else value), (name, there)


def same_findings(got: Read, due: dict[str, Any]) -> None:
    """Findings of the file as a whole by name; those that are flags of rows follow from the rows."""
    found = got.findings()
    named = dict(due.get("findings", {}))
    allowed = set(named.pop("maybe", []))
    assert {code: found.get(code) for code in named} == named
    assert set(found) & NAMED_FINDINGS <= set(named) | allowed
    if "count" in due:
        return
    flagged = Counter(flag for row in (*got.charges, *got.rates) for flag in row["flags"])
    told = {flag: found.get("GL-" + flag.upper().replace("_", "-"), 0) for flag in FLAGS}
    assert {flag for flag, count in told.items() if count} == set(flagged)
    assert all(told[flag] <= count for flag, count in flagged.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_mess_gives_the_rows_it_should(name: str, tmp_path: Path) -> None:
    due = expected_of(name)
    got = read(tmp_path, paper_of(name), **due.get("limits", {}))
    report = got.report
    assert report.outcome == due["outcome"], report.message
    assert due.get("reason", "") in {report.reason, "*"}, report.message
    assert is_reason(Outcome(report.outcome), report.reason)
    assert report.rows_in == report.items_out + report.rows_rejected
    assert (report.charges, report.rates, report.rows_rejected) == (len(got.charges), len(got.rates), len(got.rejects))
    for member in report.members:
        assert is_reason(Outcome(member.outcome), member.reason)
        assert member.rows_in == member.items_out + member.rows_rejected
    assert [c["charge_id"] for c in got.charges] == list(range(report.charges))
    assert [r["rate_id"] for r in got.rates] == list(range(report.rates))
    per_charge = Counter(rate["charge_id"] for rate in got.rates)
    assert all(charge["rates"] == per_charge[charge["charge_id"]] for charge in got.charges)
    if "count" in due:
        same_ends(got, due)
    elif due.get("charges") != "*":
        same_tables(got, due)
    for total in ("rows_in", "items_out"):
        assert getattr(report, total) == due.get(total, getattr(report, total))
    same_rejects(got, due)
    same_members(got, due)
    same_findings(got, due)
