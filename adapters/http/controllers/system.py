"""The server itself: is it up, is it well, what is it."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.errors import NotReady
from adapters.http.settings import HttpSettings
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.system import (
    LiveResponse,
    SystemHealthResponse,
    SystemInfoResponse,
    WorkerListResponse,
    health_response,
    worker_list_response,
)
from application.health import SystemHealth
from application.ports.readiness import Health
from application.workers import Workers

UseCase = NamedDependency[SkipValidation[SystemHealth]]
LivingWorkers = NamedDependency[SkipValidation[Workers]]
Settings = NamedDependency[SkipValidation[HttpSettings]]


class SystemController(Controller):
    path = "/api/v1/system"
    tags = ("system",)

    @get("/health", operation_id="get_system_health", summary="Tell how the server is")
    async def health(
        self,
        health: UseCase,
        debug: Annotated[bool, QueryParameter(description="With the components' details.")] = False,  # noqa: FBT002
    ) -> SystemHealthResponse:
        """Always 200 once requests are served; `status` says how it is."""
        return health_response(await health.report(debug=debug), debug=debug)

    @get(
        "/live",
        operation_id="get_liveness",
        summary="Tell that the process answers",
        opt={"unchanging": True},
    )
    async def live(self) -> LiveResponse:
        """For a supervisor that restarts what does not answer."""
        return LiveResponse(status="ok")

    @get(
        "/ready",
        operation_id="get_readiness",
        summary="Tell whether the server can work",
        opt={"errors": (NotReady,)},
    )
    async def ready(self, health: UseCase, settings: Settings) -> LiveResponse:
        """503 until recovery after a start is done, and while a component is unhealthy. For a load balancer."""
        if not settings.has_recovered():
            raise NotReady("recovery after the start is not done yet")
        report = await health.report()
        if report.status is Health.UNHEALTHY:
            unwell = [
                f"{component.name}: {component.message or 'unhealthy'}"
                for component in report.components
                if component.health is Health.UNHEALTHY
            ]
            raise NotReady("; ".join(unwell) or "a component is unhealthy")
        return LiveResponse(status="ok")

    @get("/workers", operation_id="list_workers", summary="List the servers and workers that are alive")
    async def list_workers(
        self, workers: LivingWorkers, limit: Limit = 100, offset: Offset = 0
    ) -> WorkerListResponse:
        """Every process that works on this database, what it is called and where it is, and which executions it has joined.

        One that has died is among them until its lease has run out.
        """
        alive = await workers.alive()
        return worker_list_response(alive, answering=workers.owner, limit=limit, offset=offset)

    @get(
        "/info",
        operation_id="get_system_info",
        summary="Tell what this server is",
        opt={"unchanging": True},
    )
    async def info(self, settings: Settings) -> SystemInfoResponse:
        """Its version, its mode, and where the API is described."""
        return SystemInfoResponse(
            name="factflow-server",
            version=settings.version,
            mode=settings.mode,
            api_base="/api/v1",
            openapi="/openapi.json",
            docs="/docs",
        )
