"""Lineage entries in the binary form of COPY (PostgreSQL's manual, COPY, "Binary Format")."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct

from adapters.postgres.lineage_rows import storable, storable_json
from domain.json import JsonObject
from domain.lineage import LineageEntry, StageStatus

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_FIELDS = (18).to_bytes(2, "big")
_NULL = b"\xff\xff\xff\xff"
_UUID = (16).to_bytes(4, "big")
_JSONB_VERSION = b"\1"
_LENGTH = Struct(">i").pack
_TWO_INTEGERS = Struct(">iiii").pack
_MOMENT = Struct(">iq").pack
_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_copy(entries: Iterable[LineageEntry]) -> bytes:
    """Rows of ``lineage_rows.COLUMNS``, without header and trailer.

    What PostgreSQL cannot hold in a text is replaced; an entry with a value of another type than it declares raises
    whatever comes of it.
    """
    return b"".join(map(_row, entries))


def _row(entry: LineageEntry) -> bytes:
    parent, batch, ended = entry.parent_id, entry.replay_batch_id, entry.completed_at
    into = entry.collected_into
    # One expression: this runs for every entry, and each name or call more would show.
    return b"".join(
        (
            _FIELDS,
            _UUID,
            entry.id.int.to_bytes(16, "big"),
            _NULL if parent is None else _UUID + parent.int.to_bytes(16, "big"),
            _UUID,
            entry.execution_id.int.to_bytes(16, "big"),
            _UUID,
            entry.message_id.int.to_bytes(16, "big"),
            _name(entry.route_id),
            _name(entry.adapter_name),
            _TWO_INTEGERS(4, entry.adapter_index, 4, entry.attempt),
            _name(entry.stage_name),
            _COMPLETED if entry.status is StageStatus.COMPLETED else _name(entry.status.value),
            _text(entry.input_hash),
            _text(entry.output_hash),
            _MOMENT(8, (entry.started_at - _POSTGRES_EPOCH) // _MICROSECOND),
            _NULL if ended is None else _MOMENT(8, (ended - _POSTGRES_EPOCH) // _MICROSECOND),
            _NULL if batch is None else _UUID + batch.int.to_bytes(16, "big"),
            _jsonb(entry.metadata),
            _NULL if entry.error is None else _jsonb(entry.error),
            _NULL if into is None else _UUID + into.int.to_bytes(16, "big"),
        )
    )


def _text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    encoded = text.encode() if text.isascii() and "\0" not in text else (storable(text) or "").encode()
    return _LENGTH(len(encoded)) + encoded


# The names of routes, pipeline adapters and stages, which come again and again.
_name = lru_cache(maxsize=4096)(_text)
_COMPLETED = _text(StageStatus.COMPLETED.value)


def _jsonb(value: JsonObject) -> bytes:
    encoded = storable_json(value)
    return _LENGTH(len(encoded) + 1) + _JSONB_VERSION + encoded
