"""Health and facts of the server on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from adapters.http.wire.pages import page_numbers
from application.health import HealthReport
from application.ports.leases import Lease
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


class WorkerResponse(Struct, frozen=True, kw_only=True):
    """A process that is alive. `in_hand` messages were claimed by it when it last told, up to `lease_until` it counts as alive.

    `takes_messages` is false for a server that leaves the work to workers; `answers` marks the process that answers.
    """

    id: UUID
    name: str
    host: str
    pid: int
    since: datetime | None
    takes_messages: bool
    executions: list[UUID]
    in_hand: int
    lease_until: datetime | None
    answers: bool


class WorkerListResponse(Struct, frozen=True, kw_only=True):
    """A page of workers, the eldest first."""

    workers: list[WorkerResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def worker_list_response(
    leases: Sequence[Lease], *, answering: UUID, limit: int, offset: int
) -> WorkerListResponse:
    """The workers as they travel."""
    page = leases[offset : offset + limit]
    return WorkerListResponse(
        workers=[_worker(lease, answering) for lease in page],
        **page_numbers(len(page), total=len(leases), limit=limit, offset=offset),
    )


def _worker(lease: Lease, answering: UUID) -> WorkerResponse:
    worker = lease.worker
    return WorkerResponse(
        id=lease.owner,
        name=worker.name,
        host=worker.host,
        pid=worker.pid,
        since=worker.since,
        takes_messages=worker.takes_messages,
        executions=sorted(lease.executions),
        in_hand=worker.in_hand,
        lease_until=lease.until,
        answers=lease.owner == answering,
    )


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
