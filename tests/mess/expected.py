"""The papers of this folder by name, and what is due of each."""

import json
from pathlib import Path
from typing import Any

from .builders import BUILDERS

HERE = Path(__file__).parent
NAMES = sorted(path.name.removesuffix(".expected.json") for path in HERE.glob("*.expected.json"))


def expected_of(name: str) -> dict[str, Any]:
    return json.loads((HERE / f"{name}.expected.json").read_text("utf-8"))


def paper_of(name: str) -> bytes:
    papers = [path for path in HERE.glob(f"{name}.*") if not path.name.endswith(".expected.json")]
    if papers:
        (paper,) = papers
        return paper.read_bytes()
    return BUILDERS[name]()
