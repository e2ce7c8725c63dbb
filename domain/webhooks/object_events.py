"""What is told of objects that have come into storage."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.identity import derived_id
from domain.json import JsonObject
from domain.storage import StageObject, StoredObject
from domain.webhooks.event import WebhookEvent
from domain.webhooks.event_types import OBJECT_CREATED


def stage_object_created(kept: StageObject, *, at: datetime) -> WebhookEvent:
    """Of an object that a stage has kept: the same id for the same key, whichever attempt tells of it.

    Which config the execution is of is for the store to say.
    """
    return WebhookEvent(
        id=derived_id(OBJECT_CREATED, kept.stored.key),
        type=OBJECT_CREATED,
        occurred_at=at,
        execution_id=kept.execution_id,
        route_id=kept.route_id,
        adapter_name=kept.adapter_name,
        data={
            **_described(kept.stored),
            "execution_id": str(kept.execution_id),
            "config_id": None,
            "route_id": kept.route_id,
            "stage_name": kept.stage,
            "message_id": str(kept.message_id),
            "adapter_name": kept.adapter_name,
            "correlation_id": str(kept.correlation_id),
        },
    )


def uploaded_object_created(stored: StoredObject, upload_id: UUID, *, at: datetime) -> WebhookEvent:
    """Of an object that somebody has uploaded: the same id for the same upload."""
    unknown = (
        "execution_id", "config_id", "route_id", "stage_name", "message_id", "adapter_name", "correlation_id",
    )  # fmt: skip
    return WebhookEvent(
        id=derived_id(OBJECT_CREATED, upload_id),
        type=OBJECT_CREATED,
        occurred_at=at,
        data={**_described(stored), **dict.fromkeys(unknown)},
    )


def _described(stored: StoredObject) -> JsonObject:
    return {
        "key": stored.key,
        "size": stored.size,
        "content_type": stored.content_type,
        "checksum": stored.checksum,
        "modified_at": stored.modified_at.isoformat().replace("+00:00", "Z"),
    }
