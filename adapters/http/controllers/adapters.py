"""The catalogue of pipeline adapters."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, SkipValidation

from adapters.http.wire.adapters import (
    AdapterConfigRequest,
    AdapterListResponse,
    AdapterResponse,
    adapter_list_response,
    adapter_response,
)
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.reports import ValidationReportResponse, report_response
from application.adapter_configs import AdapterConfigs
from application.pipeline_adapters import Catalogue
from domain.findings import UnknownPipelineAdapter

UseCase = NamedDependency[SkipValidation[Catalogue]]
ConfigsUseCase = NamedDependency[SkipValidation[AdapterConfigs]]
AdapterType = Annotated[str, PathParameter(description="The name under which YAML has it.")]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEMA: dict[str, Any] = {
    "description": "A JSON Schema.",
    "content": {
        "application/schema+json": {
            "schema": {"type": "object"},
            "example": {"$schema": DIALECT, "type": "object", "properties": {}},
        }
    },
}
_EXAMPLE: dict[str, Any] = {
    "description": "A pipeline config.",
    "content": {"application/yaml": {"example": 'version: "1.0"\nroutes: {}\n'}},
}


class AdaptersController(Controller):
    path = "/api/v1/adapters"
    tags = ("adapters",)

    @get(
        operation_id="list_adapters",
        summary="List what a route's `adapters` may name",
        opt={"unchanging": True},
    )
    async def list_all(
        self, catalogue: UseCase, limit: Limit = 100, offset: Offset = 0
    ) -> AdapterListResponse:
        """Those that come with the server and those of installed packages, by type, each with its config's schema."""
        page, total = await catalogue.list(limit=limit, offset=offset)
        unusable = await catalogue.unusable()
        return adapter_list_response(page, unusable, total=total, limit=limit, offset=offset)

    @get(
        "/{adapter_type:str}",
        operation_id="get_adapter",
        summary="Describe one pipeline adapter",
        opt={"errors": (UnknownPipelineAdapter,)},
    )
    async def read(self, catalogue: UseCase, adapter_type: AdapterType) -> AdapterResponse:
        """Its version, the package that it came with, and the JSON Schema of its config."""
        return adapter_response(await catalogue.get(adapter_type))

    @get(
        "/{adapter_type:str}/schema",
        operation_id="get_adapter_schema",
        summary="Read the JSON Schema of a pipeline adapter's config",
        opt={"errors": (UnknownPipelineAdapter,), "answer": _SCHEMA},
    )
    async def schema(self, catalogue: UseCase, adapter_type: AdapterType) -> Response[bytes]:
        """By itself, for an editor or a validator, which must ask for a file of nothing else."""
        described = await catalogue.get(adapter_type)
        schema = {
            "$schema": DIALECT,
            **described.config_schema,
            "title": described.type,
            "description": described.description,
        }
        return Response(msgspec.json.encode(schema), media_type="application/schema+json")

    @get(
        "/{adapter_type:str}/example",
        operation_id="get_adapter_example",
        summary="Read a pipeline that shows one pipeline adapter",
        opt={"errors": (UnknownPipelineAdapter,), "answer": _EXAMPLE},
    )
    async def example(self, adapter_configs: ConfigsUseCase, adapter_type: AdapterType) -> Response[bytes]:
        """A small config to edit and to store, with every field of the pipeline adapter's own config.

        What must be filled in first, if anything, is told in comments on top.
        """
        text = await adapter_configs.example(adapter_type)
        return Response(text.encode(), media_type="application/yaml")

    @post(
        "/{adapter_type:str}/validate",
        status_code=200,
        operation_id="validate_adapter_config",
        summary="Validate the config of one pipeline adapter",
        opt={"errors": (UnknownPipelineAdapter,)},
    )
    async def validate(
        self, adapter_configs: ConfigsUseCase, adapter_type: AdapterType, data: JSONBody[AdapterConfigRequest]
    ) -> ValidationReportResponse:
        """Everything wrong with it, as the validation of a whole pipeline would say; paths are relative to it."""
        return report_response(await adapter_configs.validate(adapter_type, data.config))
