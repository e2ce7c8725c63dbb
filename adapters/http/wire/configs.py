"""Pipeline configs on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from adapters.http.wire.pages import page_numbers
from adapters.http.wire.reports import ValidationReportResponse, report_response
from application.config_check import CheckedConfig
from domain.pipeline_config import ConfigSource

ConfigName = Annotated[str, Meta(min_length=1, max_length=200, examples=["read a website"])]
ConfigYaml = Annotated[
    str, Meta(description="The whole pipeline config as YAML.", examples=['version: "1.0"\nroutes: {}\n'])
]


class ConfigCreateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipeline config to store. Validation errors do not keep it from being stored, only from running."""

    name: ConfigName
    config_yaml: ConfigYaml
    description: str | None = None
    source_type: ConfigSource = ConfigSource.API
    source_path: str | None = None


class ConfigUpdateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; a field that is not given, or null, stays."""

    name: ConfigName | None = None
    config_yaml: ConfigYaml | None = None
    description: str | None = None


class ConfigValidateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text to validate; nothing is stored."""

    config_yaml: ConfigYaml


class ConfigRunRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to run it: overrides are merged into the payload of the YAML's init message.

    Mappings are merged at every depth; lists, texts and numbers take the place of those that were there.
    """

    init_payload_overrides: dict[str, Any] | None = None


class PipelineConfigResponse(Struct, frozen=True, kw_only=True):
    """A stored pipeline config, with its validation as of now. `config_hash` is the hex SHA-256 of the YAML."""

    id: UUID
    name: str
    description: str | None
    source_type: str
    source_path: str | None
    config_hash: str
    version: int
    created_at: datetime
    updated_at: datetime
    is_active: bool
    validation_report: ValidationReportResponse
    is_runnable: bool


class PipelineConfigDetailResponse(PipelineConfigResponse, frozen=True, kw_only=True):
    """A stored pipeline config with its YAML."""

    config_yaml: str


class ConfigListResponse(Struct, frozen=True, kw_only=True):
    """A page of pipeline configs."""

    configs: list[PipelineConfigResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def config_response(checked: CheckedConfig) -> PipelineConfigResponse:
    """A config as it travels, without its YAML."""
    config = checked.config
    return PipelineConfigResponse(
        id=config.id,
        name=config.name,
        description=config.description,
        source_type=config.source.value,
        source_path=config.source_path,
        config_hash=config.config_hash,
        version=config.version,
        created_at=config.created_at,
        updated_at=config.updated_at,
        is_active=config.is_active,
        validation_report=report_response(checked.report),
        is_runnable=checked.is_runnable,
    )


def config_detail_response(checked: CheckedConfig) -> PipelineConfigDetailResponse:
    """A config as it travels, with its YAML."""
    summary = msgspec.structs.asdict(config_response(checked))
    return PipelineConfigDetailResponse(**summary, config_yaml=checked.config.yaml)


def config_list_response(
    page: Sequence[CheckedConfig], *, total: int, limit: int, offset: int
) -> ConfigListResponse:
    """A page of configs as it travels."""
    configs = [config_response(checked) for checked in page]
    return ConfigListResponse(
        configs=configs, **page_numbers(len(configs), total=total, limit=limit, offset=offset)
    )
