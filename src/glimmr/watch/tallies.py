"""Counts what this process does by listening to its events: counters and histograms. It asks nobody and never waits."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from glimmr import events
from glimmr.events import Event
from glimmr.watch.checks.work import class_of
from glimmr.watch.metric_list import METRICS

_MOST_KEPT = 10_000  # of what the next scrape asks the database about

disable_created_metrics()  # a second series for each, of no use to Prometheus


class Tallies:
    """Listens from construction until `close`. Any thread may tell.

    `published` and `taken_over` are what only the database can measure: the scrape asks it and empties them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        made: dict[str, Any] = {}
        for metric in METRICS.values():
            if metric.kind == "histogram":
                made[metric.name] = Histogram(
                    metric.name, metric.text, metric.labels, buckets=metric.bounds, registry=registry
                )
            elif metric.kind == "counter" and metric.name != "glimmr_children_cpu_seconds_total":
                made[metric.name] = Counter(metric.name, metric.text, metric.labels, registry=registry)
        self._made = made
        self._labelled: dict[tuple[str, ...], Any] = {}  # looking one up anew costs more than all else here
        self.published: deque[tuple[str, str]] = deque(maxlen=_MOST_KEPT)  # file_id, price_file_id
        self.taken_over: deque[tuple[int, int, datetime]] = deque(maxlen=_MOST_KEPT)  # job, epoch, when
        self._heard: dict[Event, Callable[[dict[str, Any]], None]] = {
            events.JOB_CLAIMED: self._claimed,
            events.JOB_FINISHED: self._ended,
            events.JOB_GAVE_UP: self._ended,
            events.JOB_RETRIED: self._retried,
            events.JOB_HANDED_BACK: self._handed_back,
            events.JOB_RESCUED: self._rescued,
            events.INVARIANT_REPAIRED: self._repaired,
            events.REQUEST_SENT: self._sent,
            events.REQUEST_ANSWERED: self._answered,
        }
        self.close = events.listen(lambda event, facts: self._heard[event](facts), self._heard)

    def observe(self, name: str, seconds: float) -> None:
        """Put a measured time into a histogram without labels."""
        self._made[name].observe(max(0.0, seconds))

    def _add(self, name: str, *labels: str, by: float = 1) -> None:
        self._one(f"glimmr_{name}_total", *labels).inc(by)

    def _one(self, *name_and_labels: str) -> Any:
        """The one series of a metric that has these labels."""
        one = self._labelled.get(name_and_labels)
        if one is None:
            name, *labels = name_and_labels
            made = self._made[name]
            one = self._labelled[name_and_labels] = made.labels(*labels) if labels else made
        return one

    def _claimed(self, facts: dict[str, Any]) -> None:
        if facts["stalls"]:
            self.taken_over.append((facts["job"], facts["epoch"], datetime.now(UTC)))

    def _timed(self, facts: dict[str, Any]) -> None:
        """Who ends a run of somebody else's (a rescuer) does not know how long it took."""
        if facts["seconds"] is not None:
            self._one("glimmr_job_seconds", facts["step"], facts["ended_as"]).observe(facts["seconds"])

    def _ended(self, facts: dict[str, Any]) -> None:
        step, outcome = facts["step"], str(facts["outcome"])
        self._timed(facts)
        self._add("jobs_ended", step, outcome, class_of(outcome))
        self._add("bytes", step, by=facts["bytes"])
        self._add("rows", step, by=facts["rows"])
        if step == "publish" and outcome == "ok" and facts["args"].get("price_file_id"):
            self.published.append((facts["args"]["file_id"], facts["args"]["price_file_id"]))

    def _retried(self, facts: dict[str, Any]) -> None:
        self._timed(facts)
        self._add("retries", facts["reason"])

    def _handed_back(self, facts: dict[str, Any]) -> None:
        self._timed(facts)
        self._add("handed_back", facts["step"])

    def _rescued(self, facts: dict[str, Any]) -> None:
        self._add("rescues", facts["step"])

    def _repaired(self, facts: dict[str, Any]) -> None:
        self._add("repairs", facts["invariant"])

    def _sent(self, facts: dict[str, Any]) -> None:
        del facts
        self._add("http_requests")

    def _answered(self, facts: dict[str, Any]) -> None:
        self._add("http_responses", f"{facts['http_status'] // 100}xx")
        self._add("http_bytes", by=facts["bytes"])
