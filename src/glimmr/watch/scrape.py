"""What a scrape is answered: what this process counted, and gauges from SQL, asked now and not waited for long."""

import resource
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from glimmr import __version__
from glimmr.errors import LocalFault
from glimmr.jobs import figures, ledger, vitals
from glimmr.jobs.job import NewJob, Terms
from glimmr.settings import Settings
from glimmr.stores import tally
from glimmr.stores.database import Connection, Database
from glimmr.stores.scratch import scratch_of
from glimmr.watch.checks.machine import free_share
from glimmr.watch.checks.work import class_of, silence_seconds
from glimmr.watch.health import Checkup, Status
from glimmr.watch.metric_list import METRICS
from glimmr.watch.question import Question
from glimmr.watch.tallies import Tallies

_MOST_SECONDS = 3.0  # a scrape gives up after ten
Values = Mapping[str, Sequence[tuple[Sequence[str], float]]]


class Scrape:
    """One process's metrics. Any thread may ask. Gauges of a database that does not answer are left out."""

    def __init__(self, database: Database, checkup: Checkup, settings: Settings, terms: Terms) -> None:
        self._checkup, self._settings, self._terms = checkup, settings, terms
        self._registry = CollectorRegistry()
        self._tallies = Tallies(self._registry)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Asked(self._values))
        self._sql = Question("metrics", lambda: database.read(self._ask))
        self._lock = threading.Lock()
        self._told: Values = {}

    def text(self) -> bytes:
        """Everything, as Prometheus reads it (text format 0.0.4)."""
        with self._lock:
            self._told = {}
            self._sql.begin()
            with suppress(LocalFault):  # `glimmr_component_up` says so
                if answer := self._sql.answer(_MOST_SECONDS):
                    self._told = answer.said
            return generate_latest(self._registry)

    def close(self) -> None:
        """Count no more."""
        self._tallies.close()

    def _ask(self, connection: Connection) -> Values:
        self._measure(connection)
        queues = figures.queues(connection)
        files: dict[tuple[str, str], int] = {}
        for state, outcome, _, count in tally.outcomes(connection):
            whose = (state, class_of(outcome) if outcome else "")
            files[whose] = files.get(whose, 0) + count
        beating = [
            one for one in figures.signed_in(connection) if one["silent_seconds"] <= silence_seconds(self._terms)
        ]
        named, (now, _) = tally.last_named(connection), figures.clock(connection)
        still = vitals.still(connection, now)
        return {
            "glimmr_jobs": [((step, state), count) for step, state, count in figures.by_state(connection)],
            "glimmr_jobs_due": [((queue["step"],), queue["waiting"]) for queue in queues],
            "glimmr_jobs_oldest_seconds": [((queue["step"],), queue["oldest_seconds"]) for queue in queues],
            "glimmr_jobs_still_seconds": [((), (now - still[0].since).total_seconds() if still else 0.0)],
            "glimmr_step_paused": [((step,), 1) for step in ledger.paused(connection)],
            "glimmr_price_files": list(files.items()),
            "glimmr_workers": [((), len(beating))],
            "glimmr_hosts_resting": [((), tally.hosts_resting(connection))],
            "glimmr_last_scan_seconds": [((), (now - named).total_seconds())] if named else [],
        }

    def _measure(self, connection: Connection) -> None:
        """Put into the histograms what only the database can measure of what happened here since the last scrape."""
        published = _drained(self._tallies.published)
        keys = {name: NewJob(step="download", args={"price_file_id": name}).key for _, name in published}
        began = figures.began(connection, keys.values()) if keys else {}
        came = tally.published_at(connection, {file_id for file_id, _ in published}) if published else {}
        for file_id, name in published:
            if file_id in came and keys[name] in began:
                self._tallies.observe("glimmr_file_seconds", _between(began[keys[name]], came[file_id]))
        taken = _drained(self._tallies.taken_over)
        rescued = figures.rescued_at(connection, [(job, epoch - 1) for job, epoch, _ in taken]) if taken else {}
        for job, epoch, when in taken:
            if (job, epoch - 1) in rescued:
                seconds = self._terms.lease_seconds + _between(rescued[job, epoch - 1], when)
                self._tallies.observe("glimmr_recovery_seconds", seconds)

    def _values(self) -> Values:
        """What is asked of nobody else, and what the database said."""
        health = self._checkup.latest
        folders = (self._settings.data, scratch_of(self._settings))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            **self._told,
            "glimmr_component_up": [((one.component,), float(one.status is not Status.FAIL)) for one in health],
            "glimmr_component_latency_seconds": [((one.component,), one.seconds) for one in health],
            "glimmr_disk_free_ratio": [((), min(free_share(folder) for folder in folders))],
            "glimmr_children_resident_memory_bytes": [((), _children_bytes())],
            "glimmr_children_cpu_seconds_total": [((), used.ru_utime + used.ru_stime)],
            "glimmr_build_info": [((__version__,), 1)],
        }


class _Asked:
    """What is not counted but asked at the scrape, as a collector of the registry."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for name, told in self._values().items():
            metric = METRICS[name]
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(name, metric.text, labels=metric.labels)
            for labels, value in told:
                family.add_metric(labels, value)
            yield family


def _drained(kept: Any) -> list[Any]:
    """All that is kept, which others may add to meanwhile."""
    return [kept.popleft() for _ in range(len(kept))]


def _between(before: datetime, after: datetime) -> float:
    return (after.astimezone(UTC) - before.astimezone(UTC)).total_seconds()


def _children_bytes() -> float:
    total = 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            total += child.memory_info().rss
    return float(total)
