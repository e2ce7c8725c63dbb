"""Stored objects on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.storage import StoredObject


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
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


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
