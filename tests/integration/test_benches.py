"""The benches run: they print numbers for people, so only that they end well is asserted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "words",
    [("parse.py", "--mb", "30"), ("jobs.py", "--jobs", "1000"), ("download.py", "--megabytes", "256", "--rounds", "2")],
    ids=lambda words: words[0],
)
def test_a_bench_runs(words: tuple[str, ...], tmp_path: Path) -> None:
    env = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / words[0], *words[1:]], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
