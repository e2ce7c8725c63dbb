"""The templates that come with the server, read from its own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from application.ports.config_parser import ConfigParser
from domain.identity import derived_id
from domain.templates.parameters import Parameter, ParameterType
from domain.templates.template import InvalidTemplate, Template, TemplateKind

PACKAGE = "entrypoints.templates"
SHIPPED_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""A moment that is the same on every server: they change with its version, not with time."""


def shipped_templates(parser: ConfigParser) -> Sequence[Template]:
    """Every one of them; raises InvalidTemplate for one that is not what it should be."""
    found = sorted(files(PACKAGE).iterdir(), key=lambda file: file.name)
    return [
        _template(parser.parse(file.read_text(encoding="utf-8")).value, file.name)
        for file in found
        if file.name.endswith(".yaml")
    ]


def _template(value: Any, file: str) -> Template:
    if not isinstance(value, Mapping):
        raise InvalidTemplate(f"the shipped template {file} cannot be read")
    return Template(
        id=derived_id("template", value["name"]),
        name=value["name"],
        kind=TemplateKind(value["kind"]),
        description=value["description"],
        text=value["text"],
        parameters=tuple(_parameter(one) for one in value["parameters"]),
        created_at=SHIPPED_AT,
        updated_at=SHIPPED_AT,
        is_shipped=True,
    )


def _parameter(value: Any) -> Parameter:
    return Parameter(**{**value, "type": ParameterType(value["type"])})
