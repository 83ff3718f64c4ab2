"""Writes the dashboard beside it: `.venv/bin/python deploy/grafana/generate.py`. A test compares the two.

A gauge of the ledger is the same from every process, so it is `max`; counters are a process's own, so they are `sum`.
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("glimmr.json")
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDE, _TALL = 24, 8  # a row of the grid, and the height of a drawing

# What each panel shows: title, kind, unit, width, and its lines as (query, legend). `text` says what to make of it.
Panel = tuple[str, str, str, int, str, list[tuple[str, str]]]

ROWS: list[tuple[str, list[Panel]]] = [
    ("Now", [
        ("Workers", "stat", "short", 4, "Workers that beat. None while jobs wait is an alert.",
         [("max(glimmr_workers)", "")]),
        ("Waiting", "stat", "short", 4, "Jobs that are ready, those with a later time included.",
         [('sum(max by (step) (glimmr_jobs{state="ready"}))', "")]),
        ("Running", "stat", "short", 4, "Jobs that a worker has.",
         [('sum(max by (step) (glimmr_jobs{state="running"}))', "")]),
        ("Parts that are down", "stat", "short", 4, "`glimmr health` says which, why, and what to do.",
         [("count(min by (component) (glimmr_component_up) == 0) or vector(0)", "")]),
        ("Success, 24 h", "stat", "percentunit", 4, "Jobs without a fault of ours; what publishers did is no fault.",
         [(('1 - (sum(increase(glimmr_jobs_ended_total{class="ours"}[24h])) or vector(0))'
            ' / sum(increase(glimmr_jobs_ended_total{class!="nobody"}[24h]))'), "")]),
        ("Least free disk", "stat", "percentunit", 4, "Of data folder and scratch, on the fullest machine.",
         [("min(glimmr_disk_free_ratio)", "")]),
    ]),
    ("Work", [
        ("Jobs ready, by step", "timeseries", "short", 12, "A queue that only grows needs more slots or workers.",
         [('max by (step) (glimmr_jobs{state="ready"})', "{{step}}")]),
        ("Longest wait, by step", "timeseries", "s", 12, "How long the oldest job that is due has been waiting.",
         [("max by (step) (glimmr_jobs_oldest_seconds)", "{{step}}")]),
        ("Jobs ended, by whose fault", "timeseries", "ops", 12, "`ours` is to be nothing.",
         [("sum by (class) (rate(glimmr_jobs_ended_total[$__rate_interval]))", "{{class}}")]),
        ("Jobs ended, by step", "timeseries", "ops", 12, "How fast the line walks.",
         [("sum by (step) (rate(glimmr_jobs_ended_total[$__rate_interval]))", "{{step}}")]),
        ("Bytes, by step", "timeseries", "Bps", 12, "What comes home (download), what is read (parse).",
         [("sum by (step) (rate(glimmr_bytes_total[$__rate_interval]))", "{{step}}")]),
        ("Rows, by step", "timeseries", "cps", 12, "Prices read and published.",
         [("sum by (step) (rate(glimmr_rows_total[$__rate_interval]))", "{{step}}")]),
    ]),
    ("Time", [
        ("A file, from its address to its prices", "timeseries", "s", 12, "p95 over 30 minutes is an alert.",
         [(f"histogram_quantile({q}, sum by (le) (rate(glimmr_file_seconds_bucket[15m])))", f"p{q[2:]}")
          for q in ("0.50", "0.95")]),
        ("A run, p95 by step", "timeseries", "s", 12, "From its claim to its end.",
         [("histogram_quantile(0.95, sum by (le, step) (rate(glimmr_job_seconds_bucket[15m])))", "{{step}}")]),
        ("Recovery after a worker's death, p95", "timeseries", "s", 12, "Over 5 minutes is an alert.",
         [("histogram_quantile(0.95, sum by (le) (rate(glimmr_recovery_seconds_bucket[1h])))", "p95")]),
        ("Answer of each part", "timeseries", "s", 12, "How long the last look at it took.",
         [("max by (component) (glimmr_component_latency_seconds)", "{{component}}")]),
    ]),
    ("Trouble", [
        ("Retries, by reason", "timeseries", "ops", 12, "What fails and is tried again.",
         [("sum by (reason) (rate(glimmr_retries_total[$__rate_interval]))", "{{reason}}")]),
        ("Repairs, by invariant", "timeseries", "short", 12, "docs/operate/doctor.md says what each of them is.",
         [("sum by (invariant) (increase(glimmr_repairs_total[1h]))", "{{invariant}}")]),
        ("Answers of servers, by class", "timeseries", "ops", 12, "Of hospitals and sources, redirects included.",
         [("sum by (class) (rate(glimmr_http_responses_total[$__rate_interval]))", "{{class}}")]),
        ("Hosts left alone", "timeseries", "short", 12, "They failed again and again, or asked for it.",
         [("max(glimmr_hosts_resting)", "hosts")]),
        ("Parts", "timeseries", "short", 12, "1 is up, 0 is down, as the worst of all processes sees it.",
         [("min by (component) (glimmr_component_up)", "{{component}}")]),
    ]),
    ("Processes", [
        ("Memory", "timeseries", "bytes", 8, "Without the children that read files.",
         [("process_resident_memory_bytes{job=~\"$job\"}", "{{instance}}")]),
        ("Processor", "timeseries", "short", 8, "Cores in use, without those children.",
         [("rate(process_cpu_seconds_total{job=~\"$job\"}[$__rate_interval])", "{{instance}}")]),
        ("Open files", "timeseries", "short", 8, "They are to stay level.",
         [("process_open_fds{job=~\"$job\"}", "{{instance}}")]),
    ]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana (schema 39: Grafana 10.4 and newer) reads it."""
    return {
        "uid": "glimmr",
        "title": "Glimmr",
        "description": "Written by deploy/grafana/generate.py; change that.",
        "tags": ["glimmr"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _job()]},
        "panels": _panels(),
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _job() -> dict[str, Any]:
    """Prometheus's own label: the scrape jobs whose processes are ours."""
    query = "label_values(glimmr_workers, job)"
    return {
        "name": "job",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "job"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    top = 0
    for title, panels in ROWS:
        made.append({"type": "row", "title": title, "collapsed": False, "gridPos": _place(0, top, _WIDE, 1)})
        top, left = top + 1, 0
        for panel in panels:
            width, height = panel[3], 4 if panel[1] == "stat" else _TALL
            if left + width > _WIDE:
                top, left = top + height, 0
            made.append(_panel(panel, _place(left, top, width, height)))
            left += width
        top += made[-1]["gridPos"]["h"]
    return [{"id": number, **panel} for number, panel in enumerate(made, 1)]


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    title, kind, unit, _, text, queries = panel
    targets = [
        {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": query, "legendFormat": legend or "__auto"}
        for n, (query, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def text() -> str:
    """The dashboard's file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
