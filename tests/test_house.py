"""The hard rules of the house: sizes, layers, words, types, and that everything is documented."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "glimmr"
MODULES = sorted(p for p in SOURCE.rglob("*.py") if "migrations/versions" not in p.as_posix())
BAD_WORDS = ("Manager", "Service", "Helper", "Util", "Handler", "Processor", "Base", "Common")


def _run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_ruff_finds_nothing() -> None:
    _run("ruff", "check", ".")


def test_everything_is_formatted() -> None:
    _run("ruff", "format", "--check", ".")


@pytest.mark.timeout(300)
def test_pyright_finds_nothing() -> None:
    _run("pyright")


def test_the_rooms_know_only_whom_they_may() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_a_module_says_what_it_hides_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "hard limit of a file: 400 lines"
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or not tree.body, "a module's docstring says what it hides"
    assert "TYPE_CHECKING" not in text, "an import under TYPE_CHECKING hides a cycle"
    for node in _functions(path):
        assert _length(node) <= 60, f"{node.name} is {_length(node)} lines; the hard limit is 60"


def test_files_and_functions_are_small_on_the_whole() -> None:
    lines = [p.read_text(encoding="utf-8").count("\n") for p in MODULES if p.stat().st_size]
    lengths = sorted(_length(node) for path in MODULES for node in _functions(path))
    assert statistics.median(lines) <= 150
    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 32


def test_no_noun_is_called_after_nothing() -> None:
    names = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(re.search(rf"{word}(?![a-z])", node.name) for word in BAD_WORDS)
    ]
    assert not names


def test_no_machine_path_is_written_down() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    marks = ("/" + "work/", "/" + "root/")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not any(mark in text for mark in marks), name
