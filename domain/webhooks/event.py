"""What subscriptions are told of: an event, as it is kept and as it is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from domain.json import Json, JsonObject
from domain.message import correlation_id
from domain.values import quickly_made

API = "/api/v1"
MAX_BODY_BYTES = 20_000
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """Something that happened, with what filters compare; ``data`` is what is told of it."""

    id: UUID
    type: str
    occurred_at: datetime
    config_id: UUID | None = None
    execution_id: UUID | None = None
    route_id: str | None = None
    adapter_name: str | None = None
    data: JsonObject = field(default_factory=dict)


def body_of(event: WebhookEvent) -> bytes:
    """What is sent: ``{"type", "timestamp", "data"}``, the same bytes whenever it is asked for, below 20 KB.

    ``data`` is that of the event with ``links`` to where there is more of it, below the server's own address.
    """
    moment = event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    data = {**event.data, **_correlation(event), "links": _links(event)}
    content = _encoded({"type": event.type, "timestamp": moment, "data": data})
    if len(content) < MAX_BODY_BYTES:
        return content
    plain = {name: value for name, value in data.items() if _is_short(value) or name == "links"}
    return _encoded({"type": event.type, "timestamp": moment, "data": {**plain, "is_shortened": True}})


def _encoded(value: JsonObject) -> bytes:
    return _JSON.encode(value).encode("utf-8", "replace")


def _is_short(value: Json) -> bool:
    return not isinstance(value, dict | list) and (not isinstance(value, str) or len(value) <= 500)


def _correlation(event: WebhookEvent) -> JsonObject:
    """The lineage key of a failed attempt, which its message, pipeline adapter and number make."""
    if "adapter_index" not in event.data:
        return {}
    message_id, index, attempt = (event.data.get(name) for name in ("message_id", "adapter_index", "attempt"))
    if isinstance(message_id, str) and isinstance(index, int) and isinstance(attempt, int):
        return {"correlation_id": str(correlation_id(UUID(message_id), index, attempt))}
    return {}


def _links(event: WebhookEvent) -> JsonObject:
    links: dict[str, Json] = {}
    if event.execution_id is not None:
        links["execution"] = f"{API}/executions/{event.execution_id}"
        links["lineage"] = f"{API}/executions/{event.execution_id}/lineage"
    key = event.data.get("key")
    if isinstance(key, str):
        links["object"] = f"{API}/storage/objects/{quote(key)}"
    message_id = event.data.get("message_id")
    if event.type == "message.dead_lettered" and isinstance(message_id, str):
        links["dead_letter"] = f"{API}/dead-letters/{message_id}"
    subscription_id = event.data.get("subscription_id")
    if isinstance(subscription_id, str):
        links["subscription"] = f"{API}/webhooks/{subscription_id}"
    return links
