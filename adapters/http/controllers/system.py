"""The server itself: is it up, is it well, what is it."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from adapters.http.errors import NotReady
from adapters.http.settings import HttpSettings
from adapters.http.wire.system import LiveResponse, SystemHealthResponse, SystemInfoResponse, health_response
from application.health import SystemHealth
from application.ports.readiness import Health

UseCase = NamedDependency[SkipValidation[SystemHealth]]
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

    @get("/live", operation_id="get_liveness", summary="Tell that the process answers")
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

    @get("/info", operation_id="get_system_info", summary="Tell what this server is")
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
