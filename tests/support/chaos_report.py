"""reports/chaos.md: one line a scenario of tests/chaos: what its test recorded, and how it ended the last time.

Tests record with pytest's `record_property`. Only the process that collects the results of all others writes it.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[2] / "reports" / "chaos.md"
_HEAD = "# Chaos\n\n| scenario | numbers | seconds | verdict | when (UTC) |\n|---|---|---|---|---|\n"


class ChaosReport:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.nodeid.startswith("tests/chaos/"):
            return
        scenario = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        numbers = ", ".join(f"{name}: {_short(value)}" for name, value in report.user_properties)
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        self._lines[scenario] = f"| {scenario} | {numbers} | {report.duration:.0f} | {report.outcome} | {when} |\n"

    def pytest_sessionfinish(self) -> None:
        if self._lines:
            _FILE.parent.mkdir(exist_ok=True)
            lines = _written() | self._lines
            _FILE.write_text(_HEAD + "".join(lines[scenario] for scenario in sorted(lines)), encoding="utf-8")


def _written() -> dict[str, str]:
    """The lines of earlier sessions, by scenario."""
    if not _FILE.exists() or not (text := _FILE.read_text(encoding="utf-8")).startswith(_HEAD):
        return {}
    lines = text.removeprefix(_HEAD).splitlines(keepends=True)
    return {line.split("|")[1].strip(): line for line in lines}


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
