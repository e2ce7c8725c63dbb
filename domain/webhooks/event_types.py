"""The types of events: what each tells, as a JSON schema of its ``data``, with an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.json import Json, JsonObject

TEST = "webhook.test"
DISABLED = "webhook.disabled"
FAILING = "webhook.failing"
OBJECT_CREATED = "storage.object_created"

_EXECUTION = "01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55"
_CONFIG = "01890a5d-ac96-774b-bcce-b302099a8057"
_MESSAGE = "9f86d081-884c-8d65-9a2f-eaa0c55ad015"
_SUBSCRIPTION = "01890a60-77aa-7c55-8d5e-02b7ab1f7d21"
_MOMENT = "2026-01-31T12:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of event: ``schema`` describes its whole body, and ``example`` is one."""

    name: str
    description: str
    schema: JsonObject
    example: JsonObject


_ID: JsonObject = {"type": "string", "format": "uuid"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_TEXT: JsonObject = {"type": "string"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}


def _or_null(schema: JsonObject) -> JsonObject:
    return {"anyOf": [schema, {"type": "null"}]}


_RUN: Mapping[str, tuple[JsonObject, Json]] = {
    "execution_id": (_ID, _EXECUTION),
    "config_id": (_ID, _CONFIG),
    "status": (_TEXT, "completed"),
    "generation": (_COUNT, 1),
    "tag": (_or_null(_TEXT), "nightly-2026-01-31"),
    "parent_execution_id": (_or_null(_ID), None),
    "started_at": (_TIME, _MOMENT),
    "completed_at": (_or_null(_TIME), "2026-01-31T12:00:42Z"),
    "counts": (
        {"type": "object", "additionalProperties": _COUNT},
        {"outstanding": 0, "done": 41, "skipped": 1, "dead": 0, "cancelled": 0},
    ),
    "error": (_or_null({"type": "object"}), None),
}

_FAILED: Mapping[str, tuple[JsonObject, Json]] = {
    "message_id": (_ID, _MESSAGE),
    "execution_id": (_ID, _EXECUTION),
    "config_id": (_ID, _CONFIG),
    "route_id": (_TEXT, "read"),
    "adapter_name": (_or_null(_TEXT), "document_reader"),
    "adapter_index": (_or_null(_COUNT), 0),
    "stage_name": (_or_null(_TEXT), "markdown"),
    "attempt": (_COUNT, 4),
    "retries": (_COUNT, 3),
    "correlation_id": (_ID, "1c2b88e4-5b6f-8a5e-8c55-0d6a5a1f0b11"),
    "error": (
        {"type": "object", "properties": {"code": _TEXT, "message": _TEXT, "type": _TEXT}},
        {"code": "document_unreadable", "message": "the file is no PDF", "type": "DocumentUnreadable"},
    ),
}

_OBJECT: Mapping[str, tuple[JsonObject, Json]] = {
    "key": (_TEXT, f"executions/{_EXECUTION}/read/markdown/{_MESSAGE}.md"),
    "size": (_COUNT, 18_230),
    "content_type": (_TEXT, "text/markdown"),
    "checksum": (_or_null(_TEXT), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    "modified_at": (_TIME, _MOMENT),
    "execution_id": (_or_null(_ID), _EXECUTION),
    "config_id": (_or_null(_ID), _CONFIG),
    "route_id": (_or_null(_TEXT), "read"),
    "stage_name": (_or_null(_TEXT), "markdown"),
    "message_id": (_or_null(_ID), _MESSAGE),
    "adapter_name": (_or_null(_TEXT), "document_reader"),
    "correlation_id": (_or_null(_ID), "1c2b88e4-5b6f-8a5e-8c55-0d6a5a1f0b11"),
}

_ENDPOINT: Mapping[str, tuple[JsonObject, Json]] = {
    "subscription_id": (_ID, _SUBSCRIPTION),
    "url": (_TEXT, "https://example.org/hooks"),
    "reason": (_TEXT, "every attempt has failed for 5 days"),
    "failing_since": (_or_null(_TIME), "2026-01-26T12:00:00Z"),
}

_WITHOUT_CORRELATION = frozenset({"correlation_id"})


def _type(
    name: str,
    description: str,
    members: Mapping[str, tuple[JsonObject, Json]],
    *,
    optional: frozenset[str] = frozenset(),
    **changed: Json,
) -> EventType:
    data = {key: changed.get(key, example) for key, (_, example) in members.items()}
    links: JsonObject = {"type": "object", "additionalProperties": _TEXT}
    properties = {key: schema for key, (schema, _) in members.items()} | {"links": links}
    schema: JsonObject = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": name},
            "timestamp": _TIME,
            "data": {
                "type": "object",
                "properties": properties,
                "required": [key for key in properties if key not in optional],
            },
        },
    }
    example: JsonObject = {
        "type": name,
        "timestamp": _MOMENT,
        "data": {**data, "links": _example_links(data)},
    }
    return EventType(name=name, description=description, schema=schema, example=example)


def _example_links(data: Mapping[str, Json]) -> JsonObject:
    if "execution_id" in data:
        place = f"/api/v1/executions/{_EXECUTION}"
        links: JsonObject = {"execution": place, "lineage": f"{place}/lineage"}
        if isinstance(data.get("key"), str):
            return {**links, "object": f"/api/v1/storage/objects/{data['key']}"}
        return links
    return {"subscription": f"/api/v1/webhooks/{_SUBSCRIPTION}"}


EVENT_TYPES: Mapping[str, EventType] = {
    one.name: one
    for one in (
        _type(
            "execution.started",
            "An execution has begun, or runs again because dead letters were redriven.",
            _RUN,
            status="running",
            completed_at=None,
        ),
        _type("execution.completed", "Every message of an execution is settled.", _RUN),
        _type(
            "execution.failed",
            "An execution cannot go on, or has too many dead letters.",
            _RUN,
            status="failed",
            error={"code": "too_many_dead_letters", "message": "11 messages are dead"},
        ),
        _type("execution.cancelled", "An execution was cancelled.", _RUN, status="cancelled"),
        _type(
            "execution.interrupted",
            "The servers and workers that ran an execution went away; it is taken up again when one comes.",
            _RUN,
            status="interrupted",
            completed_at=None,
        ),
        _type(
            OBJECT_CREATED,
            "A pipeline adapter has kept an object in storage, told when its message's attempt is settled; or somebody has uploaded one, which has no execution.",
            _OBJECT,
        ),
        _type(
            "message.dead_lettered",
            "No attempt could process a message: it is kept as a dead letter.",
            _FAILED,
            optional=_WITHOUT_CORRELATION,
        ),
        _type(
            "lineage.failed",
            "A pipeline adapter failed at a message, which may be tried again.",
            _FAILED,
            optional=_WITHOUT_CORRELATION,
            attempt=1,
            retries=0,
        ),
        _type(
            FAILING,
            "A subscription's endpoint has failed for long and will be disabled if that goes on.",
            _ENDPOINT,
            reason="every attempt has failed for 60 hours",
        ),
        _type(DISABLED, "A subscription was disabled, by hand or because its endpoint failed.", _ENDPOINT),
        _type(
            TEST,
            "Somebody asked for a test; a subscription gets it without asking for the type.",
            _ENDPOINT,
            reason="a test",
            failing_since=None,
        ),
    )
}
"""Every type by its name."""
