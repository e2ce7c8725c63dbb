"""Versions of pipeline configs on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.monitoring import DagEdge, DagNode, graph_of
from adapters.http.wire.pages import page_numbers
from domain.config_comparison import ConfigComparison
from domain.pipeline import Pipeline
from domain.pipeline_config import PipelineConfig


class ConfigVersionResponse(Struct, frozen=True, kw_only=True):
    """One version of a config; `created_at` is when the version was stored."""

    config_id: UUID
    version: int
    name: str
    description: str | None
    source_type: str
    source_path: str | None
    config_hash: str
    created_at: datetime
    is_latest: bool


class ConfigVersionListResponse(Struct, frozen=True, kw_only=True):
    """A page of a config's versions, the latest first."""

    config_id: UUID
    versions: list[ConfigVersionResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class ConfigComparisonResponse(Struct, frozen=True, kw_only=True):
    """What changed between two versions. `diff` is a unified diff of the YAML, empty when it is the same."""

    config_id: UUID
    from_version: int
    to_version: int
    is_same: bool
    changed_fields: Annotated[list[str], Meta(examples=[["config_yaml"]])]
    lines_added: int
    lines_removed: int
    diff: Annotated[str, Meta(examples=["--- version 1\n+++ version 2\n@@ -1 +1 @@\n-a: 1\n+a: 2\n"])]


class ConfigDagResponse(Struct, frozen=True, kw_only=True):
    """A config's pipeline as a graph; `init_queue` is where the first message goes."""

    config_id: UUID
    version: int
    init_queue: str | None
    nodes: list[DagNode]
    edges: list[DagEdge]


def version_list_response(
    config_id: UUID, page: Sequence[PipelineConfig], *, total: int, limit: int, offset: int
) -> ConfigVersionListResponse:
    """A page of versions as it travels."""
    numbers = page_numbers(len(page), total=total, limit=limit, offset=offset)
    versions = [_version_response(config, is_latest=config.version == total) for config in page]
    return ConfigVersionListResponse(config_id=config_id, versions=versions, **numbers)


def _version_response(config: PipelineConfig, *, is_latest: bool) -> ConfigVersionResponse:
    return ConfigVersionResponse(
        config_id=config.id,
        version=config.version,
        name=config.name,
        description=config.description,
        source_type=config.source.value,
        source_path=config.source_path,
        config_hash=config.config_hash,
        created_at=config.updated_at,
        is_latest=is_latest,
    )


def comparison_response(comparison: ConfigComparison) -> ConfigComparisonResponse:
    """A comparison as it travels."""
    return ConfigComparisonResponse(
        config_id=comparison.after.id,
        from_version=comparison.before.version,
        to_version=comparison.after.version,
        is_same=not comparison.changed,
        changed_fields=list(comparison.changed),
        lines_added=comparison.added,
        lines_removed=comparison.removed,
        diff="".join(line + "\n" for line in comparison.lines),
    )


def config_dag_response(config: PipelineConfig, pipeline: Pipeline) -> ConfigDagResponse:
    """A config's graph as it travels."""
    init_queue, nodes, edges = graph_of(pipeline)
    return ConfigDagResponse(
        config_id=config.id, version=config.version, init_queue=init_queue, nodes=nodes, edges=edges
    )
