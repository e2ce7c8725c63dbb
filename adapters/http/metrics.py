"""What Prometheus is told: how requests fare here, how the process is, and how much there is of everything."""

from __future__ import annotations

from time import perf_counter

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from adapters.http.edge import is_http
from application.diagnostics import Diagnostics
from application.health import SystemHealth
from application.ports.readiness import Health
from domain.errors import Unavailable

# Litestar adds the charset to what is text.
MEDIA_TYPE = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
UNKNOWN = "unknown"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HOW_WELL = {Health.HEALTHY: 1.0, Health.DEGRADED: 0.5, Health.UNHEALTHY: 0.0}


class RequestMetrics:
    """Counts and times the requests of one application, by the operation's path and never by what stands in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._answered = Counter(
            "factflow_http_requests",
            "Requests answered.",
            ["method", "path", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "factflow_http_request_seconds",
            "Time from a request to the end of its answer; event streams are left out.",
            ["method", "path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._under_way = 0
        Gauge(
            "factflow_http_requests_under_way", "Requests that are being answered.", registry=self.registry
        ).set_function(lambda: self._under_way)
        # To look a child up by its labels costs more than to count: it takes a lock and makes text of them.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._clocks: dict[tuple[str, str], Histogram] = {}

    def measured(self, app: ASGIApp) -> ASGIApp:
        """The application, with its requests counted."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if not is_http(scope):
                await app(scope, receive, send)
                return
            began, answer = perf_counter(), _Answer(send)
            self._under_way += 1
            try:
                await app(scope, receive, answer.send)
            finally:
                self._under_way -= 1
                self._note(scope, answer, perf_counter() - began)

        return call

    def _note(self, scope: HTTPScope, answer: _Answer, seconds: float) -> None:
        path = scope.get("path_template") or UNKNOWN
        method = scope["method"] if path != UNKNOWN else UNKNOWN
        counter = self._counters.get((method, path, answer.status))
        if counter is None:
            counter = self._answered.labels(method, path, str(answer.status))
            self._counters[method, path, answer.status] = counter
        counter.inc()
        if not answer.is_stream:
            self._clock(method, path).observe(seconds)

    def _clock(self, method: str, path: str) -> Histogram:
        clock = self._clocks.get((method, path))
        if clock is None:
            clock = self._clocks[method, path] = self._seconds.labels(method, path)
        return clock


class _Answer:
    """What goes by on its way to the client; a client that left before the head of an answer has the status 499."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 499
        self.is_stream = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = dict(message.get("headers", ()))
            self.is_stream = headers.get(b"content-type", b"").startswith(b"text/event-stream")
        await self._send(message)


async def exposition(metrics: RequestMetrics, diagnostics: Diagnostics, health: SystemHealth) -> bytes:
    """Everything in Prometheus's text format; what the database alone knows is missing while it is away."""
    figures = CollectorRegistry()
    health_gauge = _gauge(figures, "component_health", "1 healthy, 0.5 degraded, 0 unhealthy.", "component")
    for component in (await health.report()).components:
        health_gauge.labels(component.name).set(HOW_WELL[component.health])
    await _totals(figures, diagnostics)
    _routes(figures, diagnostics)
    return bytes(generate_latest(metrics.registry)) + bytes(generate_latest(figures))


async def _totals(registry: CollectorRegistry, diagnostics: Diagnostics) -> None:
    try:
        totals = await diagnostics.totals()
    except Unavailable:
        return
    _gauge(registry, "documents", "Documents that searches can find.").set(totals.documents)
    for name, label, counts in (
        ("executions", "status", totals.executions),
        ("messages", "state", totals.messages),
        ("webhook_deliveries", "state", totals.deliveries),
    ):
        gauge = _gauge(registry, name, f"Of all processes and of all time, by {label}.", label)
        for value, number in counts.items():
            gauge.labels(value).set(number)


def _routes(registry: CollectorRegistry, diagnostics: Diagnostics) -> None:
    in_flight = _gauge(registry, "route_in_flight", "Messages at work in this process.", "route")
    allowed = _gauge(registry, "route_concurrency", "Messages that may be at work in this process.", "route")
    broken = _gauge(registry, "route_open_breakers", "Open circuit breakers in this process.", "route")
    for status in diagnostics.routes():
        in_flight.labels(status.route_id).inc(status.in_flight)
        allowed.labels(status.route_id).inc(status.concurrency)
        broken.labels(status.route_id).inc(len(status.open_breakers))


def _gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"factflow_{name}", about, labels, registry=registry)
