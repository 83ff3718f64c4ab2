"""The corpus of real price files: where it is, what stands in it, what is true of it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = (ROOT / os.environ.get("GLIMMR_CORPUS", "../shared/corpus")).resolve()


def lines(name: str) -> list[dict[str, Any]]:
    path = CORPUS / name
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not (CORPUS / "MANIFEST.jsonl").is_file():
        pytest.skip(f"no corpus of price files at {CORPUS}; set GLIMMR_CORPUS")
    return CORPUS
