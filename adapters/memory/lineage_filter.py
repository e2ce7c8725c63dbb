"""Which lineage entries a query asks for."""

from __future__ import annotations

from application.ports.lineage import LineagePlace, LineageQuery
from domain.lineage import LineageEntry

_EXACT = ("execution_id", "route_id", "adapter_name", "replay_batch_id", "status")
_PARTIAL = ("url", "origin", "title")


def matches(entry: LineageEntry, query: LineageQuery) -> bool:
    """Whether the entry satisfies every restriction of the query."""
    return (
        all(getattr(query, name) in {None, getattr(entry, name)} for name in _EXACT)
        and query.is_root in {None, entry.parent_id is None}
        and query.document_id in {None, entry.metadata.get("document_id")}
        and all(_has_part(entry, name, getattr(query, name)) for name in _PARTIAL)
        and (query.started_after is None or entry.started_at > query.started_after)
        and (query.started_before is None or entry.started_at < query.started_before)
    )


def is_behind(entry: LineageEntry, place: LineagePlace, *, back: bool = False) -> bool:
    """Whether the entry comes after the place in the order of starts, or before it on the way back."""
    own, given = (entry.started_at, entry.id), (place.started_at, place.id)
    return own < given if back else own > given


def _has_part(entry: LineageEntry, name: str, part: str | None) -> bool:
    if part is None:
        return True
    value = entry.metadata.get(name)
    return isinstance(value, str) and part.lower() in value.lower()
