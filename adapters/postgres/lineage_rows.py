"""Lineage entries as rows of the table ``lineage_entry``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from domain.json import Json, JsonObject
from domain.lineage import LineageEntry, StageStatus

COLUMNS = (
    "id, parent_id, execution_id, message_id, route_id, adapter_name, adapter_index, attempt, stage_name, status, "
    "input_hash, output_hash, started_at, completed_at, replay_batch_id, metadata, error, "
    "collected_into"
)
_NUL = b"\\u0000"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def to_json(entries: Sequence[LineageEntry]) -> str:
    """The rows as one JSON text, with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    return msgspec.json.encode([_row(entry) for entry in entries]).decode()


def _row(entry: LineageEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "parent_id": entry.parent_id,
        "execution_id": entry.execution_id,
        "message_id": entry.message_id,
        "route_id": storable(entry.route_id),
        "adapter_name": storable(entry.adapter_name),
        "adapter_index": entry.adapter_index,
        "attempt": entry.attempt,
        "stage_name": storable(entry.stage_name),
        "status": entry.status,
        "input_hash": storable(entry.input_hash),
        "output_hash": storable(entry.output_hash),
        "started_at": entry.started_at,
        "completed_at": entry.completed_at,
        "replay_batch_id": entry.replay_batch_id,
        "metadata": msgspec.Raw(storable_json(entry.metadata)),
        "error": None if entry.error is None else msgspec.Raw(storable_json(entry.error)),
        "collected_into": entry.collected_into,
    }


def to_entry(row: Sequence[Any]) -> LineageEntry:
    return LineageEntry(
        id=row[0],
        parent_id=row[1],
        execution_id=row[2],
        message_id=row[3],
        route_id=row[4],
        adapter_name=row[5],
        adapter_index=row[6],
        attempt=row[7],
        stage_name=row[8],
        status=StageStatus(row[9]),
        input_hash=row[10],
        output_hash=row[11],
        started_at=row[12],
        completed_at=row[13],
        replay_batch_id=row[14],
        metadata=row[15],
        error=row[16],
        collected_into=row[17],
    )


def storable(text: str | None) -> str | None:
    """The text without what a column of text refuses."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", _REPLACEMENT).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def storable_json(value: JsonObject) -> bytes:
    """JSON without what jsonb refuses; what is no JSON at all appears as its ``repr``."""
    try:
        encoded = msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        encoded = _NUL
    return encoded if _NUL not in encoded else _cleaned_json(value).encode()


def _cleaned_json(value: JsonObject) -> str:
    try:
        return json.dumps(_cleaned(value), allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        return json.dumps({"unstorable": str(error)})


def _cleaned(value: object) -> Json:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if -1e308 < value < 1e308 else None
    if isinstance(value, Mapping):
        return {storable(str(name)) or "": _cleaned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return storable(value if isinstance(value, str) else repr(value))
