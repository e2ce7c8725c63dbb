"""Stored objects on the wire."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from application.executions import Executions
from application.object_listing import ObjectPage, ObjectQuery
from domain.execution import ExecutionNotFound
from domain.storage import StoredObject

_OF_EXECUTION = re.compile(r"executions/(?P<id>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})/")


class ObjectResponse(Struct, frozen=True, kw_only=True):
    """A stored object; `size` is in bytes, `checksum` the hex SHA-256, `metadata` its sidecar if it was asked for."""

    key: str
    size: int
    content_type: str
    last_modified: datetime
    checksum: str | None
    metadata: dict[str, Any] | UnsetType = UNSET


class ObjectMetadataResponse(Struct, frozen=True, kw_only=True):
    """What is known of an object without reading it; `metadata` is the whole sidecar."""

    key: str
    content_type: str
    content_length: int
    checksum: str | None
    created_at: str | None
    modified_at: datetime
    correlation_id: str | None
    execution_id: str | None
    route_id: str | None
    stage: str | None
    document_id: str | None
    title: str | None
    url: str | None
    original_object_key: str | None
    metadata: dict[str, Any]


class ExecutionPrefix(Struct, frozen=True, kw_only=True):
    """A prefix that holds one execution's objects, with how that execution stands (null when it is unknown)."""

    prefix: str
    execution_id: UUID
    status: str | None
    tag: str | None


class ListObjectsResponse(Struct, frozen=True, kw_only=True):
    """A page of objects by key; with a delimiter also the prefixes in which further ones lie."""

    objects: list[ObjectResponse]
    common_prefixes: list[str]
    execution_prefixes: list[ExecutionPrefix]
    total: int
    is_total_exact: bool
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


async def execution_prefixes(page: ObjectPage, executions: Executions) -> list[ExecutionPrefix]:
    """The executions to which the page's keys belong, in the order of the keys."""
    keys = [*page.common_prefixes, *(stored.key for stored in page.objects)]
    ids = {match["id"]: UUID(match["id"]) for key in keys if (match := _OF_EXECUTION.match(key))}
    return [await _execution_prefix(execution_id, executions) for execution_id in ids.values()]


async def _execution_prefix(execution_id: UUID, executions: Executions) -> ExecutionPrefix:
    prefix = f"executions/{execution_id}/"
    try:
        execution = await executions.get(str(execution_id))
    except ExecutionNotFound:
        return ExecutionPrefix(prefix=prefix, execution_id=execution_id, status=None, tag=None)
    return ExecutionPrefix(
        prefix=prefix, execution_id=execution_id, status=execution.status.value, tag=execution.tag
    )


def list_objects_response(
    page: ObjectPage, query: ObjectQuery, *, with_metadata: bool, executions: list[ExecutionPrefix]
) -> ListObjectsResponse:
    """A page of objects as it travels."""
    return ListObjectsResponse(
        objects=[object_response(stored, with_metadata=with_metadata) for stored in page.objects],
        common_prefixes=list(page.common_prefixes),
        execution_prefixes=executions,
        total=page.total,
        is_total_exact=page.is_total_exact,
        limit=query.limit,
        offset=query.offset,
        has_more=page.has_more,
        next_cursor=page.next_cursor,
    )


def object_response(stored: StoredObject, *, with_metadata: bool) -> ObjectResponse:
    """An object as it travels in lists."""
    return ObjectResponse(
        key=stored.key,
        size=stored.size,
        content_type=stored.content_type,
        last_modified=stored.modified_at,
        checksum=stored.checksum,
        metadata=dict(stored.metadata) if with_metadata else UNSET,
    )


def object_metadata_response(stored: StoredObject) -> ObjectMetadataResponse:
    """An object's metadata as it travels."""

    def text(name: str) -> str | None:
        value = stored.metadata.get(name)
        return None if value is None else str(value)

    return ObjectMetadataResponse(
        key=stored.key,
        content_type=stored.content_type,
        content_length=stored.size,
        checksum=stored.checksum,
        created_at=text("created_at"),
        modified_at=stored.modified_at,
        correlation_id=text("correlation_id"),
        execution_id=text("execution_id"),
        route_id=text("route_id"),
        stage=text("stage"),
        document_id=text("document_id"),
        title=text("title"),
        url=text("url"),
        original_object_key=text("original_object_key"),
        metadata=dict(stored.metadata),
    )
