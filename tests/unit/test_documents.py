"""What the program has is documented, word for word."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


def _pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def _links(page: Path) -> list[str]:
    """The files of this project that a page links to."""
    found = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize("page", GENERATOR.PAGES)
def test_the_reference_says_what_the_program_is(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert written == GENERATOR.PAGES[page](), "run `.venv/bin/python docs/generate.py`"


def test_every_glossary_word_of_the_table_is_there() -> None:
    glossary = (ROOT / "docs" / "explain" / "glossary.md").read_text(encoding="utf-8")
    for word in ("Hospital", "Source", "PriceFile", "Snapshot", "Item", "Charge", "Rate", "Outcome", "Job", "Ledger"):
        assert f"**{word}**" in glossary


def test_the_readme_names_the_two_commands_first() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    assert "./run demo" in first_screen
    assert "./run test" in first_screen


def test_every_page_is_in_the_list_of_documents() -> None:
    docs = ROOT / "docs"
    linked = {(docs / link).resolve() for link in _links(docs / "README.md")}
    assert not {page for page in docs.rglob("*.md") if page.name != "README.md"} - linked


@pytest.mark.parametrize("page", [page.relative_to(ROOT).as_posix() for page in _pages()])
def test_a_link_leads_to_what_is_there(page: str) -> None:
    links = _links(ROOT / page)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
