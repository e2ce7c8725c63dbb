"""Counts what a selection means."""

from __future__ import annotations

from dataclasses import dataclass

from application.ports.object_storage import ObjectStorage
from domain.archive import ObjectSelection

COUNTED_AT_ONCE = 10_000
COUNTED_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCount:
    """How many objects there are and how many bytes they hold, both lower bounds unless exact."""

    objects: int
    size: int
    is_exact: bool


async def count(storage: ObjectStorage, selection: ObjectSelection, *, most: int) -> ObjectCount:
    """Count what is selected, up to so many objects."""
    objects = size = 0
    async for stored in storage.list(selection.prefix):
        if selection.has(stored.key):
            if objects == most:
                return ObjectCount(objects=objects, size=size, is_exact=False)
            objects += 1
            size += stored.size
    return ObjectCount(objects=objects, size=size, is_exact=True)
