"""Real lists of hospitals and addresses, which lie beside the corpus of price files; tests of them skip without it."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / os.environ.get("GLIMMR_CORPUS", "../shared/corpus")).resolve().parent / "reference"


def reference(name: str) -> Path:
    """One of them; the test that asks is skipped where it is absent."""
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"no {name} in {REFERENCE}: GLIMMR_CORPUS names the folder beside it")
    return path


def roster_rows() -> list[dict[str, str]]:
    """CMS's Hospital General Information."""
    with reference("cms_hospital_general_information.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def json_lines(name: str) -> list[dict[str, Any]]:
    """The records of a file of JSON lines."""
    return [json.loads(line) for line in reference(name).read_text("utf-8").splitlines()]
