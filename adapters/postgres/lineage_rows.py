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
    "input_hash, output_hash, started_at, completed_at, replay_batch_id, metadata, error"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def to_row(entry: LineageEntry) -> tuple[Any, ...]:
    """The row, with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    return (
        entry.id,
        entry.parent_id,
        entry.execution_id,
        entry.message_id,
        storable(entry.route_id),
        storable(entry.adapter_name),
        entry.adapter_index,
        entry.attempt,
        storable(entry.stage_name),
        entry.status.value,
        storable(entry.input_hash),
        storable(entry.output_hash),
        entry.started_at,
        entry.completed_at,
        entry.replay_batch_id,
        storable_json(entry.metadata),
        None if entry.error is None else storable_json(entry.error),
    )


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
    )


def storable(text: str | None) -> str | None:
    """The text without what a column of text refuses."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", _REPLACEMENT).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def storable_json(value: JsonObject) -> str:
    """JSON text without what jsonb refuses; what is no JSON at all appears as its ``repr``."""
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        text = "\\u0000"
    return text if "\\u0000" not in text else _cleaned_json(value)


def _cleaned_json(value: JsonObject) -> str:
    try:
        return json.dumps(_cleaned(value), allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps({"unstorable": storable(repr(value)[:1000])}, ensure_ascii=False)


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
