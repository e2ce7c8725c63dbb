"""What every ``IndexAdministration`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.index_administration import MemoryIndexAdministration
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.index_administration import PostgresIndexAdministration
from adapters.postgres.segment_index import PostgresSegmentIndex
from application.ports.index_administration import IndexAdministration
from application.search_indexes import Indexes as IndexUse
from application.search_indexes import InvalidSample
from application.upkeep import Upkeep
from domain.retrieval.vector_indexes import (
    IndexAction,
    IndexExists,
    IndexKind,
    IndexNotFound,
    IndexThresholds,
    InvalidIndex,
    UnknownIndexSlot,
)
from tests.contracts.segment_indexes import SLOT, Indexes
from tests.databases import SERVERS, fresh_database

FEW = IndexThresholds(index_from=3, graph_from=5)


@dataclass(frozen=True, slots=True)
class Administered:
    """An administration with the index it looks after."""

    administration: IndexAdministration
    indexes: Indexes

    @property
    def use(self) -> IndexUse:
        """What the service can do with it, at low thresholds."""
        return IndexUse(administration=self.administration, thresholds=FEW)


@pytest.fixture(params=["memory", *SERVERS])
async def administered(request: pytest.FixtureRequest) -> AsyncIterator[Administered]:
    """Each implementation there is, over an empty index."""
    if request.param == "memory":
        corpus = Corpus()
        indexes = Indexes(MemorySegmentIndex(corpus), MemoryDocuments(corpus), stems=False)
        yield Administered(MemoryIndexAdministration(corpus), indexes)
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        indexes = Indexes(PostgresSegmentIndex(database), PostgresDocuments(database), stems=True)
        yield Administered(PostgresIndexAdministration(database), indexes)


async def test_a_slot_tells_its_size(administered: Administered) -> None:
    """And has no index until one is made."""
    assert list(await administered.administration.sizes()) == []
    await administered.indexes.indexed("d", "one", "two")
    (size,) = await administered.administration.sizes()
    assert (size.model_name, size.dimension, size.vectors) == (SLOT, 2, 2)
    assert list(await administered.administration.indexes()) == []
    assert await administered.administration.recall(SLOT, sample=3, limit=2) == 1.0


@pytest.mark.parametrize("kind", IndexKind)
async def test_an_index_is_made_listed_rebuilt_and_dropped(
    administered: Administered, kind: IndexKind
) -> None:
    """And searches find the same with it and without."""
    segments = await administered.indexes.indexed("d", "one", "two", "three")
    ids = {segment.id for segment in segments}
    use = administered.use
    made = await use.create(SLOT, kind, {"m": 8, "ef_construction": 32} if kind is IndexKind.HNSW else {})
    expected = {"m": 8, "ef_construction": 32} if kind is IndexKind.HNSW else {"lists": 1}
    assert (made.model_name, made.kind, made.parameters, made.vectors) == (SLOT, kind, expected, 3)
    assert made.is_usable
    assert [index.name for index in await use.list()] == [made.name]
    assert set(await administered.indexes.nearest(1.0, 0.0)) == ids
    assert await use.recall(made.name, sample=5, limit=3) == 1.0
    with pytest.raises(IndexExists):
        await use.create(SLOT, IndexKind.HNSW, {})
    again = await use.rebuild(made.name)
    assert (again.name, again.parameters) == (made.name, expected)
    assert set(await administered.indexes.nearest(1.0, 0.0)) == ids
    await use.drop(made.name)
    assert list(await use.list()) == []
    for missing in (use.get, use.drop, use.rebuild):
        with pytest.raises(IndexNotFound):
            await missing(made.name)
    assert set(await administered.indexes.nearest(1.0, 0.0)) == ids


async def test_what_cannot_be_indexed_is_said(administered: Administered) -> None:
    """A slot that is not there, parameters that there are not or that are out of bounds, a sample of nothing."""
    use = administered.use
    for model_name in ("unknown", "", "'; DROP TABLE segment; --", "x" * 3000, "a\x00"):
        with pytest.raises(UnknownIndexSlot):
            await use.create(model_name, IndexKind.HNSW, {})
        with pytest.raises(UnknownIndexSlot):
            await administered.administration.recall(model_name, sample=1, limit=1)
    await administered.indexes.indexed("d", "one")
    for kind, parameters in (
        (IndexKind.HNSW, {"lists": 5}),
        (IndexKind.HNSW, {"m": 1}),
        (IndexKind.HNSW, {"m": 50, "ef_construction": 64}),
        (IndexKind.IVFFLAT, {"lists": 0}),
        (IndexKind.IVFFLAT, {"m": 16}),
    ):
        with pytest.raises(InvalidIndex):
            await use.create(SLOT, kind, parameters)
    with pytest.raises(IndexNotFound):
        await use.recall("unknown", sample=1, limit=1)
    with pytest.raises(InvalidSample):
        await use.recall("unknown", sample=0, limit=1)


async def test_management_does_what_it_says_it_would(administered: Administered) -> None:
    """First nothing, then an index when there are enough vectors; clusters become a graph when there are many."""
    use = administered.use
    await administered.indexes.indexed("d", "one", "two")
    (managed,) = await use.manage(dry_run=False)
    assert (managed.advice.action, managed.is_applied, managed.index) == (IndexAction.KEEP, False, None)
    await administered.indexes.indexed("e", "three")
    (managed,) = await use.manage(dry_run=True)
    assert (managed.advice.action, managed.advice.kind) == (IndexAction.CREATE, IndexKind.HNSW)
    assert not managed.is_applied
    assert list(await use.list()) == []
    (managed,) = await use.manage(dry_run=False)
    assert managed.is_applied
    assert managed.index == (await use.list())[0]
    assert [one.advice.action for one in await use.manage(dry_run=False)] == [IndexAction.KEEP]

    await use.drop(managed.index.name)
    clustered = await use.create(SLOT, IndexKind.IVFFLAT, {"lists": 3})
    (managed,) = await use.manage(dry_run=False)
    assert managed.advice.action is IndexAction.REBUILD
    assert (await use.get(clustered.name)).parameters == {"lists": 1}
    await administered.indexes.indexed("f", "four", "five")
    (managed,) = await use.manage(dry_run=False)
    assert managed.advice.action is IndexAction.UPGRADE
    (index,) = await use.list()
    assert (index.kind, index.model_name) == (IndexKind.HNSW, SLOT)


async def test_upkeep_opens_and_closes_around_it(administered: Administered) -> None:
    """Whatever happens in between."""
    use = administered.use
    async with Upkeep(events=InProcessEventBus(), indexes=use) as upkeep:
        assert upkeep.indexes is use
