"""Spans of requests and of what pipeline adapters did with messages, given to a collector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from application.tracing import TRACE
from domain.errors import Invalid
from domain.lineage import LineageEntry, StageStatus
from domain.trace import Trace

Scope = MutableMapping[str, Any]
Act = Callable[..., Awaitable[Any]]
App = Callable[[Any, Any, Any], Awaitable[None]]

LOW_64_BITS = (1 << 64) - 1


class TracesNotInstalled(Invalid):
    """Traces need packages that are an extra: pip install 'factflow-server[otel]'."""

    code = "traces_not_installed"


class Spans:
    """Makes spans and gives them to an exporter, in a thread of its own, while ``async with`` lasts.

    A run is one trace: its id is the execution's, and a span's the end of its correlation id, so that processes need not
    tell each other. A request's span has the ids that its `traceparent` says. The variables OTEL_* of OpenTelemetry's SDK
    say where spans go, what the service is called and which traces are sampled. Entering raises TracesNotInstalled.
    """

    def __init__(self, exporter: Callable[[], Any] | None = None) -> None:
        self._exporter = exporter
        self._processor: Any = None
        self._provider: Any = None

    async def __aenter__(self) -> Self:
        try:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # an extra, and slow to import
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

            exporter = self._exporter or _otlp()
        except ImportError as error:
            raise TracesNotInstalled from error
        resource = Resource.create()
        if str(resource.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "factflow-server"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(exporter())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        processor, self._processor = self._processor, None
        await asyncio.to_thread(processor.shutdown)

    def handled(self, entry: LineageEntry) -> None:
        """Make a span of a lineage entry that has ended; never blocks."""
        if self._processor is None or not entry.status.is_final or entry.completed_at is None:
            return
        self._end(
            f"{entry.route_id} {entry.adapter_name}",
            trace_id=entry.execution_id.int,
            span_id=_span_id(entry.id),
            parent_id=None if entry.parent_id is None else _span_id(entry.parent_id),
            started=_nanoseconds(entry.started_at),
            ended=_nanoseconds(entry.completed_at),
            is_failure=entry.status is StageStatus.FAILED,
            attributes={
                "factflow.execution_id": str(entry.execution_id),
                "factflow.message_id": str(entry.message_id),
                "factflow.correlation_id": str(entry.id),
                "factflow.route_id": entry.route_id,
                "factflow.adapter_name": entry.adapter_name,
                "factflow.stage_name": entry.stage_name,
                "factflow.attempt": entry.attempt,
                "factflow.status": entry.status.value,
                **({} if entry.error is None else {"error.type": str(entry.error.get("code"))}),
            },
        )

    def answering(self, app: App) -> App:
        """The ASGI application, with a span for each request."""

        async def call(scope: Scope, receive: Act, send: Act) -> None:
            trace = TRACE.get()
            if scope["type"] != "http" or trace is None or self._processor is None:
                await app(scope, receive, send)
                return
            started, status = time.time_ns(), 500

            async def noting(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._answered(scope, trace, started, status)

        return call

    def _answered(self, scope: Scope, trace: Trace, started: int, status: int) -> None:
        if self._processor is None:
            return
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        parent = Trace.parse(given.decode("latin-1"))
        route = scope.get("path_template")
        self._end(
            f"{scope['method']} {route}" if route else str(scope["method"]),
            trace_id=int(trace.trace_id, 16),
            span_id=int(trace.span_id, 16),
            parent_id=None if parent is None else int(parent.span_id, 16),
            started=started,
            ended=time.time_ns(),
            is_failure=status >= 500,
            is_server=True,
            attributes={
                "http.request.method": scope["method"],
                "http.response.status_code": status,
                "url.path": scope["path"],
                **({"http.route": route} if route else {}),
            },
        )

    def _end(
        self,
        name: str,
        *,
        trace_id: int,
        span_id: int,
        parent_id: int | None,
        started: int,
        ended: int,
        is_failure: bool,
        attributes: dict[str, Any],
        is_server: bool = False,
    ) -> None:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        if not self._provider.sampler.should_sample(None, trace_id, name).decision.is_sampled():
            return

        def context(number: int, *, is_remote: bool) -> SpanContext:
            return SpanContext(trace_id, number, is_remote, TraceFlags(TraceFlags.SAMPLED))

        span = ReadableSpan(
            name=name,
            context=context(span_id, is_remote=False),
            parent=None if parent_id is None else context(parent_id, is_remote=is_server),
            resource=self._provider.resource,
            attributes=attributes,
            kind=SpanKind.SERVER if is_server else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if is_failure else StatusCode.UNSET),
            start_time=started,
            end_time=ended,
        )
        self._processor.on_end(span)


def _otlp() -> Callable[[], Any]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter  # type: ignore[no-any-return]


def _span_id(correlation_id: UUID) -> int:
    return correlation_id.int & LOW_64_BITS


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
