"""Search over the doubles in memory: modes, pages, thresholds, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.models import MemoryEmbeddingModel
from adapters.memory.reranker import MemoryReranker
from adapters.memory.segment_index import MemorySegmentIndex
from application.embedding_models import EmbeddingModels, EmbeddingSlotNotFound
from application.search import DEFAULT_WEIGHTS, InvalidSearch, Search, SearchRequest
from application.search_ranking import Ranking, fused
from domain.document import DimensionMismatch, Document, EmbeddedSegment, Segment, segment_id
from domain.match import Candidate, SearchFilter, SearchMode
from domain.retrieval.errors import RerankerNotConfigured
from domain.retrieval.fusion import Fusion

TEXTS = {
    "zebra": "zebras graze on the savannah",
    "lion": "lions sleep on the savannah",
    "ship": "ships sail across the ocean",
    "code": "fault E42 means that the flame was lost",
}


@pytest.fixture
async def search() -> Search:
    """One segment per document."""
    corpus, model = Corpus(), MemoryEmbeddingModel()
    documents, index = MemoryDocuments(corpus), MemorySegmentIndex(corpus)
    for (document_id, text), vector in zip(
        TEXTS.items(), await model.embed(list(TEXTS.values())), strict=True
    ):
        document = Document(
            document_id=document_id,
            origin="shelf" if document_id != "ship" else "sea",
            title=document_id,
            url="",
            fingerprint="f",
            version=1,
        )
        opened = await documents.begin(document, expected=1)
        segment = EmbeddedSegment(
            id=segment_id(document_id, text, 0),
            document_id=document_id,
            version=opened.version,
            segment=Segment(ordinal=0, text=text, start=0, end=len(text)),
            model_name=model.model_name,
            vector=vector,
        )
        await index.index([segment])
    other = MemoryEmbeddingModel(model_name="narrow", dimension=8)
    held = list(TEXTS.values())[:3]
    for (document_id, text), vector in zip(TEXTS.items(), await other.embed(held), strict=False):
        again = EmbeddedSegment(
            id=segment_id(document_id, text, 0),
            document_id=document_id,
            version=1,
            segment=Segment(ordinal=0, text=text, start=0, end=len(text)),
            model_name=other.model_name,
            vector=vector,
        )
        await index.index([again])
    return Search(index=index, models=EmbeddingModels(own=model, others=[other]), reranker=MemoryReranker())


class Reading(MemoryReranker):
    """Counts what it reads."""

    read = 0

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        self.read += len(texts)
        return await super().rerank(query, texts)


async def found(search: Search, query: str, **fields: Any) -> list[str]:
    """The ids of the documents found, the best first."""
    matches = await search.find(SearchRequest(query=query, **fields))
    return [match.found.document.document_id for match in matches]


async def test_each_mode_finds_in_its_way(search: Search) -> None:
    """Meaning ranks everything; words find only those that have one."""
    assert (await found(search, "zebras graze", mode=SearchMode.SEMANTIC))[0] == "zebra"
    assert await found(search, "E42?", mode=SearchMode.KEYWORD) == ["code"]
    assert (await found(search, "savannah lions"))[:2] == ["lion", "zebra"]


async def test_a_match_tells_how_its_score_came_about(search: Search) -> None:
    """Each side that found it has its score and its rank; one that did not is absent."""
    best, *rest = await search.find(SearchRequest(query="lions savannah", fusion=Fusion.RRF, rrf_k=60))
    assert best.ranks == {"semantic": 1, "keyword": 1}
    assert best.score == pytest.approx(0.6 / 61 + 0.4 / 61)
    assert set(best.components) == {"semantic", "keyword"}
    assert best.model_name == "words"
    (ship,) = [match for match in rest if match.found.document.document_id == "ship"]
    assert set(ship.components) == set(ship.ranks) == {"semantic"}


async def test_a_side_without_a_given_weight_keeps_its_default(search: Search) -> None:
    """So one may be given alone."""
    (best, *_) = await search.find(
        SearchRequest(query="lions", fusion=Fusion.RRF, weights={"semantic": 2.0}, rrf_k=0)
    )
    assert best.score == pytest.approx(2.0 + DEFAULT_WEIGHTS["keyword"])


@pytest.mark.parametrize("mode", SearchMode)
async def test_pages_follow_each_other(search: Search, mode: SearchMode) -> None:
    """Nothing twice, nothing left out."""
    whole = await found(search, "the savannah", mode=mode)
    paged = [await found(search, "the savannah", mode=mode, limit=1, offset=offset) for offset in range(6)]
    assert [document for page in paged for document in page] == whole


async def test_the_threshold_drops_what_is_less_similar(search: Search) -> None:
    """On the semantic side; words may still find it."""
    assert await found(search, "zebras", mode=SearchMode.SEMANTIC, similarity_threshold=0.99) == []
    assert await found(search, "zebras", similarity_threshold=0.99) == ["zebra"]


async def test_the_filter_holds_for_both_sides(search: Search) -> None:
    """Of whatever mode."""
    for mode in SearchMode:
        assert await found(search, "ocean savannah", mode=mode, where=SearchFilter(origins=["sea"])) == [
            "ship"
        ]


async def test_an_unknown_slot_is_told_with_those_there_are(search: Search) -> None:
    """The model's own may be named."""
    assert await found(search, "E42", mode=SearchMode.KEYWORD, model_name="words") == ["code"]
    with pytest.raises(EmbeddingSlotNotFound, match="'other'; there is: words, narrow"):
        await found(search, "E42", model_name="other")


@pytest.mark.parametrize(
    "fields",
    [
        {"query": ""},
        {"query": " \x00\ud800\n"},
        {"query": "x" * 10_001},
        {"limit": 0},
        {"limit": 1002},
        {"offset": -1},
        {"offset": 9_991},
        {"candidates": 0},
        {"similarity_threshold": 1.5},
        {"similarity_threshold": float("nan")},
        {"weights": {"semantic": -1.0}},
        {"weights": {"semantic": float("inf")}},
        {"weights": {"semantic": 0.0, "keyword": 0.0}},
        {"weights": {"luck": 1.0}},
        {"reranked": 0},
        {"reranked": 201},
        {"mmr_lambda": -0.1},
        {"mmr_lambda": float("nan")},
        {"model_names": ["a"]},
        {"model_names": ["a", "a"], "mode": SearchMode.SEMANTIC},
        {"model_names": [str(number) for number in range(11)], "mode": SearchMode.SEMANTIC},
        {"model_names": ["a"], "model_name": "a", "mode": SearchMode.SEMANTIC},
        {"model_names": ["a"], "model_weights": {"b": 1.0}, "mode": SearchMode.SEMANTIC},
        {"model_names": ["a"], "model_weights": {"a": 0.0}, "mode": SearchMode.SEMANTIC},
        {"rrf_k": -1.0},
        {"rrf_k": float("nan")},
    ],
    ids=repr,
)
def test_what_cannot_be_asked_is_refused(fields: dict[str, Any]) -> None:
    """Before anything is searched."""
    with pytest.raises(InvalidSearch):
        SearchRequest(**{"query": "zebra", **fields})


async def test_several_slots_make_one_ranking_with_a_score_of_each(search: Search) -> None:
    """What one slot does not hold has no score there."""
    request = SearchRequest(
        query="lions savannah", mode=SearchMode.SEMANTIC, model_names=["words", "narrow"], fusion=Fusion.RRF
    )
    matches = {match.found.document.document_id: match for match in await search.find(request)}
    assert next(iter(matches)) == "lion"
    assert matches["lion"].components.keys() == {"words", "narrow"}
    assert matches["code"].components.keys() == {"words"}
    assert matches["lion"].ranks == {"words": 1, "narrow": 1}
    assert matches["lion"].score == pytest.approx(2 / 61)
    weighted = replace(request, model_weights={"narrow": 0.0})
    assert (await search.find(weighted))[0].score == pytest.approx(1 / 61)
    with pytest.raises(EmbeddingSlotNotFound):
        await search.find(replace(request, model_names=["words", "other"]))


async def test_another_slot_can_be_searched_alone(search: Search) -> None:
    """It finds what it holds."""
    assert set(await found(search, "ships", mode=SearchMode.SEMANTIC, model_name="narrow")) == {
        "zebra",
        "lion",
        "ship",
    }


async def test_a_reranker_orders_the_best_anew(search: Search) -> None:
    """What it has not read stays behind."""
    ranked = await search.find(
        SearchRequest(query="ocean sail ships", mode=SearchMode.SEMANTIC, is_reranked=True, reranked=2)
    )
    best, second, *rest = ranked
    assert best.found.document.document_id == "ship"
    assert best.score == best.components["rerank"]
    assert (best.ranks["rerank"], second.ranks["rerank"]) == (1, 2)
    assert rest
    assert all("rerank" not in match.ranks for match in rest)
    with pytest.raises(RerankerNotConfigured):
        await replace(search, reranker=None).find(SearchRequest(query="ships", is_reranked=True))


@pytest.mark.parametrize("mode", SearchMode)
@pytest.mark.parametrize("fields", [{"is_reranked": True, "reranked": 3}, {"mmr_lambda": 0.3}])
async def test_a_short_page_is_the_front_of_a_long_one(
    search: Search, fields: dict[str, Any], mode: SearchMode
) -> None:
    """Also where a second stage looks deeper into the ranking than the page goes, or than a side is asked."""
    query = "E42 savannah lions zebras"
    asked = {"mode": mode, "candidates": 1, **fields}
    whole = await found(search, query, **asked)
    for limit in range(1, len(TEXTS)):
        assert await found(search, query, limit=limit, **asked) == whole[:limit]


@pytest.mark.parametrize("mode", SearchMode)
async def test_a_second_stage_looks_as_deep_whatever_the_page(search: Search, mode: SearchMode) -> None:
    """The reranker reads as many as it was told to where one match is wanted."""
    reader = Reading()
    await found(
        replace(search, reranker=reader), "savannah lions", mode=mode, limit=1, is_reranked=True, candidates=1
    )
    assert reader.read == (2 if mode is SearchMode.KEYWORD else len(TEXTS))


async def test_diverse_matches_keep_the_best_first(search: Search) -> None:
    """And find no others than a search without."""
    plain = await found(search, "savannah zebras lions")
    diverse = await found(search, "savannah zebras lions", mmr_lambda=0.1)
    assert diverse[0] == plain[0]
    assert sorted(diverse) == sorted(plain)
    assert set(diverse[:2]) != {"zebra", "lion"}
    paged = [
        await found(search, "savannah zebras lions", mmr_lambda=0.1, limit=1, offset=at) for at in range(4)
    ]
    assert [document for page in paged for document in page] == diverse
    with pytest.raises(InvalidSearch, match="no further"):
        await found(search, "zebras", mmr_lambda=0.5, limit=102)


async def test_matches_point_at_the_words_of_the_query(search: Search) -> None:
    """Where words are searched, unless told otherwise."""
    for mode, told, expected in [
        (SearchMode.KEYWORD, None, [(0, 6)]),
        (SearchMode.HYBRID, None, [(0, 6)]),
        (SearchMode.SEMANTIC, None, []),
        (SearchMode.SEMANTIC, True, [(0, 6)]),
        (SearchMode.KEYWORD, False, []),
    ]:
        best, *_ = await search.find(SearchRequest(query="Zebras?", mode=mode, is_highlighted=told))
        assert list(best.found.highlights) == expected


async def test_a_side_that_fails_calls_off_the_other(search: Search) -> None:
    """And its error is the search's."""
    wrong = MemoryEmbeddingModel(dimension=3)
    with pytest.raises(DimensionMismatch):
        await replace(search, models=EmbeddingModels(own=wrong)).find(SearchRequest(query="zebras"))


async def test_hostile_queries_find_what_words_they_have(search: Search) -> None:
    """Control characters and lone surrogates are not part of any."""
    assert await found(search, "\x00E42\ud800'; DROP TABLE", mode=SearchMode.KEYWORD) == ["code"]
    assert (await found(search, "zebras\x00graze", mode=SearchMode.SEMANTIC))[0] == "zebra"


async def test_what_there_is_to_search_is_told(search: Search) -> None:
    """Origins with their documents, slots with their segments, and the defaults."""
    assert await search.sources() == {"sea": 1, "shelf": 3}
    capabilities = await search.capabilities()
    assert capabilities.slots == {"words": 4, "narrow": 3}
    assert [model.model_name for model in capabilities.models] == ["words", "narrow"]
    assert capabilities.reranker == "shared-words"
    assert (capabilities.model_name, capabilities.dimension) == ("words", 64)
    assert "en" in capabilities.languages


RANKINGS = st.lists(st.integers(0, 40), unique=True, max_size=30)


@settings(deadline=None)
@given(RANKINGS, RANKINGS, st.integers(1, 20), st.integers(1, 15), st.sampled_from(Fusion))
def test_pages_of_a_hybrid_search_neither_repeat_nor_miss_anything(
    semantic: list[int], keyword: list[int], candidates: int, limit: int, fusion: Fusion
) -> None:
    """However deep somebody reads, each page is what it is for whoever reads less."""
    sides = {"semantic": side_of(semantic), "keyword": side_of(keyword)}
    read: list[UUID] = []
    for offset in range(0, len({*semantic, *keyword}) + 1, limit):
        request = SearchRequest(query="q", limit=limit, offset=offset, candidates=candidates, fusion=fusion)
        depth = request.looks[-1]
        ranked = fused(request, {name: side[:depth] for name, side in sides.items()}, {})
        read += [one.segment_id for one in ranked][offset : offset + limit]
    assert len(read) == len(set(read))
    assert set(read) == {one.segment_id for side in sides.values() for one in side}


@pytest.mark.parametrize(("candidates", "offset"), [(1, 9_000), (300, 0), (300, 291), (7, 9_000)])
def test_a_far_page_takes_few_looks(candidates: int, offset: int) -> None:
    """Each is over all that was seen before, so their number decides what the page costs."""
    limit = min(1000, 10_000 - offset) if offset > 300 else 10
    request = SearchRequest(query="q", limit=limit, offset=offset, candidates=candidates)
    looks = request.looks
    assert looks[0] == candidates
    assert looks[-1] >= request.depth
    assert all(later == 2 * before for before, later in pairwise(looks))
    assert sum(looks) <= max(4 * request.depth, candidates)


class Shallow(MemorySegmentIndex):
    """Sixty segments by meaning, of which it misses every seventh when it is not looked at deeply, and sixty by words."""

    async def semantic(self, vector: Sequence[float], *, limit: int, **_: Any) -> Sequence[Candidate]:
        found = [Candidate(UUID(int=number), 1 - number / 1000) for number in range(60)]
        return found[:limit] if limit >= 20 else [one for one in found if one.segment_id.int % 7][:limit]

    async def keyword(self, query: str, *, limit: int, **_: Any) -> Sequence[Candidate]:
        return side_of(list(range(100, 160)))[:limit]


@pytest.mark.parametrize("fusion", Fusion)
async def test_pages_above_a_threshold_neither_repeat_nor_miss_anything(fusion: Fusion) -> None:
    """What a deeper look finds nearer comes behind, though the threshold has made room before it."""
    ranking = Ranking(index=Shallow(Corpus()), models=[MemoryEmbeddingModel()])
    read: list[int] = []
    for offset in range(0, 80, 5):
        request = SearchRequest(
            query="q", limit=5, offset=offset, candidates=10, fusion=fusion, similarity_threshold=0.99
        )
        page = (await ranking.ranked(request))[offset : offset + 5]
        read += [one.segment_id.int for one in page]
    assert sorted(read) == [*range(11), *range(100, 160)]


def side_of(numbers: list[int]) -> list[Candidate]:
    """Candidates, the best first."""
    return [Candidate(UUID(int=number), 1.0 / place) for place, number in enumerate(numbers, start=1)]
