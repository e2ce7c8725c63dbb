"""Templates on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.configs import ConfigName
from adapters.http.wire.pages import page_numbers
from adapters.http.wire.reports import ValidationReportResponse, report_response
from application.templates import Rendered
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.template import Template

Kind = Annotated[Literal["pipeline", "prompt"], Meta(examples=["prompt"])]
TemplateName = Annotated[
    str, Meta(min_length=1, max_length=100, examples=["summary"], description="a-z, 0-9 and hyphens within.")
]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200_000,
        examples=["Summarise in {{ sentences }} sentences."],
        description="With a place `{{ name }}` for each parameter.",
    ),
]
Description = Annotated[str, Meta(max_length=2000)]
Values = Annotated[dict[str, Any], Meta(examples=[{"sentences": 3}])]


class TemplateParameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter: without a value it is its `default`. `choices` are all the values that it may have."""

    name: Annotated[str, Meta(min_length=1, max_length=64, examples=["sentences"])]
    type: Annotated[Literal["string", "integer", "number", "boolean", "list"], Meta(examples=["integer"])] = (
        "string"
    )
    description: Annotated[str, Meta(max_length=500)] = ""
    is_required: Annotated[bool, Meta(examples=[False])] = False
    default: Annotated[Any, Meta(examples=[5])] = None
    choices: Annotated[list[Any], Meta(max_length=100, examples=[[]])] = []


class TemplateCreateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template to store. In a pipeline's text every place stands for a whole value; values are escaped there."""

    name: TemplateName
    kind: Kind = "pipeline"
    text: Text
    description: Description = ""
    parameters: Annotated[list[TemplateParameter], Meta(max_length=100)] = []


class TemplateUpdateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; a field that is not given, or null, stays. Name and kind stay."""

    text: Text | None = None
    description: Description | None = None
    parameters: Annotated[list[TemplateParameter], Meta(max_length=100)] | None = None


class TemplateRenderRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values of parameters; those left out have their defaults."""

    parameters: Values = {}


class TemplateConfigRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values of parameters, and the name of the config to make."""

    name: ConfigName
    description: str | None = None
    parameters: Annotated[dict[str, Any], Meta(examples=[{"folder": "/srv/docs"}])] = {}


class TemplateResponse(Struct, frozen=True, kw_only=True):
    """A template; one that `is_shipped` comes with the server and is not changed."""

    id: UUID
    name: TemplateName
    kind: Kind
    description: str
    text: Text
    parameters: list[TemplateParameter]
    version: int
    is_shipped: bool
    created_at: datetime
    updated_at: datetime


class TemplateListResponse(Struct, frozen=True, kw_only=True):
    """A page of templates, the shipped ones first."""

    templates: list[TemplateResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class TemplateRenderResponse(Struct, frozen=True, kw_only=True):
    """The text with the values in their places; `validation_report` is null for a prompt."""

    template: TemplateName
    kind: Kind
    text: Annotated[str, Meta(examples=["Summarise in 3 sentences."])]
    validation_report: ValidationReportResponse | None


def parameters_of(given: Sequence[TemplateParameter]) -> Sequence[Parameter]:
    """The parameters as the domain knows them; raises InvalidParameter."""
    return tuple(
        Parameter(
            name=one.name,
            type=ParameterType(one.type),
            description=one.description,
            is_required=one.is_required,
            default=one.default,
            choices=tuple(one.choices),
        )
        for one in given
    )


def template_response(template: Template) -> TemplateResponse:
    """A template as it travels."""
    return TemplateResponse(
        id=template.id,
        name=template.name,
        kind=template.kind.value,
        description=template.description,
        text=template.text,
        parameters=[_parameter(one) for one in template.parameters],
        version=template.version,
        is_shipped=template.is_shipped,
        created_at=template.created_at,
        updated_at=template.updated_at,
    )


def template_list_response(
    page: Sequence[Template], *, total: int, limit: int, offset: int
) -> TemplateListResponse:
    """A page of templates as it travels."""
    numbers = page_numbers(len(page), total=total, limit=limit, offset=offset)
    return TemplateListResponse(templates=[template_response(one) for one in page], **numbers)


def render_response(made: Rendered) -> TemplateRenderResponse:
    """A rendered template as it travels."""
    return TemplateRenderResponse(
        template=made.template.name,
        kind=made.template.kind.value,
        text=made.text,
        validation_report=None if made.report is None else report_response(made.report),
    )


def _parameter(parameter: Parameter) -> TemplateParameter:
    return TemplateParameter(
        name=parameter.name,
        type=parameter.type.value,
        description=parameter.description,
        is_required=parameter.is_required,
        default=parameter.default,
        choices=list(parameter.choices),
    )
