"""The dashboard is what its script says, asks for metrics there are, and can be imported as it is."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "grafana"
_METRIC = re.compile(r"\b(?:glimmr|process)_\w+")
_OF_LEDGER = ("glimmr_jobs", "glimmr_jobs_oldest_seconds", "glimmr_workers", "glimmr_hosts_resting")
# The metrics and their labels, until docs/reference/metrics.md lists them.
_AGREED = {
    "glimmr_jobs", "glimmr_jobs_oldest_seconds", "glimmr_jobs_ended_total", "glimmr_bytes_total", "glimmr_rows_total",
    "glimmr_job_seconds", "glimmr_file_seconds", "glimmr_recovery_seconds", "glimmr_retries_total",
    "glimmr_repairs_total", "glimmr_workers", "glimmr_component_up", "glimmr_component_latency_seconds",
    "glimmr_hosts_resting", "glimmr_http_responses_total", "glimmr_disk_free_ratio", "process_cpu_seconds_total",
    "process_resident_memory_bytes", "process_open_fds",
}  # fmt: skip


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grafana", FOLDER / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "glimmr.json").read_text(encoding="utf-8"))


def queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def documented() -> set[str]:
    page = ROOT / "docs" / "reference" / "metrics.md"
    return set(re.findall(r"^\| `(\w+)`", page.read_text(encoding="utf-8"), re.MULTILINE))


def asked_for() -> set[str]:
    return {re.sub("_bucket$", "", name) for query in queries() for name in _METRIC.findall(query)}


def test_the_dashboard_is_what_its_script_says() -> None:
    written = (FOLDER / "glimmr.json").read_text(encoding="utf-8")
    assert written == _script().text(), "run `.venv/bin/python deploy/grafana/generate.py`"


def test_every_metric_it_asks_for_is_one_that_is_told() -> None:
    assert asked_for() <= documented()
    assert asked_for() >= _AGREED, "a metric that nobody looks at"


@pytest.mark.long
def test_prometheus_takes_the_queries(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install prometheus")
    plain = [query.replace("$__rate_interval", "5m").replace("$job", ".*") for query in queries()]
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(plain)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", tmp_path / "queries.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_every_process_tells_of_the_ledger_is_not_added_up() -> None:
    for query in queries():
        for name in _OF_LEDGER:
            for found in re.finditer(rf"(\w+)(?: by \(\w+\))? \(?{name}\b|(\w+)\({name}\b", query):
                assert "max" in (found[1], found[2]), query


def test_it_has_a_name_of_its_own_and_asks_whichever_prometheus_is_chosen() -> None:
    made = dashboard()
    assert made["uid"] == "glimmr"
    assert made["templating"]["list"][0] == {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
    }  # fmt: skip
    assert {panel["datasource"]["uid"] for panel in made["panels"] if "targets" in panel} == {"${datasource}"}


def test_no_two_panels_lie_upon_each_other_and_each_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        x, y, w, h = (panel["gridPos"][name] for name in "xywh")
        cells = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not cells & taken, panel["title"]
        assert x + w <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]


def test_every_query_closes_what_it_opens() -> None:
    for query in queries():
        for opened, closed in ("()", "[]", "{}"):
            assert query.count(opened) == query.count(closed), query
