"""Spans, as a collector gets them."""

from __future__ import annotations

import builtins
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.opentelemetry.spans import Spans, TracesNotInstalled
from application.tracing import TRACE
from domain.lineage import LineageEntry, StageStatus
from domain.trace import Trace

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOW_64_BITS = (1 << 64) - 1


def entry(**fields: Any) -> LineageEntry:
    plain: dict[str, Any] = {
        "id": uuid4(), "parent_id": None, "execution_id": uuid4(), "message_id": uuid4(), "route_id": "read",
        "adapter_name": "document_reader", "adapter_index": 0, "attempt": 1, "stage_name": "markdown",
        "status": StageStatus.COMPLETED, "started_at": STARTED, "completed_at": STARTED + timedelta(seconds=2),
    }  # fmt: skip
    return LineageEntry(**plain | fields)


@pytest.fixture
def exporter() -> Any:
    """Keeps what it is given."""
    return InMemorySpanExporter()


async def test_a_run_is_one_trace_of_what_pipeline_adapters_did(exporter: Any) -> None:
    """Parents as in lineage, so that processes need not tell each other; what has not ended is no span."""
    first = entry()
    failed = entry(
        parent_id=first.id,
        execution_id=first.execution_id,
        status=StageStatus.FAILED,
        error={"code": "broken"},
    )
    async with Spans(lambda: exporter) as spans:
        for one in (first, failed, entry(status=StageStatus.PROCESSING, completed_at=None)):
            spans.handled(one)
    told, child = exporter.get_finished_spans()
    assert (told.name, told.parent, told.context.trace_id) == (
        "read document_reader", None, first.execution_id.int,
    )  # fmt: skip
    assert told.end_time - told.start_time == 2_000_000_000
    assert told.attributes["factflow.correlation_id"] == str(first.id)
    assert told.resource.attributes["service.name"] == "factflow-server"
    assert (child.parent.span_id, child.context.trace_id) == (
        first.id.int & LOW_64_BITS,
        told.context.trace_id,
    )
    assert (told.status.is_ok, child.status.is_ok, child.attributes["error.type"]) == (True, False, "broken")


@pytest.mark.parametrize("status", [200, 503, None])
async def test_a_request_is_a_span_with_the_ids_of_its_traceparent(exporter: Any, status: int | None) -> None:
    """Its parent is the client's step; an answer that never begins is a failure."""
    client = Trace(trace_id="ab" * 16, span_id="cd" * 8)
    ours = client.step(b"\x01" * 8)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if status is None:
            raise RuntimeError
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/executions/7", "path_template": "/api/v1/executions/{id}",
        "headers": [(b"traceparent", str(client).encode())],
    }  # fmt: skip
    token = TRACE.set(ours)
    async with Spans(lambda: exporter) as spans:
        try:
            await spans.answering(app)(scope, None, send)
        except RuntimeError:
            assert status is None
        finally:
            TRACE.reset(token)
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.attributes["http.route"]) == (
        "GET /api/v1/executions/{id}", "/api/v1/executions/{id}",
    )  # fmt: skip
    assert span.attributes["http.response.status_code"] == (status or 500)
    assert (span.context.trace_id, span.context.span_id) == (int("ab" * 16, 16), int("01" * 8, 16))
    assert (span.parent.span_id, span.status.is_ok) == (int("cd" * 8, 16), status == 200)


async def test_spans_go_to_the_collector_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OTLP over HTTP; leaving waits until they are there."""
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    collector = web.Application()
    collector.router.add_post("/v1/traces", take)
    runner = web.AppRunner(collector)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    async with Spans() as spans:
        spans.handled(entry())
    await runner.cleanup()
    assert b"read document_reader" in b"".join(bodies)


async def test_the_sampler_of_the_environment_decides(exporter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere else that OpenTelemetry's SDK is."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    async with Spans(lambda: exporter) as spans:
        spans.handled(entry())
    assert exporter.get_finished_spans() == ()


async def test_without_the_extra_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not start without what was asked for."""
    usual = builtins.__import__

    def importing(name: str, *others: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return usual(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(TracesNotInstalled, match=r"factflow-server\[otel\]"):
        async with Spans():
            pass
