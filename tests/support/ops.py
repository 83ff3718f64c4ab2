"""Asking the ops port of a process, as a probe and a scraper do."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import free_port

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class OpsPort:
    """Where a process will answer that is given its settings."""

    def __init__(self) -> None:
        self.port = free_port()
        self.slowest_seconds = 0.0

    @property
    def settings(self) -> dict[str, str]:
        return {"GLIMMR_OPS_ADDRESS": f"127.0.0.1:{self.port}", "GLIMMR_HEALTH_SECONDS": "0.2"}

    def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, media type and body; no answer may take longer than 10 s."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        return answer.status, answer.getheader("content-type", ""), body

    def health(self, path: str = "/healthz") -> tuple[int, dict[str, Any]]:
        status, _, body = self.get(path)
        return status, json.loads(body)

    def statuses(self) -> dict[str, str]:
        """How each component is."""
        told = self.health()[1]
        return {name: checks[0]["status"] for name, checks in told.get("checks", {}).items()}

    def is_up(self) -> bool:
        try:
            return bool(self.statuses())
        except OSError:
            return False

    def samples(self) -> Samples:
        """Every sample, by its name and labels."""
        status, media_type, body = self.get("/metrics")
        assert (status, media_type.partition(";")[0]) == (200, "text/plain")
        found: Samples = {}
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in found, f"{key} is there twice"
                found[key] = sample.value
        return found

    def metrics(self) -> set[str]:
        """The names of all metrics that are told, also of those that count nothing yet."""
        return {row.split()[2] for row in self.get("/metrics")[2].splitlines() if row.startswith("# TYPE ")}

    def seconds_until(self, holds: Callable[[dict[str, str]], bool], seconds: float = 30.0) -> float:
        """Wait until the components' statuses are so; how long it took."""
        began = time.monotonic()
        while not holds(told := self.statuses()):
            assert time.monotonic() - began < seconds, told
            time.sleep(0.05)
        return time.monotonic() - began


def labelled(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels in the order of the labels' names."""
    return {tuple(value for _, value in labels): count for (one, labels), count in samples.items() if one == name}
