"""One trace for each visit of an address, whichever processes did the work, sent to a collector that may be away."""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from glimmr import app, events, looking
from glimmr.jobs import ledger
from glimmr.settings import Settings
from tests.support import line
from tests.support.collector import Collector, Taken, collecting
from tests.support.shop import Shop, table


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as taking:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", taking.url)
        yield taking


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No robots.txt is asked for: a download is one request."""
    return settings.model_copy(update={"crawl_delay_seconds": 0.0})


def run(settings: Settings, shop: Shop, *paths: str, paused: str = "", refresh: bool = False) -> dict[str, int]:
    """One process's walk of the line: asks for these paths, works off what there is, goes home."""
    asked = []
    if paths:
        rows = [(f"Hospital {n}", "VT", f"47000{n}", shop.base + path) for n, path in enumerate(paths)]
        asked = [("listing", str(line.write_list(settings.data.parent / "list.csv", rows)))]
    with app.working(settings) as parts:
        parts.database.write(lambda connection: ledger.pause(connection, "parse", paused=paused == "parse"))
        asyncio.run(app.walk(parts, asked, refresh=refresh, stop=asyncio.Event()))
    return {row["outcome"]: row["files"] for row in looking.status(settings)["outcomes"]}


def one(spans: list[Taken], name: str) -> Taken:
    (found,) = [span for span in spans if span.name == name]
    return found


def of_files(collector: Collector) -> list[list[Taken]]:
    return [trace for trace in collector.traces() if any(span.name == "download" for span in trace)]


def test_what_several_processes_do_for_a_file_is_one_trace(
    shop: Shop, settings: Settings, collector: Collector
) -> None:
    shop.files = {"/a?token=s3cret": table(20), "/b": table(30)}
    run(settings, shop, "/a?token=s3cret", "/b", paused="parse")
    assert {span.name for trace in of_files(collector) for span in trace} == {"download", "fetch", "request"}
    assert run(settings, shop) == {"ok": 2}
    traces = of_files(collector)
    assert len(traces) == 2
    for trace in traces:
        download, parse, publish = (one(trace, name) for name in ("download", "parse", "publish"))
        assert download.parent == b"", "it is the root"
        assert parse.parent == publish.parent == download.id
        assert download.ended <= parse.started <= parse.ended <= publish.started
        child, shelf = one(trace, "read in a child process"), one(trace, "put on the shelf")
        assert child.parent == shelf.parent == parse.id
        assert parse.started <= child.started <= child.ended <= shelf.started <= shelf.ended <= parse.ended
        assert one(trace, "into the four tables").parent == publish.id
        assert publish.told.count("publish.committed") == 4
        assert one(trace, "request").facts["glimmr.http_status"] == 200
        assert (parse.facts["glimmr.outcome"], parse.facts["glimmr.attempt"]) == ("ok", 1)
        assert {span.service for span in trace} == {"glimmr"}
    assert one([span for trace in collector.traces() for span in trace], "scan").trace not in {
        t[0].trace for t in traces
    }
    assert "s3cret" not in repr(collector.spans)


def test_failed_attempts_are_in_the_trace_of_the_visit_and_the_next_visit_has_its_own(
    shop: Shop, settings: Settings, collector: Collector
) -> None:
    assert run(settings, shop, "/a") == {"gone": 1}
    (failed,) = of_files(collector)
    first, last = [span for span in failed if span.name == "download"]
    assert first.failed
    assert first.failed.startswith("not_found: ")
    assert (first.parent, last.parent) == (last.id, b""), "the root is the run that ended the visit"
    assert [first.facts["glimmr.attempt"], last.facts["glimmr.attempt"]] == [1, 2]

    shop.files = {"/a": table(20)}
    app.again(settings, step="download")
    assert run(settings, shop) == {"ok": 1}
    assert run(settings, shop, "/a", refresh=True) == {"unchanged": 1}
    before, good, unchanged = of_files(collector)
    assert before == failed
    assert {"download", "parse", "publish"} < {span.name for span in good}
    assert all(span.failed is None for span in good)
    assert {span.name for span in unchanged} == {"download", "fetch", "request"}


def test_bytes_of_several_addresses_are_parsed_in_one_trace_that_names_the_others(
    shop: Shop, settings: Settings, collector: Collector
) -> None:
    shop.files = {"/a": table(20), "/b": table(20)}
    run(settings, shop, "/a", "/b", paused="parse")
    assert run(settings, shop) == {"ok": 2}
    roots = {(span.trace, span.id) for span in collector.spans if span.name == "download"}
    read = one(collector.spans, "parse")
    assert read.links == [root for root in roots if root[0] != read.trace]
    published = [span for span in collector.spans if span.name == "publish"]
    assert published
    for span in published:
        assert span.links == [root for root in roots if root[0] != span.trace]


def test_without_a_collector_in_the_environment_nobody_listens(shop: Shop, settings: Settings) -> None:
    before = len(events._listeners)
    with app.working(settings):
        assert len(events._listeners) == before


def test_without_the_extra_it_is_said_and_work_goes_on(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.id_generator", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    shop.files = {"/a": table(20)}
    assert run(settings, shop, "/a") == {"ok": 1}
    (said,) = [record.getMessage() for record in caplog.records if record.name == "glimmr.watch.traces"]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent" in said
    assert "glimmr[otel]" in said


def test_a_collector_that_is_away_or_deaf_costs_no_work(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    shop.files = {"/a": table(20)}
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with app.working(settings) as parts:
            listed = line.write_list(settings.data.parent / "list.csv", [("H", "VT", "470001", shop.base + "/a")])
            asyncio.run(app.walk(parts, [("listing", str(listed))], refresh=False, stop=asyncio.Event()))
            worked = time.monotonic()
        assert time.monotonic() - worked < 9, "it does not keep its process from going home"
    assert {row["outcome"]: row["files"] for row in looking.status(settings)["outcomes"]} == {"ok": 1}
