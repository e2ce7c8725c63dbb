"""The embedding slots there are, and how the approximate index of one is walked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.postgres.database import Connection
from domain.document import DimensionMismatch
from domain.retrieval.vector_indexes import IndexKind

MIN_EF_SEARCH = 100
MAX_EF_SEARCH = 1000
DEFAULT_LISTS = 100

_ADD = """
    INSERT INTO embedding_slot (model_name, dimension) VALUES (%s, %s) ON CONFLICT (model_name) DO NOTHING
"""

_DIMENSIONS = "SELECT model_name, dimension FROM embedding_slot WHERE model_name = ANY(%s)"

_SLOT = """
    SELECT s.dimension, i.kind, i.options
    FROM embedding_slot s LEFT JOIN LATERAL (
        SELECT am.amname AS kind, c.reloptions AS options
        FROM unnest(%s::text[]) AS named (name)
        JOIN pg_index x ON x.indexrelid = to_regclass(quote_ident(named.name)) AND x.indisvalid
        JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am am ON am.oid = c.relam
        LIMIT 1
    ) AS i ON true
    WHERE s.model_name = %s
"""

# With strict order the walk goes on until the limit is met; what it gives up on is then compared exactly. Clusters
# know no strict order, and what they find is sorted afterwards.
_WALK = """
    SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', %s, true),
           set_config('ivfflat.iterative_scan', 'relaxed_order', true), set_config('ivfflat.probes', %s, true)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot with its dimension, and the kind of index that its searches can use."""

    dimension: int
    kind: IndexKind | None
    lists: int = DEFAULT_LISTS


def index_name(model_name: str, kind: IndexKind = IndexKind.HNSW) -> str:
    """The name of a slot's index; names of slots may be longer than names of indexes."""
    digest = hashlib.blake2b(model_name.encode(), digest_size=8).hexdigest()
    return f"segment_embedding_{kind.value}_{digest}"


def options_of(reloptions: Sequence[str] | None, kind: IndexKind) -> Mapping[str, int]:
    """What an index was built with."""
    usual = {"m": 16, "ef_construction": 64} if kind is IndexKind.HNSW else {"lists": DEFAULT_LISTS}
    given = dict(option.split("=", 1) for option in reloptions or ())
    return {name: int(given.get(name, value)) for name, value in usual.items()}


async def require_dimensions(connection: Connection, dimensions: Mapping[str, int]) -> None:
    """Add slots that are new; raises DimensionMismatch where a slot has another dimension."""
    for model_name in sorted(dimensions):
        await connection.execute(_ADD, (model_name, dimensions[model_name]))
    rows = await (await connection.execute(_DIMENSIONS, (list(dimensions),))).fetchall()
    for model_name, dimension in rows:
        require_dimension(model_name, dimension, dimensions[model_name])


def require_dimension(model_name: str, dimension: int, given: int) -> None:
    """Raise DimensionMismatch unless they are the same."""
    if dimension != given:
        raise DimensionMismatch(f"the slot {model_name!r} has {dimension} dimensions, the vector {given}")


async def slot(connection: Connection, model_name: str) -> Slot | None:
    """The slot; None when there is none of that name."""
    names = [index_name(model_name, kind) for kind in IndexKind]
    row = await (await connection.execute(_SLOT, (names, model_name))).fetchone()
    if row is None:
        return None
    dimension, kind, options = row
    if kind is None:
        return Slot(dimension=dimension, kind=None)
    found = IndexKind(kind)
    lists = options_of(options, found).get("lists", DEFAULT_LISTS)
    return Slot(dimension=dimension, kind=found, lists=lists)


async def prepare_walk(connection: Connection, slot: Slot, limit: int) -> None:
    """Have this transaction look about in the slot's index for as long as it takes to find so many."""
    ef_search = min(max(limit, MIN_EF_SEARCH), MAX_EF_SEARCH)
    # Twice the square root of the clusters, which finds nine in ten and more at a small share of the work.
    probes = min(slot.lists, max(10, 2 * math.isqrt(slot.lists)))
    await connection.execute(_WALK, (str(ef_search), str(probes)))
