"""Health and facts of the server on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from application.health import HealthReport
from application.ports.readiness import ComponentHealth


class ComponentHealthResponse(Struct, frozen=True, kw_only=True):
    """One component's own answer: `healthy`, `degraded` or `unhealthy`."""

    name: str
    status: str
    message: str | None
    checked_at: datetime


class SystemHealthResponse(Struct, frozen=True, kw_only=True):
    """How the server is. `debug` has each component's details when they were asked for."""

    status: str
    components: list[ComponentHealthResponse]
    timestamp: datetime
    uptime_seconds: float
    debug: dict[str, dict[str, Any]] | UnsetType = UNSET


class LiveResponse(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str


class SystemInfoResponse(Struct, frozen=True, kw_only=True):
    """What this server is, and where its description lies."""

    name: str
    version: str
    mode: str
    api_base: str
    openapi: str
    docs: str


def health_response(report: HealthReport, *, debug: bool) -> SystemHealthResponse:
    """A health report as it travels."""
    return SystemHealthResponse(
        status=report.status.value,
        components=[_component(component, report.at) for component in report.components],
        timestamp=report.at,
        uptime_seconds=report.uptime_seconds,
        debug={component.name: dict(component.details) for component in report.components}
        if debug
        else UNSET,
    )


def _component(component: ComponentHealth, at: datetime) -> ComponentHealthResponse:
    return ComponentHealthResponse(
        name=component.name, status=component.health.value, message=component.message, checked_at=at
    )
