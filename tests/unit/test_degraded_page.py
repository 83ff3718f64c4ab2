"""Every line of docs/operate/degraded.md names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LINES = [
    line.strip("| ").split(" | ")
    for line in (ROOT / "docs" / "operate" / "degraded.md").read_text(encoding="utf-8").splitlines()[7:]
]
_PARTS = (
    "Redis", "PostgreSQL", "object store", "disk full", "scratch", "PRA", "CMS", "host", "all workers", "ops port",
    "webhook", "clock",
)  # fmt: skip


@pytest.mark.parametrize("line", _LINES, ids=lambda line: line[0])
def test_a_line_names_a_test_that_exists(line: list[str]) -> None:
    down, works, waits, named = line
    assert down
    assert works
    assert waits
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", named)
    assert found, named
    path, test = ROOT / found[1], found[2]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("part", _PARTS)
def test_every_part_has_a_line(part: str) -> None:
    assert any(part in line[0] for line in _LINES)
