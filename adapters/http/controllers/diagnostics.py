"""Trying what the server depends on, and what it was started with."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from adapters.http.settings import HttpSettings
from adapters.http.wire.diagnostics import (
    DiagnosisResponse,
    MQDiagnosticRequest,
    SettingListResponse,
    TotalsResponse,
    diagnosis_response,
    setting_list_response,
    totals_response,
)
from application.diagnostics import Diagnostics
from application.health import SystemHealth
from domain.outbound import DestinationRefused

UseCase = NamedDependency[SkipValidation[Diagnostics]]
Healthy = NamedDependency[SkipValidation[SystemHealth]]
Settings = NamedDependency[SkipValidation[HttpSettings]]


class DiagnosticsController(Controller):
    path = "/api/v1/system"
    tags = ("system",)

    @post(
        "/mq-diagnostic",
        operation_id="run_mq_diagnostic",
        summary="Try the message queue",
        status_code=200,
        opt={"errors": (DestinationRefused,)},
    )
    async def queue(
        self, diagnostics: UseCase, data: JSONBody[MQDiagnosticRequest | None] = None
    ) -> DiagnosisResponse:
        """A round trip over a queue and a topic of their own, step by step; 200 whatever came of it, and `ok` says it.

        It takes at most ten seconds a step, and leaves nothing behind. With a body another broker is tried, by STOMP:
        its name, its connection, signing in, and messages if they are asked for.
        """
        if data is not None:
            return diagnosis_response(
                await diagnostics.of_broker(data.target(), step_seconds=data.step_seconds)
            )
        return diagnosis_response(await diagnostics.of_queue())

    @post(
        "/storage-diagnostic",
        operation_id="run_storage_diagnostic",
        summary="Try the object storage",
        status_code=200,
    )
    async def storage(self, diagnostics: UseCase) -> DiagnosisResponse:
        """Write an object under `diagnostics/`, read it, find it in a list and delete it; `ok` says what came of it."""
        return diagnosis_response(await diagnostics.of_storage())

    @post(
        "/database-diagnostic",
        operation_id="run_database_diagnostic",
        summary="Try the database",
        status_code=200,
    )
    async def database(self, diagnostics: UseCase) -> DiagnosisResponse:
        """Its versions, its connections and the sizes of its tables; `ok` says whether it answered."""
        return diagnosis_response(await diagnostics.of_database())

    @get("/metrics", operation_id="get_metrics_summary", summary="Count what there is")
    async def totals(self, diagnostics: UseCase, health: Healthy) -> TotalsResponse:
        """Executions, messages, webhook deliveries and documents of the whole database; `/metrics` is for Prometheus."""
        return totals_response(await diagnostics.totals(), uptime_seconds=health.uptime_seconds())

    @get("/settings", operation_id="list_settings", summary="List the server's settings")
    async def list_settings(self, settings: Settings) -> SettingListResponse:
        """What this process was started with. Secrets, and passwords inside addresses, are not shown."""
        return setting_list_response(settings.facts)
