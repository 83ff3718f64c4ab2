"""CMS's validator's own fixtures: each breaks the rules it is named after, and a valid one breaks none."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from glimmr.model import FileReport
from glimmr.parse import parse

from .conftest import lines

TOLD = tomllib.loads((Path(__file__).parent / "rules.toml").read_text(encoding="utf-8"))
FIXTURES = {
    entry["file"].partition("test/fixtures/")[2]: entry["file"]
    for entry in lines("MANIFEST.jsonl")
    if entry["kind"] == "validator_fixture"
}


def findings(report: FileReport, *severities: str) -> dict[str, int]:
    return {f.code: f.count for m in report.members for f in m.findings if f.severity in severities}


def test_every_fixture_is_told_of(corpus: Path) -> None:
    assert corpus
    assert set(FIXTURES) == set(TOLD["valid"]["files"]) | set(TOLD["fixtures"])


@pytest.mark.parametrize("name", TOLD["fixtures"])
def test_a_fixture_breaks_the_rule_it_is_named_after(corpus: Path, tmp_path: Path, name: str) -> None:
    wanted: dict[str, Any] = TOLD["fixtures"][name]
    report = parse(corpus / FIXTURES[name], tmp_path)
    assert findings(report, "error", "warning") == wanted["raises"]
    assert report.outcome == wanted.get("outcome", "ok")


@pytest.mark.parametrize("name", TOLD["valid"]["files"])
def test_a_valid_fixture_has_no_error(corpus: Path, tmp_path: Path, name: str) -> None:
    report = parse(corpus / FIXTURES[name], tmp_path)
    assert report.outcome == "ok"
    assert findings(report, "error") == {}


@pytest.mark.parametrize(
    "entry",
    [e for e in lines("MANIFEST.jsonl") if e["kind"] == "spec_example"] or [None],
    ids=lambda entry: Path(entry["file"]).name if entry else "none",
)
def test_an_example_of_cms_s_own_has_no_error(corpus: Path, tmp_path: Path, entry: dict[str, Any] | None) -> None:
    assert entry is not None
    report = parse(corpus / entry["file"], tmp_path)
    assert findings(report, "error") == {}
