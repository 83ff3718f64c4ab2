"""Prometheus's rules fire when what is built in does, however many processes are scraped: Prometheus itself says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from glimmr.watch.alerts import ALERTS, rule_name
from glimmr.watch.metric_list import METRICS

RULES = Path(__file__).resolve().parents[3] / "deploy" / "prometheus" / "rules.yml"
# Of a process and its machine; every other gauge is the database's, and the same from all processes.
_ITS_OWN = ("glimmr_component_up", "glimmr_disk_free_ratio", "glimmr_build_info")
_OF_DATABASE = sorted(name for name, one in METRICS.items() if one.kind == "gauge" and name not in _ITS_OWN)


def series(name: str, values: str, *, processes: str = "a", **labels: str) -> list[dict[str, str]]:
    """One series of each process (a letter) that is scraped every 15 s."""
    told = [",".join(f'{key}="{value}"' for key, value in {**labels, "instance": one}.items()) for one in processes]
    return [{"series": f"{name}{{{one}}}", "values": values} for one in told]


DUE, ENDED, UP = "glimmr_jobs_due", "glimmr_jobs_ended_total", series("glimmr_build_info", "1x100", version="1")
PAUSED = series("glimmr_step_paused", "1x100", step="parse")
CASES: list[tuple[str, bool, list[dict[str, str]]]] = [
    ("backlog", False, [*UP, *series(DUE, "400x100", processes="abc", step="parse")]),
    ("backlog", True, [*UP, *series(DUE, "1001x100", processes="abc", step="parse")]),
    ("backlog", False, [*UP, *series(DUE, "2000x100", step="parse"), *PAUSED]),
    ("no_worker", True, [*series("glimmr_build_info", "1x10 stale"), *series(DUE, "9x10 stale", step="parse")]),
    ("no_worker", True, [*UP, *series("glimmr_workers", "0x100"), *series(DUE, "1x100", step="parse")]),
    ("no_worker", False, [*UP, *series("glimmr_workers", "0x100"), *series(DUE, "2x100", step="upkeep")]),
    ("no_worker", False, [*UP, *series(DUE, "1x10 stale", step="parse")]),  # the database is away
    ("poison", True, [*UP, *series(ENDED, "_x60 1x40", step="parse", outcome="poison")]),
    ("poison", False, [*UP, *series(ENDED, "_x60 1x40", step="parse", outcome="ok")]),
    ("shrink_suspect", True, [*UP, *series(ENDED, "_x60 1x40", step="publish", outcome="incomplete")]),
    ("failure_rate", True, [*series(ENDED, "_x60 20x40", step="parse", outcome="internal_error")]),
    ("failure_rate", False, [*series(ENDED, "_x60 19x40", step="parse", outcome="internal_error")]),
    ("failure_rate", False, [*series(ENDED, "500x100", step="parse", outcome="internal_error")]),  # long ago
    ("job_stuck", True, [*series("glimmr_jobs_still_seconds", "1801x100", processes="abc")]),
]  # fmt: skip


def asked(alert: str, fires: bool, told: list[dict[str, str]]) -> dict[str, Any]:
    """A test of promtool's: whether the alert is there, once, after 25 minutes."""
    (one,) = (known for known in ALERTS if known.name == alert)
    annotations = {"summary": one.means, "description": one.act, "runbook": f"docs/operate/alerts.md#{one.name}"}
    fired = [{"exp_labels": {"severity": one.severity}, "exp_annotations": annotations}] if fires else []
    return {
        "interval": "15s",
        "input_series": told,
        "alert_rule_test": [{"eval_time": "25m", "alertname": rule_name(one), "exp_alerts": fired}],
    }


@pytest.mark.long
def test_prometheus_fires_as_the_built_in_alerts_do(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install prometheus")
    tests = [asked(*case) for case in CASES]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [str(RULES)], "tests": tests}), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("metric", _OF_DATABASE)
def test_what_every_process_tells_of_the_ledger_is_not_added_up(metric: str) -> None:
    for alert in ALERTS:
        for found in re.finditer(rf"\b{metric}\b", alert.promql):
            before = alert.promql[: found.start()]
            assert re.search(r"max(?: by \(\w+\))? ?\($|unless on \(\w+\) $", before), alert.promql
