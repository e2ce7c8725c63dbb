"""The HNSW index of a slot: built when it is large enough, and never a reason to find too little."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.memory.models import MemoryEmbeddingModel
from adapters.postgres.database import Database
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.embedding_slots import index_name
from adapters.postgres.index_administration import PostgresIndexAdministration
from adapters.postgres.index_builds import building
from adapters.postgres.segment_filter import restrictions
from adapters.postgres.segment_index import PostgresSegmentIndex
from adapters.postgres.segment_rows import vector_text
from adapters.postgres.segment_search import approximate
from adapters.postgres.slot_holdings import PostgresEmbeddingSlots
from application.embedding_models import EmbeddingModels
from application.search import Search, SearchRequest
from application.search_indexes import Indexes as IndexUse
from domain.document import EmbeddedSegment
from domain.match import SearchFilter, SearchMode
from domain.retrieval.search_filters import search_filter
from domain.retrieval.vector_indexes import IndexBuildUnderway, IndexKind, IndexThresholds
from tests.contracts.segment_indexes import SLOT, Indexes, embedded

pytestmark = pytest.mark.slow

DIMENSION = 16
EVERYTHING = SearchFilter()


def directions(count: int) -> list[list[float]]:
    chance = random.Random(7)
    return [[chance.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(count)]


async def filled(
    database: Database, count: int, *, rare_every: int
) -> tuple[PostgresSegmentIndex, list[list[float]]]:
    """One document per vector; every so many-th is of the origin `rare`."""
    index = PostgresSegmentIndex(database)
    indexes = Indexes(index, PostgresDocuments(database), stems=True)
    vectors = directions(count)
    segments: list[EmbeddedSegment] = []
    for number, vector in enumerate(vectors):
        origin = "common" if number % rare_every else "rare"
        opened = await indexes.opened(f"d{number}", origin=origin)
        segments += embedded(opened, f"text {number}", vectors=[vector])
    for start in range(0, count, 200):
        await index.index(segments[start : start + 200])
    return index, vectors


async def built(database: Database, from_vectors: int) -> list[str]:
    """Build what is missing from so many vectors on; the slots that got an index."""
    thresholds = IndexThresholds(index_from=from_vectors)
    use = IndexUse(administration=PostgresIndexAdministration(database), thresholds=thresholds)
    return [one.advice.model_name for one in await use.manage(dry_run=False) if one.is_applied]


async def plan(database: Database) -> str:
    """How PostgreSQL goes about a search without a filter."""
    statement = approximate(restrictions(EVERYTHING).text, model_name=SLOT, dimension=DIMENSION)
    parameters = {"vector": vector_text(directions(1)[0]), "limit": 10}
    async with database.connection() as connection:
        rows = await (await connection.execute(b"EXPLAIN " + statement, parameters)).fetchall()
    return "\n".join(line for (line,) in rows)


async def test_the_index_finds_nearly_what_comparing_all_finds(database: Database) -> None:
    """With and without a filter, and always as many as there are."""
    index, vectors = await filled(database, 2000, rare_every=100)
    queries = directions(2020)[2000:]
    rare = SearchFilter(origins=["rare"])

    async def answers(where: SearchFilter, limit: int) -> list[set[object]]:
        found = [await index.semantic(query, model_name=SLOT, limit=limit, where=where) for query in queries]
        assert {len(candidates) for candidates in found} == {limit}
        return [{candidate.segment_id for candidate in candidates} for candidates in found]

    exact, exact_rare = await answers(EVERYTHING, 10), await answers(rare, 20)
    assert await built(database, 5000) == []
    assert await built(database, 2000) == [SLOT]
    assert await built(database, 2000) == []
    async with database.connection() as connection:
        await connection.execute("ANALYZE")
    approximate = await answers(EVERYTHING, 10)
    hits = sum(len(one & other) for one, other in zip(exact, approximate, strict=True))
    assert hits / 200 > 0.95
    assert await answers(rare, 20) == exact_rare
    # More than the walk gives up after: everything is compared instead.
    assert len(await index.semantic(vectors[0], model_name=SLOT, limit=2500, where=EVERYTHING)) == 2000
    assert index_name(SLOT) in await plan(database)


async def test_clusters_find_nearly_what_comparing_all_finds(database: Database) -> None:
    """Of a filter over metadata too; the measured recall says so, and scans are counted."""
    index, vectors = await filled(database, 1000, rare_every=100)
    use = IndexUse(administration=PostgresIndexAdministration(database))
    made = await use.create(SLOT, IndexKind.IVFFLAT, {"lists": 40})
    assert await use.recall(made.name, sample=20, limit=10) > 0.8
    rare = search_filter({"not": {"metadata.x": {"exists": True}}, "origin": {"like": "ra%"}})
    for vector in vectors[:5]:
        assert len(await index.semantic(vector, model_name=SLOT, limit=10, where=rare)) == 10
        assert len(await index.semantic(vector, model_name=SLOT, limit=100, where=rare)) == 10
    assert made.size_bytes > 0


@pytest.mark.parametrize(
    ("kind", "options"),
    [(IndexKind.HNSW, {"m": 4, "ef_construction": 16}), (IndexKind.IVFFLAT, {"lists": 60})],
)
async def test_pages_over_an_index_neither_repeat_nor_miss_anything(
    database: Database, kind: IndexKind, options: dict[str, int]
) -> None:
    """Though it finds others as it is looked at deeper; with a filter and in both modes with a semantic side."""
    index, vectors = await filled(database, 900, rare_every=3)
    await IndexUse(administration=PostgresIndexAdministration(database)).create(SLOT, kind, options)
    async with database.connection() as connection:
        await connection.execute("ANALYZE")
    search = Search(index=index, models=EmbeddingModels(own=Directed(vectors[1])))
    rare = SearchFilter(origins=["rare"])
    for mode in (SearchMode.SEMANTIC, SearchMode.HYBRID):
        for where, count in ((EVERYTHING, 900), (rare, 300)):
            request = SearchRequest(query="text", mode=mode, limit=35, where=where, candidates=40)
            pages = [await search.find(replace(request, offset=start)) for start in range(0, count, 35)]
            read = [match.found.id for page in pages for match in page]
            assert (len(read), len(set(read))) == (count, count)
            longest = await search.find(replace(request, limit=count))
            assert [match.found.id for match in longest] == read


class Directed(MemoryEmbeddingModel):
    """Embeds every text in one direction, into the slot of the test."""

    def __init__(self, vector: list[float]) -> None:
        super().__init__(model_name=SLOT, dimension=DIMENSION)
        self._direction = vector

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [self._direction for _ in texts]


async def test_an_index_left_half_built_is_built_again(database: Database) -> None:
    """One that PostgreSQL marks invalid is not used and not in the way."""
    index, vectors = await filled(database, 50, rare_every=10)
    assert await built(database, 50) == [SLOT]
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", (index_name(SLOT),)
        )
    assert len(await index.semantic(vectors[0], model_name=SLOT, limit=50, where=EVERYTHING)) == 50
    assert await built(database, 50) == [SLOT]


async def test_two_who_build_at_once_build_one(database: Database) -> None:
    """The second goes its way."""
    await filled(database, 50, rare_every=10)
    outcomes = await asyncio.gather(*(built(database, 50) for _ in range(3)), return_exceptions=True)
    done = [outcome for outcome in outcomes if outcome == [SLOT]]
    underway = [outcome for outcome in outcomes if isinstance(outcome, IndexBuildUnderway)]
    assert (len(done), len(done) + len(underway)) == (1, 3)


async def test_a_slot_is_dropped_while_nobody_builds(database: Database) -> None:
    """Else the build would leave its index behind."""
    index, vectors = await filled(database, 50, rare_every=10)
    slots = PostgresEmbeddingSlots(database)
    async with building(database):
        with pytest.raises(IndexBuildUnderway):
            await slots.drop(SLOT)
        assert len(await index.semantic(vectors[0], model_name=SLOT, limit=50, where=EVERYTHING)) == 50
    assert await slots.drop(SLOT) == 50


async def test_a_slot_of_any_name_gets_its_index(database: Database) -> None:
    """Quotes, percent signs and length are no matter."""
    name = "'; --\" %s {} " + "x" * 100
    indexes = Indexes(PostgresSegmentIndex(database), PostgresDocuments(database), stems=True)
    opened = await indexes.opened("d", expected=2)
    segments = embedded(opened, "one", "two", model_name=name)
    await indexes.segments.index(segments)
    assert await built(database, 2) == [name]
    assert set(await indexes.nearest(1.0, 0.0, slot=name)) == {segment.id for segment in segments}
