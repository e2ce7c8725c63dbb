"""How much is stored, and at which stages of an execution."""

from __future__ import annotations

from litestar import Controller, get

from adapters.http.controllers.executions import IdOrTag
from adapters.http.controllers.executions import UseCase as ExecutionsUseCase
from adapters.http.controllers.storage import Prefix, UseCase
from adapters.http.wire.usage import (
    ExecutionStagesResponse,
    StorageUsageResponse,
    stages_response,
    usage_response,
)
from application.object_usage import folder, next_part, usage
from domain.execution import ExecutionNotFound


class StorageUsageController(Controller):
    path = "/api/v1/storage"
    tags = ("storage",)

    @get("/usage", operation_id="get_storage_usage", summary="Tell how much is stored")
    async def usage(self, stored_objects: UseCase, prefix: Prefix = "") -> StorageUsageResponse:
        """Objects and bytes below a prefix, in all and by what follows it up to the next slash.

        Exact up to a million objects and a thousand groups.
        """
        return usage_response(await usage(stored_objects.storage, prefix, next_part))

    @get(
        "/executions/{execution_id:str}/stages",
        operation_id="list_execution_stages",
        summary="List the stages of an execution",
        opt={"errors": (ExecutionNotFound,)},
    )
    async def stages(
        self, stored_objects: UseCase, executions: ExecutionsUseCase, execution_id: IdOrTag
    ) -> ExecutionStagesResponse:
        """Where it kept something, and how much: what it can be replayed from."""
        execution = await executions.get(execution_id)
        report = await usage(stored_objects.storage, f"executions/{execution.id}/", folder)
        return stages_response(execution.id, report)
