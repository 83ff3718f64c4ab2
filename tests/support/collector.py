"""A collector of OpenTelemetry traces: takes what is sent to it by OTLP over HTTP, and keeps the spans."""

import http.server
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Taken:
    """One span as it was sent."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    started: int
    ended: int
    failed: str | None
    facts: dict[str, Any]
    told: list[str]
    links: list[tuple[bytes, bytes]]  # trace and span
    service: str


@dataclass
class Collector:
    """Its `url` is what OTEL_EXPORTER_OTLP_ENDPOINT says."""

    url: str = ""
    spans: list[Taken] = field(default_factory=list)

    def traces(self) -> list[list[Taken]]:
        """The spans by trace, each in the order of their beginning."""
        found: dict[bytes, list[Taken]] = defaultdict(list)
        for span in sorted(self.spans, key=lambda span: (span.started, -span.ended)):
            found[span.trace].append(span)
        return list(found.values())

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            of = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_taken(span, of["service.name"]) for span in scope.spans]


def _taken(span: Any, service: str) -> Taken:
    facts = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return Taken(
        name=span.name,
        trace=span.trace_id,
        id=span.span_id,
        parent=span.parent_span_id,
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        failed=span.status.message if span.status.code == 2 else None,
        facts=facts,
        told=[event.name for event in span.events],
        links=[(link.trace_id, link.span_id) for link in span.links],
        service=service,
    )


@contextmanager
def collecting() -> Generator[Collector]:
    """A collector that takes spans until the block ends."""
    collector = Collector()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield collector
    server.shutdown()
    server.server_close()
    thread.join()
