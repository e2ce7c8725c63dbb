"""What every ``EmbeddingSlots`` does, over the index that it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.embedding_slots import MemoryEmbeddingSlots
from adapters.memory.index_administration import MemoryIndexAdministration
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.index_administration import PostgresIndexAdministration
from adapters.postgres.segment_index import PostgresSegmentIndex
from adapters.postgres.slot_holdings import PostgresEmbeddingSlots
from application.ports.embedding_slots import EmbeddingSlots
from application.ports.index_administration import IndexAdministration
from application.search_indexes import Indexes as IndexUse
from domain.document import DimensionMismatch
from domain.embedding_slot import Coverage, EmbeddingModelMixed, LackingDocument
from domain.retrieval.vector_indexes import IndexKind
from tests.contracts.segment_indexes import EVERYTHING, SLOT, Indexes, embedded
from tests.databases import SERVERS, fresh_database

WIDE = [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0)]


@dataclass(frozen=True, slots=True)
class Held:
    """Slots with the index that fills them."""

    slots: EmbeddingSlots
    indexes: Indexes
    administration: IndexAdministration


@pytest.fixture(params=["memory", *SERVERS])
async def held(request: pytest.FixtureRequest) -> AsyncIterator[Held]:
    """Each implementation there is, over an empty index."""
    if request.param == "memory":
        corpus = Corpus()
        indexes = Indexes(MemorySegmentIndex(corpus), MemoryDocuments(corpus), stems=False)
        yield Held(MemoryEmbeddingSlots(corpus), indexes, MemoryIndexAdministration(corpus))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        indexes = Indexes(PostgresSegmentIndex(database), PostgresDocuments(database), stems=True)
        yield Held(PostgresEmbeddingSlots(database), indexes, PostgresIndexAdministration(database))


async def test_a_slot_tells_what_it_holds(held: Held) -> None:
    """Segments of current versions, of how many documents; vectors of versions not yet complete count too."""
    assert list(await held.slots.holdings()) == []
    await held.indexes.indexed("d", "zebras graze", "lions sleep")
    opened = await held.indexes.opened("e", expected=2)
    await held.indexes.segments.index(embedded(opened, "ships", model_identity="tiny/1"))
    (holding,) = await held.slots.holdings()
    assert (holding.model_name, holding.dimension, holding.identity) == (SLOT, 2, "tiny/1")
    assert (holding.segments, holding.documents, holding.vectors) == (2, 1, 3)
    assert holding.size_bytes > 0


async def test_what_a_slot_lacks_is_told_by_document(held: Held) -> None:
    """In pages, of all origins or of some, current versions only."""
    await held.indexes.indexed("a", "one", "two")
    await held.indexes.indexed("b", "three", origin="sea")
    await held.indexes.indexed("c", "four")
    await held.indexes.opened("d", expected=1)
    opened = await held.indexes.opened("a", expected=2)
    first, second = embedded(opened, "one", "two", model_name="wide", vectors=WIDE)
    await held.indexes.segments.index([second])
    assert await held.slots.coverage("wide") == Coverage(segments=4, held=1)
    assert await held.slots.coverage("wide", origins=["sea"]) == Coverage(segments=1, held=0)
    assert (await held.slots.coverage("nowhere")).lacking == 4
    lacking = list(await held.slots.lacking("wide", limit=10))
    assert [one.document_id for one in lacking] == ["a", "b", "c"]
    assert lacking[0] == LackingDocument(document_id="a", version=opened.version, segment_ids=[first.id])
    assert list(await held.slots.lacking("wide", limit=1, after="b")) == lacking[2:]
    assert list(await held.slots.lacking("wide", limit=1)) == lacking[:1]
    assert list(await held.slots.lacking("wide", origins=["sea", "sky"], limit=9)) == lacking[1:2]
    assert list(await held.slots.lacking(SLOT, limit=10)) == []


async def test_vectors_are_taken_out_by_document_and_by_execution(held: Held) -> None:
    """Of one slot or of all; the segments stay and are found by their words."""
    run = uuid4()
    for name in ("a", "b"):
        opened = await held.indexes.opened(name)
        execution = run if name == "b" else None
        await held.indexes.segments.index(embedded(opened, f"zebra {name}", execution_id=execution))
        wide = embedded(opened, f"zebra {name}", model_name="wide", vectors=WIDE, execution_id=execution)
        await held.indexes.segments.index(wide)
    assert await held.slots.remove() == 0
    assert await held.slots.remove(model_name=SLOT) == 0
    assert await held.slots.remove(document_id="a", execution_id=run) == 0
    assert await held.slots.remove(document_id="a", model_name=SLOT) == 1
    assert await held.slots.remove(document_id="a", model_name=SLOT) == 0
    assert {one.model_name: one.segments for one in await held.slots.holdings()} == {SLOT: 1, "wide": 2}
    assert await held.slots.remove(execution_id=run) == 2
    assert {one.model_name: one.vectors for one in await held.slots.holdings()} == {SLOT: 0, "wide": 1}
    assert len(await held.indexes.found("zebra")) == 2
    assert await held.indexes.nearest(1.0, 0.0) == []


async def test_a_dropped_slot_may_become_another_models(held: Held) -> None:
    """Of another dimension too; the other slots keep what they hold."""
    opened = await held.indexes.opened("d")
    await held.indexes.segments.index(embedded(opened, "zebras", model_identity="tiny/1"))
    wide = embedded(opened, "zebras", model_name="wide", vectors=WIDE)
    await held.indexes.segments.index(wide)
    assert await held.slots.drop("nowhere") is None
    assert await held.slots.drop(SLOT) == 1
    assert await held.slots.drop(SLOT) is None
    assert [one.model_name for one in await held.slots.holdings()] == ["wide"]
    again = embedded(opened, "zebras", vectors=WIDE, model_identity="other/1")
    await held.indexes.segments.index(again)
    assert await held.indexes.nearest(0.0, 1.0, 0.0) == [again[0].id]
    assert await held.indexes.nearest(0.0, 1.0, 0.0, slot="wide") == [again[0].id]


@pytest.mark.parametrize("kind", IndexKind)
async def test_a_dropped_slot_takes_its_index_along(held: Held, kind: IndexKind) -> None:
    """Which would refuse vectors of another dimension; the other slots keep theirs."""
    opened = await held.indexes.opened("d")
    await held.indexes.segments.index(embedded(opened, "zebras"))
    await held.indexes.segments.index(embedded(opened, "zebras", model_name="wide", vectors=WIDE))
    use = IndexUse(administration=held.administration)
    await use.create(SLOT, kind, {})
    kept = await use.create("wide", kind, {})
    assert await held.slots.drop(SLOT) == 1
    await held.indexes.segments.index(embedded(opened, "zebras", vectors=WIDE))
    assert [index.name for index in await use.list()] == [kept.name]
    assert len(await held.indexes.nearest(0.0, 1.0, 0.0)) == 1
    assert (await use.create(SLOT, kind, {})).is_usable


async def test_a_search_goes_by_the_slot_as_it_is(held: Held) -> None:
    """Not as it was at the search before: it may be gone, or another model's, or of another dimension."""
    opened = await held.indexes.opened("d")
    first = embedded(opened, "zebras", model_identity="tiny/1")
    other = embedded(opened, "zebras", model_identity="tiny/2")
    wide = embedded(opened, "zebras", vectors=WIDE, model_identity="tiny/2")

    async def found(*vector: float, identity: str) -> int:
        semantic = held.indexes.segments.semantic
        return len(
            await semantic(vector, model_name=SLOT, limit=9, where=EVERYTHING, model_identity=identity)
        )

    await held.indexes.segments.index(first)
    assert await found(1.0, 0.0, identity="tiny/1") == 1
    await held.slots.drop(SLOT)
    assert await found(1.0, 0.0, identity="tiny/1") == 0
    await held.indexes.segments.index(first)
    assert await found(1.0, 0.0, identity="tiny/1") == 1
    await held.slots.drop(SLOT)
    await held.indexes.segments.index(other)
    assert await found(1.0, 0.0, identity="tiny/2") == 1
    with pytest.raises(EmbeddingModelMixed):
        await found(1.0, 0.0, identity="tiny/1")
    await held.slots.drop(SLOT)
    await held.indexes.segments.index(wide)
    with pytest.raises(DimensionMismatch):
        await found(1.0, 0.0, identity="tiny/2")
    assert await found(0.0, 1.0, 0.0, identity="tiny/2") == 1


async def test_a_slot_never_holds_vectors_of_two_models(held: Held) -> None:
    """Neither of one batch nor of one after the other; nor is it asked with another model's vector."""
    opened = await held.indexes.opened("d", expected=2)
    first, second = embedded(opened, "zebras", "lions", model_identity="tiny/1")
    (other,) = embedded(opened, "ships", model_identity="tiny/2")
    for batch in ([first, other], [other, second]):
        with pytest.raises(EmbeddingModelMixed):
            await held.indexes.segments.index(batch)
    await held.indexes.segments.index([first])
    with pytest.raises(EmbeddingModelMixed):
        await held.indexes.segments.index([other])
    await held.indexes.segments.index([second])
    semantic = held.indexes.segments.semantic
    for known in ("", "tiny/1"):
        found = await semantic((1.0, 0.0), model_name=SLOT, limit=9, where=EVERYTHING, model_identity=known)
        assert len(found) == 2
    with pytest.raises(EmbeddingModelMixed):
        await semantic((1.0, 0.0), model_name=SLOT, limit=9, where=EVERYTHING, model_identity="tiny/2")


async def test_a_slot_becomes_the_first_comers(held: Held) -> None:
    """Of many that come at once with different models those of one are taken, all of them, and no other."""
    opened = [await held.indexes.opened(f"d{number}") for number in range(12)]
    batches = [
        embedded(document, "zebras", model_identity=f"tiny/{number % 3}")
        for number, document in enumerate(opened)
    ]
    outcomes = await asyncio.gather(*map(held.indexes.segments.index, batches), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, EmbeddingModelMixed)]
    assert len(refused) == 8
    (holding,) = await held.slots.holdings()
    assert holding.vectors == 4
