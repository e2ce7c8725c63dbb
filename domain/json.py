"""The shape of values that travel as JSON: payloads, metadata, snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


def merged(base: JsonObject, changes: JsonObject) -> JsonObject:
    """The base with the changes in it: where both have a mapping these are merged, and any other value is replaced."""
    result = dict(base)
    for name, value in changes.items():
        before = result.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[name] = merged(before, value)
        else:
            result[name] = value
    return result
