"""The catalogue of pipeline adapters."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, SkipValidation

from adapters.http.wire.adapters import (
    AdapterListResponse,
    AdapterResponse,
    adapter_list_response,
    adapter_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.pipeline_adapters import Catalogue
from domain.findings import UnknownPipelineAdapter

UseCase = NamedDependency[SkipValidation[Catalogue]]
AdapterType = Annotated[str, PathParameter(description="The name under which YAML has it.")]


class AdaptersController(Controller):
    path = "/api/v1/adapters"
    tags = ("adapters",)

    @get(operation_id="list_adapters", summary="List what a route's `adapters` may name")
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
