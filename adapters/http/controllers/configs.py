"""Pipeline configs: stored, versioned YAML."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.conditional import IF_NONE_MATCH, NOT_MODIFIED
from adapters.http.errors import PreconditionFailed
from adapters.http.ranges import expected_version
from adapters.http.wire.configs import (
    ConfigCreateRequest,
    ConfigListResponse,
    ConfigRunRequest,
    ConfigUpdateRequest,
    ConfigValidateRequest,
    PipelineConfigDetailResponse,
    PipelineConfigResponse,
    config_detail_response,
    config_list_response,
    config_response,
)
from adapters.http.wire.executions import StartedExecutionResponse, started_response
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.reports import ValidationReportResponse, report_response
from application.config_check import CheckedConfig
from application.configs import Configs
from application.executions import Executions, NoInitMessage
from domain.execution import InvalidTag, TagTaken, TooManyConcurrentExecutions
from domain.findings import ConfigNotRunnable, UnparseableConfig
from domain.message import PayloadRejected
from domain.pipeline_config import (
    ConfigChanged,
    ConfigInactive,
    ConfigNotFound,
    InvalidConfigName,
    InvalidConfigText,
)

UseCase = NamedDependency[SkipValidation[Configs]]
ConfigId = Annotated[UUID, PathParameter(description="The config's id.")]
IsActive = Annotated[bool, QueryParameter(description="False lists the deactivated ones.")]
SkipInitMessage = Annotated[bool, QueryParameter(description="Start the routes and send nothing.")]
RUN_ERRORS = (
    ConfigInactive,
    ConfigNotRunnable,
    NoInitMessage,
    PayloadRejected,
    InvalidTag,
    TagTaken,
    TooManyConcurrentExecutions,
)


class ConfigsController(Controller):
    path = "/api/v1/configs"
    tags = ("configs",)

    @post(
        operation_id="create_config",
        summary="Store a pipeline config",
        opt={"errors": (UnparseableConfig, InvalidConfigName, InvalidConfigText)},
    )
    async def create(
        self, configs: UseCase, data: JSONBody[ConfigCreateRequest]
    ) -> Response[PipelineConfigResponse]:
        """Errors of validation do not keep a config from being stored; they keep it from running.

        A text that is not YAML at all is refused.
        """
        checked = await configs.create(
            name=data.name,
            yaml=data.config_yaml,
            description=data.description,
            source=data.source_type,
            source_path=data.source_path,
        )
        location = f"{self.path}/{checked.config.id}"
        return Response(config_response(checked), headers={"etag": etag(checked), "location": location})

    @get(operation_id="list_configs", summary="List pipeline configs")
    async def list_all(
        self,
        configs: UseCase,
        limit: Limit = 100,
        offset: Offset = 0,
        is_active: IsActive = True,  # noqa: FBT002
    ) -> ConfigListResponse:
        """The active ones, by creation, each with its validation as of now."""
        page, total = await configs.list(limit=limit, offset=offset, is_active=is_active)
        return config_list_response(page, total=total, limit=limit, offset=offset)

    @post("/validate", status_code=200, operation_id="validate_config", summary="Validate a pipeline config")
    async def validate(
        self, configs: UseCase, data: JSONBody[ConfigValidateRequest]
    ) -> ValidationReportResponse:
        """Everything wrong with a text, also when it is no YAML; nothing is stored."""
        return report_response(await configs.validate(data.config_yaml))

    @get(
        "/{config_id:uuid}",
        operation_id="get_config",
        summary="Read a pipeline config",
        opt={"errors": (ConfigNotFound,), "parameters": (IF_NONE_MATCH,), "answers": NOT_MODIFIED},
    )
    async def read(
        self,
        configs: UseCase,
        config_id: ConfigId,
        version: Annotated[
            int | None, QueryParameter(ge=1, le=10**9, description="An earlier version.")
        ] = None,
    ) -> Response[PipelineConfigDetailResponse]:
        """The latest version with its YAML, validated against the pipeline adapters there are now."""
        checked = await configs.get(config_id, version)
        return Response(config_detail_response(checked), headers={"etag": etag(checked)})

    @put(
        "/{config_id:uuid}",
        operation_id="update_config",
        summary="Change a pipeline config",
        opt={
            "errors": (
                ConfigNotFound,
                ConfigInactive,
                ConfigChanged,
                PreconditionFailed,
                UnparseableConfig,
                InvalidConfigName,
                InvalidConfigText,
            )
        },
    )
    async def update(
        self,
        configs: UseCase,
        config_id: ConfigId,
        data: JSONBody[ConfigUpdateRequest],
        if_match: Annotated[
            str | None, HeaderParameter(name="If-Match", description="The ETag of the version to replace.")
        ] = None,
    ) -> Response[PipelineConfigResponse]:
        """Stores the next version; executions that run keep theirs. What is not given stays."""
        version = expected_version(if_match)
        try:
            checked = await configs.update(
                config_id,
                name=data.name,
                yaml=data.config_yaml,
                description=data.description,
                expected_version=version,
            )
        except ConfigChanged as error:
            if version is None:
                raise
            raise PreconditionFailed(f"version {version} is not the latest") from error
        return Response(config_response(checked), headers={"etag": etag(checked)})

    @delete(
        "/{config_id:uuid}",
        operation_id="deactivate_config",
        summary="Deactivate a pipeline config",
        opt={"errors": (ConfigNotFound, ConfigChanged, PreconditionFailed)},
    )
    async def deactivate(
        self,
        configs: UseCase,
        config_id: ConfigId,
        if_match: Annotated[
            str | None, HeaderParameter(name="If-Match", description="The ETag of the version to remove.")
        ] = None,
    ) -> None:
        """Takes it out of use and keeps every version. Doing it twice is no error."""
        version = expected_version(if_match)
        try:
            await configs.deactivate(config_id, expected_version=version)
        except ConfigChanged as error:
            if version is None:
                raise
            raise PreconditionFailed(f"version {version} is not the latest") from error

    @post(
        "/{config_id:uuid}/run",
        operation_id="run_config",
        summary="Start an execution of a pipeline config",
        opt={"errors": (ConfigNotFound, *RUN_ERRORS)},
    )
    async def run(
        self,
        executions: NamedDependency[SkipValidation[Executions]],
        config_id: ConfigId,
        data: JSONBody[ConfigRunRequest | None] = None,
        skip_init_message: SkipInitMessage = False,  # noqa: FBT002
        tag: Annotated[str | None, QueryParameter(description="A unique name for the execution.")] = None,
    ) -> Response[StartedExecutionResponse]:
        """Starts every route, then sends the init message. A config with errors is answered with its report."""
        execution = await executions.start(
            config_id,
            tag=tag,
            init_payload_overrides=data.init_payload_overrides if data else None,
            skip_init_message=skip_init_message,
        )
        headers = {"location": f"/api/v1/executions/{execution.id}"}
        return Response(started_response(execution), headers=headers)


def etag(checked: CheckedConfig) -> str:
    """The entity tag of a config: its version, and whether it is out of use."""
    mark = "" if checked.config.is_active else "-inactive"
    return f'"{checked.config.version}{mark}"'
