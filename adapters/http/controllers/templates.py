"""Templates of pipeline configs and of prompts."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.controllers.configs import etag as config_etag
from adapters.http.errors import PreconditionFailed
from adapters.http.ranges import expected_version
from adapters.http.wire.configs import PipelineConfigResponse, config_response
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.templates import (
    TemplateConfigRequest,
    TemplateCreateRequest,
    TemplateListResponse,
    TemplateRenderRequest,
    TemplateRenderResponse,
    TemplateResponse,
    TemplateUpdateRequest,
    parameters_of,
    render_response,
    template_list_response,
    template_response,
)
from application.templates import TemplateCatalogue
from domain.findings import UnparseableConfig
from domain.pipeline_config import InvalidConfigName, InvalidConfigText
from domain.templates.parameters import InvalidParameter, InvalidValues
from domain.templates.template import (
    InvalidTemplate,
    Template,
    TemplateChanged,
    TemplateKind,
    TemplateNameTaken,
    TemplateNotFound,
    TemplateShipped,
)

UseCase = NamedDependency[SkipValidation[TemplateCatalogue]]
Name = Annotated[str, PathParameter(description="The template's id or name.")]
IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the version meant.")
]
KindQuery = Annotated[TemplateKind | None, QueryParameter(description="Only of this kind.")]


class TemplatesController(Controller):
    path = "/api/v1/templates"
    tags = ("templates",)

    @get(operation_id="list_templates", summary="List templates")
    async def list_all(
        self, templates: UseCase, kind: KindQuery = None, limit: Limit = 100, offset: Offset = 0
    ) -> TemplateListResponse:
        """Those that come with the server, then those that were stored, each by name."""
        page, total = await templates.list(kind=kind, limit=limit, offset=offset)
        return template_list_response(page, total=total, limit=limit, offset=offset)

    @post(
        operation_id="create_template",
        summary="Store a template",
        opt={"errors": (InvalidTemplate, InvalidParameter, TemplateNameTaken)},
    )
    async def create(
        self, templates: UseCase, data: JSONBody[TemplateCreateRequest]
    ) -> Response[TemplateResponse]:
        """Places and parameters must fit each other; in a pipeline every place stands for a whole value."""
        template = await templates.create(
            name=data.name,
            kind=TemplateKind(data.kind),
            text=data.text,
            description=data.description,
            parameters=parameters_of(data.parameters),
        )
        location = f"{self.path}/{template.name}"
        return Response(template_response(template), headers={"etag": _etag(template), "location": location})

    @get(
        "/{template:str}",
        operation_id="get_template",
        summary="Read a template",
        opt={"errors": (TemplateNotFound,)},
    )
    async def read(self, templates: UseCase, template: Name) -> Response[TemplateResponse]:
        """Its text and its parameters."""
        found = await templates.get(template)
        return Response(template_response(found), headers={"etag": _etag(found)})

    @put(
        "/{template:str}",
        operation_id="update_template",
        summary="Change a template",
        opt={
            "errors": (
                TemplateNotFound,
                TemplateShipped,
                TemplateChanged,
                PreconditionFailed,
                InvalidTemplate,
                InvalidParameter,
            )
        },
    )
    async def update(
        self,
        templates: UseCase,
        template: Name,
        data: JSONBody[TemplateUpdateRequest],
        if_match: IfMatch = None,
    ) -> Response[TemplateResponse]:
        """What is not given stays; configs made of it stay as they are."""
        version = expected_version(if_match)
        try:
            changed = await templates.update(
                template,
                text=data.text,
                description=data.description,
                parameters=None if data.parameters is None else parameters_of(data.parameters),
                expected_version=version,
            )
        except TemplateChanged as error:
            raise _failed(error, version) from error
        return Response(template_response(changed), headers={"etag": _etag(changed)})

    @delete(
        "/{template:str}",
        operation_id="delete_template",
        summary="Delete a template",
        opt={"errors": (TemplateNotFound, TemplateShipped, TemplateChanged, PreconditionFailed)},
    )
    async def remove(self, templates: UseCase, template: Name, if_match: IfMatch = None) -> None:
        """Configs made of it stay."""
        version = expected_version(if_match)
        try:
            await templates.delete(template, expected_version=version)
        except TemplateChanged as error:
            raise _failed(error, version) from error

    @post(
        "/{template:str}/render",
        status_code=200,
        operation_id="render_template",
        summary="Render a template",
        opt={"errors": (TemplateNotFound, InvalidValues)},
    )
    async def render(
        self, templates: UseCase, template: Name, data: JSONBody[TemplateRenderRequest]
    ) -> TemplateRenderResponse:
        """The text with values in its places; a pipeline's with its validation. Nothing is stored."""
        return render_response(await templates.render(template, data.parameters))

    @post(
        "/{template:str}/config",
        operation_id="create_config_from_template",
        summary="Store a pipeline config made from a template",
        opt={
            "errors": (
                TemplateNotFound,
                InvalidValues,
                InvalidTemplate,
                UnparseableConfig,
                InvalidConfigName,
                InvalidConfigText,
            )
        },
    )
    async def config(
        self, templates: UseCase, template: Name, data: JSONBody[TemplateConfigRequest]
    ) -> Response[PipelineConfigResponse]:
        """A config like any other from then on; later changes of the template do not touch it."""
        checked = await templates.create_config(
            template, data.parameters, config_name=data.name, description=data.description
        )
        headers = {"etag": config_etag(checked), "location": f"/api/v1/configs/{checked.config.id}"}
        return Response(config_response(checked), headers=headers)


def _etag(template: Template) -> str:
    return f'"{template.version}"'


def _failed(error: TemplateChanged, version: int | None) -> TemplateChanged | PreconditionFailed:
    return error if version is None else PreconditionFailed(f"version {version} is not the latest")
