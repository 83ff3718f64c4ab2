"""The wall to OpenTelemetry: plain spans in, theirs out. Nothing of theirs is imported before it is wanted."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

_LONGEST = 1_000  # letters of a value


@dataclass(frozen=True, slots=True)
class Span:
    """What happened from `started` to `ended` (nanoseconds since 1970). `failed` says why; None: it did not fail."""

    name: str
    started: int
    ended: int
    facts: Mapping[str, Any]
    failed: str | None = None
    told: Sequence[tuple[str, int, Mapping[str, Any]]] = ()
    stages: Sequence["Span"] = field(default_factory=tuple)


class Spans:
    """Where spans go. One thread puts them."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - an extra

        self._provider, self._random = provider, RandomIdGenerator()
        self._given: tuple[int, int] | None = None
        provider.id_generator = self
        self._tracer = provider.get_tracer("glimmr")

    @classmethod
    def to_collector(cls, version: str) -> Self:
        """To the collector that the environment names, in batches. Raises ModuleNotFoundError without the extra."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        name = os.environ.get("OTEL_SERVICE_NAME") or "glimmr"
        resource = Resource.create({"service.name": name, "service.version": version})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` does so, within its time
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def put(self, span: Span, name: bytes | None, *, root: bool, links: Sequence[bytes] = ()) -> None:
        """Put a span with its stages. `name` makes the trace's ids; unless it is the `root`, it is below that.

        `links` are the names of other traces that it is about, too.
        """
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        context = None
        if name is not None:
            if root:
                self._given = _ids(name)
            else:
                context = trace.set_span_in_context(trace.NonRecordingSpan(_root_of(name)))
        self._put(span, context, [trace.Link(_root_of(one)) for one in links])

    def close(self, seconds: float) -> None:
        """Send what is left, for so long at most."""

        def send() -> None:
            self._provider.force_flush()
            self._provider.shutdown()

        # Their own time limit is the exporter's, which is longer than a process may take to stop.
        sending = threading.Thread(target=send, name="last traces", daemon=True)
        sending.start()
        sending.join(seconds)

    def generate_trace_id(self) -> int:
        """For a root: the id it was given, or any."""
        return self._given[0] if self._given else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        """For a root: the id it was given; for any other span: any."""
        return self._given[1] if self._given else self._random.generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Not those that are made of a name."""
        return self._given is None

    def _put(self, span: Span, context: Any, links: Sequence[Any] = ()) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        made = self._tracer.start_span(
            span.name, context=context, start_time=span.started, attributes=_attributes(span.facts), links=links
        )
        self._given = None
        for name, when, facts in span.told:
            made.add_event(name, _attributes(facts), timestamp=when)
        if span.failed is not None:
            made.set_status(trace.Status(trace.StatusCode.ERROR, span.failed[:_LONGEST]))
        for stage in span.stages:
            self._put(stage, trace.set_span_in_context(made))
        made.end(end_time=span.ended)


def _ids(name: bytes) -> tuple[int, int]:
    """The ids of the trace with this name, and of its root."""
    return int.from_bytes(name[:16]), int.from_bytes(name[16:24])


def _root_of(name: bytes) -> Any:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    return trace.SpanContext(*_ids(name), is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as attributes `glimmr.…`; `args` one by one, what is none of the plain types as text."""
    flat = {name: value for name, value in facts.items() if name != "args"} | dict(facts.get("args") or {})
    return {f"glimmr.{name}": _value(value) for name, value in flat.items() if value not in (None, "")}


def _value(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else str(value)[:_LONGEST]
