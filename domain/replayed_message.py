"""The messages of a replay, made of what the parent left."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from uuid import UUID

from domain.json import Json, JsonObject
from domain.message import Message
from domain.replay import Replay
from domain.storage import StoredObject

PROVENANCE = ("origin", "url", "title", "document_id")
BATCH = "replay_batch_id"
LARGEST_DESCRIPTION = 16 * 1024
"""Characters of JSON. What a sidecar says beyond that stays in the sidecar, where a pipeline adapter can read it."""

_OF_THE_ENGINE = frozenset(
    {
        "execution_id",
        "route_id",
        "stage",
        "adapter_name",
        "message_id",
        "correlation_id",
        "created_at",
        "original_object_key",
        "source_correlation_id",
        BATCH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedMessage:
    """One message of a replay. ``key`` is the same whenever the replay is made; ``size`` is of the object, in bytes.

    ``is_lost`` when its payload was looked for and is not in storage any more.
    """

    key: str
    payload: JsonObject
    metadata: JsonObject = field(default_factory=dict)
    size: int = 0
    is_lost: bool = False


def of_object(stored: StoredObject, replay: Replay) -> ReplayedMessage:
    """The message for a stored object: its key, and what its sidecar says of where it comes from."""
    described = _description(stored)
    provenance = {name: described[name] for name in PROVENANCE if name in described}
    source = {
        "original_object_key": stored.key,
        "source_correlation_id": stored.metadata.get("correlation_id"),
    }
    return ReplayedMessage(
        key=stored.key,
        payload={**described, "object_key": stored.key},
        metadata={**provenance, **_marks(replay, source)},
        size=stored.size,
    )


def of_key(key: str, size: int, replay: Replay) -> ReplayedMessage:
    """The message for a key that somebody gave."""
    marks = _marks(replay, {"original_object_key": key})
    return ReplayedMessage(key=key, payload={"object_key": key}, metadata=marks, size=size)


def of_payload(position: int, payload: JsonObject, replay: Replay) -> ReplayedMessage:
    """The message for a payload that somebody gave, at a position among them."""
    return ReplayedMessage(key=f"payload:{position}", payload=payload, metadata=_marks(replay, {}))


def of_message(message: Message, replay: Replay, *, is_lost: bool = False) -> ReplayedMessage:
    """The message of the parent again."""
    kept = {name: value for name, value in message.metadata.items() if name not in _OF_THE_ENGINE}
    source = message.parent_correlation_id
    marks = _marks(replay, {"source_correlation_id": None if source is None else str(source)})
    return ReplayedMessage(
        key=str(message.id), payload=message.payload, metadata={**kept, **marks}, is_lost=is_lost
    )


def batch_of(metadata: JsonObject) -> UUID | None:
    """The replay batch that a message belongs to, by its metadata; None for any other message."""
    if BATCH not in metadata:
        return None
    try:
        return UUID(str(metadata[BATCH]))
    except ValueError:
        return None


def _marks(replay: Replay, source: JsonObject) -> dict[str, Json]:
    """What all messages of a replay have in their metadata: whence, and with which others."""
    known = {name: value for name, value in source.items() if value is not None}
    return {**known, "execution_id": str(replay.parent_id), BATCH: str(replay.batch_id)}


def _description(stored: StoredObject) -> JsonObject:
    described = {name: value for name, value in stored.metadata.items() if name not in _OF_THE_ENGINE}
    return described if len(json.dumps(described)) <= LARGEST_DESCRIPTION else {}
