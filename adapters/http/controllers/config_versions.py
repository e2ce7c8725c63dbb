"""Versions of pipeline configs, their graphs, and taking one into use again."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.configs import ConfigId, etag
from adapters.http.controllers.configs import UseCase as ConfigsUseCase
from adapters.http.errors import PreconditionFailed
from adapters.http.ranges import etag_matches, expected_version
from adapters.http.wire.config_versions import (
    ConfigComparisonResponse,
    ConfigDagResponse,
    ConfigVersionListResponse,
    comparison_response,
    config_dag_response,
    version_list_response,
)
from adapters.http.wire.configs import (
    PipelineConfigDetailResponse,
    PipelineConfigResponse,
    config_detail_response,
    config_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.config_versions import ConfigVersions
from domain.findings import ConfigNotRunnable
from domain.pipeline_config import ConfigChanged, ConfigInactive, ConfigNotFound

UseCase = NamedDependency[SkipValidation[ConfigVersions]]
MOST = 10**9
Version = Annotated[int, PathParameter(ge=1, le=MOST, description="The version.")]
AnyVersion = Annotated[
    int | None, QueryParameter(ge=1, le=MOST, description="A version; the latest without.")
]
FromVersion = Annotated[
    int | None,
    QueryParameter(name="from", ge=1, le=MOST, description="The earlier version; the one before without."),
]
ToVersion = Annotated[
    int | None, QueryParameter(name="to", ge=1, le=MOST, description="The later version; the latest without.")
]
IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the version to replace.")
]
IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="ETags for which 304 will do.")
]
_YAML: dict[str, Any] = {
    "description": "The text as it was stored.",
    "content": {"application/yaml": {"example": 'version: "1.0"\nroutes: {}\n'}},
}


class ConfigVersionsController(Controller):
    path = "/api/v1/configs/{config_id:uuid}"
    tags = ("configs",)

    @post(
        "/activate",
        status_code=200,
        operation_id="activate_config",
        summary="Take a deactivated config into use again",
        opt={"errors": (ConfigNotFound, ConfigChanged)},
    )
    async def activate(
        self, config_versions: UseCase, config_id: ConfigId
    ) -> Response[PipelineConfigResponse]:
        """As it was when it was deactivated. Doing it twice is no error."""
        checked = await config_versions.activate(config_id)
        return Response(config_response(checked), headers={"etag": etag(checked)})

    @get(
        "/yaml",
        operation_id="get_config_yaml",
        summary="Read a config as YAML",
        opt={
            "errors": (ConfigNotFound,),
            "answer": _YAML,
            "answers": {"304": {"description": "It has not changed."}},
        },
    )
    async def yaml(
        self,
        configs: ConfigsUseCase,
        config_id: ConfigId,
        version: AnyVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response[bytes]:
        """The very text that was stored, as a file to edit and to send again."""
        checked = await configs.get(config_id, version)
        headers = {"etag": etag(checked)}
        if etag_matches(if_none_match, headers["etag"]):
            return Response(b"", status_code=304, headers=headers)
        headers["content-disposition"] = f'attachment; filename="{config_id}.yaml"'
        return Response(checked.config.yaml.encode(), media_type="application/yaml", headers=headers)

    @get(
        "/dag",
        operation_id="get_config_dag",
        summary="Read a config's graph",
        opt={"errors": (ConfigNotFound, ConfigNotRunnable)},
    )
    async def dag(
        self, config_versions: UseCase, config_id: ConfigId, version: AnyVersion = None
    ) -> ConfigDagResponse:
        """Routes as nodes, queues as edges. A config with errors is answered with its report."""
        return config_dag_response(*await config_versions.pipeline(config_id, version))

    @get(
        "/versions",
        operation_id="list_config_versions",
        summary="List a config's versions",
        opt={"errors": (ConfigNotFound,)},
    )
    async def list_all(
        self, config_versions: UseCase, config_id: ConfigId, limit: Limit = 100, offset: Offset = 0
    ) -> ConfigVersionListResponse:
        """The latest first, each with its hash; every version is kept."""
        page, total = await config_versions.list(config_id, limit=limit, offset=offset)
        return version_list_response(config_id, page, total=total, limit=limit, offset=offset)

    @get(
        "/versions/compare",
        operation_id="compare_config_versions",
        summary="Compare two versions of a config",
        opt={"errors": (ConfigNotFound,)},
    )
    async def compare(
        self,
        config_versions: UseCase,
        config_id: ConfigId,
        from_version: FromVersion = None,
        to_version: ToVersion = None,
    ) -> ConfigComparisonResponse:
        """Which fields differ, and the YAML line by line."""
        return comparison_response(await config_versions.compare(config_id, from_version, to_version))

    @get(
        "/versions/{version:int}",
        operation_id="get_config_version",
        summary="Read one version of a config",
        opt={"errors": (ConfigNotFound,)},
    )
    async def read(
        self, configs: ConfigsUseCase, config_id: ConfigId, version: Version
    ) -> Response[PipelineConfigDetailResponse]:
        """With its YAML, validated against the pipeline adapters there are now."""
        checked = await configs.get(config_id, version)
        return Response(config_detail_response(checked), headers={"etag": etag(checked)})

    @post(
        "/versions/{version:int}/restore",
        status_code=200,
        operation_id="restore_config_version",
        summary="Restore a version of a config",
        opt={"errors": (ConfigNotFound, ConfigInactive, ConfigChanged, PreconditionFailed)},
    )
    async def restore(
        self, config_versions: UseCase, config_id: ConfigId, version: Version, if_match: IfMatch = None
    ) -> Response[PipelineConfigResponse]:
        """Stores the next version, which says what that one said; nothing in between is lost."""
        expected = expected_version(if_match)
        try:
            checked = await config_versions.restore(config_id, version, expected_version=expected)
        except ConfigChanged as error:
            if expected is None:
                raise
            raise PreconditionFailed(f"version {expected} is not the latest") from error
        return Response(config_response(checked), headers={"etag": etag(checked)})
