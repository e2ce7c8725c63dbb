"""The embedding slots there are, and how the approximate index of one is walked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from psycopg import AsyncCursor

from adapters.postgres.database import Connection
from application.ports.segment_index import LEAST_LOOK
from domain.document import DimensionMismatch
from domain.embedding_slot import require_same_model
from domain.retrieval.vector_indexes import IndexKind

MAX_EF_SEARCH = 1000
DEFAULT_LISTS = 100

_ADD = """
    INSERT INTO embedding_slot (model_name, dimension, identity) VALUES (%s, %s, nullif(%s, ''))
    ON CONFLICT (model_name) DO UPDATE SET identity = excluded.identity
    WHERE embedding_slot.identity IS NULL AND excluded.identity IS NOT NULL
"""

# Whoever drops a slot, or adds its identity, waits for those who write into it.
_HOLD = """
    SELECT model_name, dimension, coalesce(identity, '') FROM embedding_slot WHERE model_name = ANY(%s)
    ORDER BY model_name FOR SHARE
"""

_SLOT = """
    SELECT s.dimension, s.identity, i.kind, i.options
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
# know no strict order, and what they find is sorted afterwards. A plan for any limit may go another way than one for
# this limit, and find others: which of them a connection has by now must not decide what is on a page.
_WALK = """
    SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', %s, true),
           set_config('ivfflat.iterative_scan', 'relaxed_order', true), set_config('ivfflat.probes', %s, true),
           set_config('plan_cache_mode', 'force_custom_plan', true)
"""


Cursor: TypeAlias = AsyncCursor[Any]


class SlotModel(NamedTuple):
    """Of which dimension the vectors for a slot are, and which model made them; empty where that is not known."""

    dimension: int
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot with its dimension, and the kind of index that its searches can use."""

    dimension: int
    kind: IndexKind | None
    identity: str | None = None
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


async def add_slots(connection: Connection, models: Mapping[str, SlotModel]) -> None:
    """Add slots that are new, and the model of those of which it is not known."""
    for model_name in sorted(models):
        await connection.execute(_ADD, (model_name, *models[model_name]))


async def held_slots(connection: Connection, model_names: Iterable[str]) -> Cursor:
    """Hold the slots until the transaction ends: rows of name, dimension and identity, to be fetched."""
    return await connection.execute(_HOLD, (sorted(model_names),))


def require_same(rows: Iterable[tuple[str, int, str]], models: Mapping[str, SlotModel]) -> bool:
    """Raise DimensionMismatch, EmbeddingModelMixed where a slot is another model's; whether all are known."""
    known = dict[str, str]()
    for model_name, dimension, identity in rows:
        require_dimension(model_name, dimension, models[model_name].dimension)
        require_same_model(model_name, identity, models[model_name].identity)
        known[model_name] = identity
    return all(name in known and (known[name] or not model.identity) for name, model in models.items())


def require_dimension(model_name: str, dimension: int, given: int) -> None:
    """Raise DimensionMismatch unless they are the same."""
    if dimension != given:
        raise DimensionMismatch(f"the slot {model_name!r} has {dimension} dimensions, the vector {given}")


async def slot(connection: Connection, model_name: str) -> Slot | None:
    """The slot; None when there is none of that name."""
    return slot_of(await (await asked_slot(connection, model_name)).fetchone())


async def asked_slot(connection: Connection, model_name: str) -> Cursor:
    """Ask for the slot: at most one row for ``slot_of``, to be fetched."""
    names = [index_name(model_name, kind) for kind in IndexKind]
    return await connection.execute(_SLOT, (names, model_name))


def slot_of(row: Sequence[Any] | None) -> Slot | None:
    """The slot of a row that ``asked_slot`` gives."""
    if row is None:
        return None
    dimension, identity, kind, options = row
    if kind is None:
        return Slot(dimension=dimension, kind=None, identity=identity)
    found = IndexKind(kind)
    lists = options_of(options, found).get("lists", DEFAULT_LISTS)
    return Slot(dimension=dimension, kind=found, identity=identity, lists=lists)


async def prepare_walk(connection: Connection, slot: Slot, limit: int) -> None:
    """Have this transaction look about in the slot's index for as long as it takes to find so many."""
    ef_search = min(max(limit, LEAST_LOOK), MAX_EF_SEARCH)
    # Twice the square root of the clusters, which finds nine in ten and more at a small share of the work.
    probes = min(slot.lists, max(10, 2 * math.isqrt(slot.lists)))
    await connection.execute(_WALK, (str(ef_search), str(probes)))
