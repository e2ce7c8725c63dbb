"""Approximate indexes over the vectors of a slot, and which a slot of its size should have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import Conflict, Invalid, NotFound

MAX_INDEXED_DIMENSION = 4_000
"""Beyond this pgvector cannot index a halfvec."""


class IndexNotFound(NotFound):
    """There is no index of that name."""

    code = "index_not_found"


class IndexExists(Conflict):
    """The slot has an index already; rebuild it, or drop it first."""

    code = "index_exists"


class UnknownIndexSlot(NotFound):
    """There is no embedding slot of that name to index."""

    code = "index_slot_unknown"


class InvalidIndex(Invalid):
    """The index cannot be built with these parameters."""

    code = "index_invalid"


class IndexBuildUnderway(Conflict):
    """An index is being built; one is built at a time."""

    code = "index_build_underway"


class IndexKind(StrEnum):
    """How neighbours are found: a graph (HNSW) or clusters (IVFFlat)."""

    HNSW = "hnsw"
    IVFFLAT = "ivfflat"


BOUNDS: Mapping[IndexKind, Mapping[str, tuple[int, int]]] = {
    IndexKind.HNSW: {"m": (2, 100), "ef_construction": (4, 1000)},
    IndexKind.IVFFLAT: {"lists": (1, 32_768)},
}
"""The parameters of each kind, with the least and the greatest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSize:
    """A slot with the number of its vectors, those of versions not yet current too."""

    model_name: str
    dimension: int
    vectors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorIndex:
    """An index over one slot. ``scans`` counts the searches that used it; one that is not usable is half built."""

    name: str
    model_name: str
    kind: IndexKind
    parameters: Mapping[str, int]
    vectors: int
    size_bytes: int
    scans: int
    is_usable: bool = True


class IndexAction(StrEnum):
    """What is to be done about a slot's index."""

    KEEP = "keep"
    CREATE = "create"
    REBUILD = "rebuild"
    UPGRADE = "upgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is to be done, with what, and why."""

    model_name: str
    action: IndexAction
    reason: str
    kind: IndexKind | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexThresholds:
    """From how many vectors a slot is worth an index, and from how many a graph is worth more than clusters."""

    index_from: int = 20_000
    graph_from: int = 100_000


def parameters_for(kind: IndexKind, given: Mapping[str, int], *, vectors: int) -> Mapping[str, int]:
    """The parameters with those left out filled in; raises InvalidIndex.

    A graph has m = 16 and ef_construction = 64. Clusters hold a thousand vectors each up to a million of them, beyond
    that there are as many as the square root of their number (pgvector's advice).
    """
    bounds = BOUNDS[kind]
    for name, value in given.items():
        if name not in bounds:
            raise InvalidIndex(f"{kind.value} has no parameter {name[:40]!r}; it has: {', '.join(bounds)}")
        least, most = bounds[name]
        if isinstance(value, bool) or not least <= value <= most:
            raise InvalidIndex(f"{name} is a whole number from {least} to {most}")
    usual = {"m": 16, "ef_construction": 64} if kind is IndexKind.HNSW else {"lists": clusters(vectors)}
    chosen = {**usual, **given}
    if kind is IndexKind.HNSW and chosen["ef_construction"] < 2 * chosen["m"]:
        raise InvalidIndex("ef_construction is at least twice m")
    return chosen


def clusters(vectors: int) -> int:
    """How many clusters so many vectors are best divided into."""
    many = vectors // 1000 if vectors <= 1_000_000 else math.isqrt(vectors)
    return min(max(many, 1), BOUNDS[IndexKind.IVFFLAT]["lists"][1])


def advice(slot: SlotSize, index: VectorIndex | None, thresholds: IndexThresholds) -> Advice:
    """What should be done about a slot.

    A new index is a graph whatever the size: it is built as fast here, and finds more. Clusters that somebody made
    are kept while they are few enough vectors, with as many of them as fit.
    """
    if index is None:
        return _for_none(slot, thresholds)
    if not index.is_usable:
        return _advice(slot, IndexAction.REBUILD, index.kind, "a build was interrupted", index.parameters)
    if index.kind is IndexKind.HNSW:
        return Advice(model_name=slot.model_name, action=IndexAction.KEEP, reason="it has a graph")
    if slot.vectors >= thresholds.graph_from:
        reason = f"from {thresholds.graph_from} vectors on a graph finds more than clusters"
        return _advice(slot, IndexAction.UPGRADE, IndexKind.HNSW, reason)
    best, lists = clusters(slot.vectors), index.parameters.get("lists", 0)
    if not best / 2 <= lists <= best * 2:
        reason = f"{lists} clusters are not right for {slot.vectors} vectors, {best} are"
        return _advice(slot, IndexAction.REBUILD, IndexKind.IVFFLAT, reason, {"lists": best})
    return Advice(model_name=slot.model_name, action=IndexAction.KEEP, reason="its clusters fit")


def _for_none(slot: SlotSize, thresholds: IndexThresholds) -> Advice:
    if slot.vectors < thresholds.index_from:
        reason = f"below {thresholds.index_from} vectors all are compared"
        return Advice(model_name=slot.model_name, action=IndexAction.KEEP, reason=reason)
    if slot.dimension > MAX_INDEXED_DIMENSION:
        reason = f"vectors of more than {MAX_INDEXED_DIMENSION} dimensions cannot be indexed"
        return Advice(model_name=slot.model_name, action=IndexAction.KEEP, reason=reason)
    reason = f"it has at least {thresholds.index_from} vectors"
    return _advice(slot, IndexAction.CREATE, IndexKind.HNSW, reason)


def _advice(
    slot: SlotSize,
    action: IndexAction,
    kind: IndexKind,
    reason: str,
    given: Mapping[str, int] | None = None,
) -> Advice:
    return Advice(
        model_name=slot.model_name,
        action=action,
        reason=reason,
        kind=kind,
        parameters=parameters_for(kind, given or {}, vectors=slot.vectors),
    )
