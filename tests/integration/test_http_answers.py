"""Search and chat over HTTP: matches with their provenance, answers with citations, whole and as a stream."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.memory.models import MemoryEmbeddingModel, MemoryLanguageModel
from adapters.memory.reranker import MemoryReranker
from domain.chat.errors import LanguageModelUnavailable
from tests.http_server import Api, World, events_of, serving

SEARCH = "/api/v1/search"
CHAT = "/api/v1/chat"
TEXTS = {
    "bees": "Bees gather nectar. A hive holds forty thousand bees.",
    "ships": "Ships carry cargo. A harbour holds forty ships.",
    "bread": "Bread needs flour and water. An oven bakes bread.",
}


async def world_with_texts(**options: Any) -> World:
    world = World(**options)
    for document_id, text in TEXTS.items():
        await world.index(document_id, text)
    return world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(world=await world_with_texts()) as api:
        yield api


async def test_a_match_tells_its_score_its_text_and_where_it_is_from(api: Api) -> None:
    status, found = await api.ask("POST", SEARCH, json={"query": "bees in a hive", "limit": 2})
    assert status == 200
    assert (found["query"], found["mode"], found["limit"], found["offset"]) == (
        "bees in a hive",
        "semantic",
        2,
        0,
    )
    assert (len(found["results"]), found["has_more"], found["total"]) == (2, True, 3)
    assert found["took_ms"] >= 0
    best = found["results"][0]
    assert (best["document_id"], best["text"]) == ("bees", TEXTS["bees"])
    assert (best["start"], best["end"], best["heading_path"]) == (0, len(TEXTS["bees"]), ["Nature"])
    assert best["components"] == {"semantic": best["score"]}
    assert best["ranks"] == {"semantic": 1}
    documented = {"segment_id", "title", "url", "page", "origin", "execution_id", "lineage_id", "model_name"}
    assert documented <= best.keys()


@pytest.mark.parametrize(
    ("path", "mode", "sides"),
    [
        (SEARCH, "semantic", {"semantic"}),
        (f"{SEARCH}/keyword", "keyword", {"keyword"}),
        (f"{SEARCH}/hybrid", "hybrid", {"semantic", "keyword"}),
        (f"{SEARCH}/rrf", "hybrid", {"semantic", "keyword"}),
        (f"{CHAT}/search/semantic", "semantic", {"semantic"}),
        (f"{CHAT}/search/hybrid", "hybrid", {"semantic", "keyword"}),
        (f"{CHAT}/search/rrf", "hybrid", {"semantic", "keyword"}),
    ],
)
async def test_every_kind_of_search_says_how_the_score_came_about(
    api: Api, path: str, mode: str, sides: set[str]
) -> None:
    status, found = await api.ask("POST", path, json={"query": "cargo ships"})
    assert (status, found["mode"], found["results"][0]["document_id"]) == (200, mode, "ships")
    assert found["results"][0]["components"].keys() == sides


async def test_the_mode_can_stand_in_the_body(api: Api) -> None:
    _, found = await api.ask("POST", SEARCH, json={"query": "oven", "mode": "keyword"})
    assert (found["mode"], [match["document_id"] for match in found["results"]]) == ("keyword", ["bread"])


async def test_reciprocal_rank_fusion_takes_its_constant(api: Api) -> None:
    body = {"query": "oven", "rrf_k": 0, "keyword_weight": 2, "vector_weight": 1, "max_candidates": 50}
    _, found = await api.ask("POST", f"{SEARCH}/rrf", json=body)
    assert found["results"][0]["score"] == pytest.approx(3.0)


async def test_a_match_points_at_the_words_of_the_query(api: Api) -> None:
    _, found = await api.ask("POST", f"{SEARCH}/hybrid", json={"query": "bread ovens", "limit": 1})
    (best,) = found["results"]
    assert [best["text"][one["start"] : one["end"]] for one in best["highlights"]] == ["Bread", "bread"]
    assert best["model_scores"] == {"words": best["components"]["semantic"]}
    assert best["metadata"] == {}


async def test_several_slots_are_searched_at_once() -> None:
    world = World(other_models=[MemoryEmbeddingModel(model_name="narrow", dimension=8)])
    for document_id, text in TEXTS.items():
        await world.index(document_id, text)
    async with serving(world=world) as api:
        path = f"{SEARCH}/multi-model"
        status, found = await api.ask(
            "POST", path, json={"query": "cargo ships", "models": ["narrow", "words"]}
        )
        assert (status, found["mode"], found["results"][0]["document_id"]) == (200, "multi-model", "ships")
        assert found["results"][0]["model_scores"].keys() == {"words", "narrow"}
        _, all_slots = await api.ask("POST", path, json={"query": "cargo ships"})
        assert all_slots["results"][0]["model_scores"].keys() == {"words", "narrow"}
        status, problem = await api.ask("POST", path, json={"query": "a", "models": ["words", "other"]})
        assert (status, problem["error_code"]) == (404, "embedding_slot_not_found")
        status, problem = await api.ask("POST", path, json={"query": "a", "models": ["words", "words"]})
        assert (status, problem["error_code"]) == (400, "search_invalid")


async def test_a_reranker_is_asked_where_there_is_one() -> None:
    body = {"query": "cargo ships", "rerank": True, "mmr_lambda": 0.9}
    async with serving(world=await world_with_texts(reranker=MemoryReranker())) as api:
        _, found = await api.ask("POST", SEARCH, json=body)
        assert found["results"][0]["ranks"] == {"semantic": 1, "rerank": 1}
        assert found["results"][0]["model_scores"].keys() == {"words"}
    async with serving(world=await world_with_texts()) as api:
        status, problem = await api.ask("POST", SEARCH, json=body)
        assert (status, problem["error_code"]) == (400, "reranker_not_configured")


async def test_filters_and_thresholds_narrow_a_search(api: Api) -> None:
    body = {"query": "forty", "filters": {"document_ids": ["ships", "bread"]}}
    _, found = await api.ask("POST", f"{SEARCH}/keyword", json=body)
    assert [match["document_id"] for match in found["results"]] == ["ships"]
    _, found = await api.ask("POST", SEARCH, json={"query": "forty", "similarity_threshold": 0.99})
    assert (found["results"], found["total"], found["has_more"]) == ([], 0, False)


async def test_a_filter_says_what_a_match_must_satisfy(api: Api) -> None:
    condition = {"or": [{"title": {"like": "Sh%"}}, {"not": {"origin": "encyclopedia"}}]}
    for path in (SEARCH, f"{SEARCH}/hybrid", f"{SEARCH}/keyword", f"{SEARCH}/rrf"):
        _, found = await api.ask("POST", path, json={"query": "forty", "filters": condition})
        assert [match["document_id"] for match in found["results"]] == ["ships"]


async def test_the_fault_in_a_filter_is_told_with_its_place(api: Api) -> None:
    condition = {"and": [{"origin": "a"}, {"metadata.year": {"from": 2020}}]}
    status, problem = await api.ask("POST", SEARCH, json={"query": "forty", "filters": condition})
    assert (status, problem["errors"][0]["path"]) == (422, "filters.and[1].metadata.year.from")


async def test_pages_of_a_search_follow_each_other(api: Api) -> None:
    seen = []
    for offset in range(3):
        _, found = await api.ask("POST", SEARCH, json={"query": "bees", "limit": 1, "offset": offset})
        seen += [match["document_id"] for match in found["results"]]
        assert found["has_more"] is (offset < 2)
    assert sorted(seen) == sorted(TEXTS)


async def test_an_embedding_slot_that_is_not_there_is_not_found(api: Api) -> None:
    status, problem = await api.ask("POST", SEARCH, json={"query": "bees", "model_name": "other"})
    assert (status, problem["error_code"]) == (404, "embedding_slot_not_found")


@pytest.mark.parametrize(
    "body",
    [{"query": ""}, {"query": "a", "limit": 0}, {"query": "a", "limit": 1001}, {"query": "a", "offset": -1},
     {"query": "a", "mode": "magic"}, {"query": "a", "filters": {"shelf": "x"}}, {"query": "a", "k": 1}, {"limit": 3},
     {"query": "x" * 10_001}, {"query": "a\x00"}, {"query": "a", "limit": 1_000_000}, {"query": "a", "rerank_candidates": 0},
     {"query": "a", "mmr_lambda": 2}, {"query": 7}, {"query": "a", "filters": {"metadata.x": {"gt": None}}}, {"query": "a", "filters": []}],
)  # fmt: skip
async def test_a_search_that_makes_no_sense_is_not_valid(api: Api, body: dict[str, Any]) -> None:
    status, problem = await api.ask("POST", SEARCH, json=body)
    assert (status, len(problem["errors"])) == (422, 1)


async def test_what_can_be_searched_is_told(api: Api) -> None:
    _, sources = await api.ask("GET", f"{SEARCH}/sources")
    assert sources == {"sources": [{"origin": "encyclopedia", "documents": 3}], "total": 1}
    _, found = await api.ask("GET", f"{SEARCH}/capabilities")
    (slot,) = found["slots"]
    assert (slot["model_name"], slot["segments"], slot["dimension"]) == ("words", 3, 64)
    assert slot["is_searchable"]
    assert (found["modes"], found["dimension"]) == (["semantic", "keyword", "hybrid", "multi-model"], 64)
    assert found["reranker"] is None


async def test_an_answer_without_a_language_model_quotes_its_sources(api: Api) -> None:
    status, answer = await api.ask("POST", f"{CHAT}/complete", json={"query": "How many bees are in a hive?"})
    assert (status, answer["mode"], answer["is_answered"]) == (200, "extractive", True)
    assert "forty thousand bees" in answer["text"]
    citation = answer["citations"][0]
    assert citation["marker"] in answer["text"]
    source = next(source for source in answer["sources"] if source["number"] == citation["number"])
    assert (source["document_id"], citation["segment_id"]) == ("bees", source["segment_id"])
    assert TEXTS["bees"][citation["start"] : citation["end"]].rstrip(".") in answer["text"]
    assert answer["documents"][0].keys() >= {"index", "storage_key", "path", "document_id"}


async def test_a_streamed_answer_tells_sources_then_text_and_citations_then_its_end(api: Api) -> None:
    body = {"query": "How many bees are in a hive?"}
    async with api.session.post(f"{api.url}{CHAT}/stream", json=body) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        events = events_of(await response.text())
    names = [event.event for event in events]
    assert (names[0], names[-1]) == ("sources", "done")
    assert set(names[1:-1]) == {"text", "citation"}
    ids = [event.id or "" for event in events]
    assert len({one.split(":")[0] for one in ids}) == 1
    assert (ids[0].partition(":")[2], ids[-1].rpartition(":")[2]) == ("0:0", "end")
    assert len(set(ids)) == len(ids)
    assert events[-1].data["completed"] is True
    _, whole = await api.ask("POST", f"{CHAT}/complete", json=body)
    assert "".join(event.data["content"] for event in events if event.event == "text") == whole["text"]
    assert [event.data for event in events if event.event == "citation"] == whole["citations"]
    assert events[0].data["sources"] == whole["sources"]


async def test_a_language_models_answer_is_cited_too() -> None:
    model = MemoryLanguageModel("Forty thousand [1]. And [9].")
    async with serving(world=await world_with_texts(language_model=model)) as api:
        _, answer = await api.ask("POST", f"{CHAT}/complete", json={"query": "How many bees are in a hive?"})
    assert (answer["mode"], answer["model"], answer["unknown_markers"]) == ("generative", "scripted", [9])
    assert [citation["number"] for citation in answer["citations"]] == [1]


async def test_a_language_model_that_is_away_is_a_503_or_an_event() -> None:
    model = MemoryLanguageModel(LanguageModelUnavailable("it is away"))
    async with serving(world=await world_with_texts(language_model=model)) as api:
        status, problem = await api.ask("POST", f"{CHAT}/complete", json={"query": "bees"})
        assert (status, problem["error_code"]) == (503, "language_model_unavailable")
        async with api.session.post(f"{api.url}{CHAT}/stream", json={"query": "bees"}) as response:
            events = events_of(await response.text())
    assert [event.event for event in events] == ["sources", "error"]
    assert events[-1].data["error_code"] == "language_model_unavailable"


async def test_a_stream_that_cannot_begin_is_a_problem(api: Api) -> None:
    body = {"query": "hello", "context_mode": "none"}
    status, problem = await api.ask("POST", f"{CHAT}/stream", json=body)
    assert (status, problem["error_code"]) == (503, "language_model_not_configured")


@pytest.mark.parametrize(
    "body",
    [{"query": ""}, {"query": "a" * 10_001}, {"query": "a", "history": [{"role": "robot", "content": "b"}]},
     {"query": "a", "history": [{"role": "user", "content": "b"}] * 51}, {"query": "a", "context_mode": "magic"},
     {"query": "a", "rag_config": {"sources": [{"limit": 51}]}}, {"query": "a", "temperature": 9}],
    ids=range(7),
)  # fmt: skip
async def test_a_chat_that_makes_no_sense_is_not_valid(api: Api, body: dict[str, Any]) -> None:
    for path in ("complete", "stream"):
        status, problem = await api.ask("POST", f"{CHAT}/{path}", json=body)
        assert (status, len(problem["errors"])) == (422, 1)


async def test_chat_tells_what_it_can_do(api: Api) -> None:
    status, found = await api.ask("GET", "/api/v1/chat/capabilities")
    assert (status, found["mode"], found["model"]) == (200, "extractive", None)
    assert found["context_modes"] == ["rag", "attachment", "hybrid", "document"]
    assert found["slots"] == ["words"]
    await api.world.index("river", "A river is a flowing body of water.")
    _, sources = await api.ask("GET", "/api/v1/chat/sources")
    assert sources == (await api.ask("GET", "/api/v1/search/sources"))[1]
    assert sources["total"] >= 1


async def test_a_request_names_the_stored_template_of_its_prompt() -> None:
    """What is not there, and what chat cannot fill, are problems before anything is streamed."""
    model = MemoryLanguageModel("Bees [1].")
    fitting = [{"name": "question", "is_required": True}, {"name": "sources", "is_required": True}]
    stored = {"name": "mine", "kind": "prompt", "text": "{{ sources }} {{ question }}", "parameters": fitting}
    unfit = {"name": "unfit", "kind": "prompt", "text": "Be kind."}
    async with serving(world=await world_with_texts(language_model=model)) as api:
        for template in (stored, unfit):
            assert (await api.ask("POST", "/api/v1/templates", json=template))[0] == 201
        asked = {"query": "bees in a hive", "prompt_template": "mine"}
        assert (await api.ask("POST", f"{CHAT}/complete", json=asked))[0] == 200
        ((messages, _),) = model.asked
        assert [message.role for message in messages] == ["user"]
        for path in ("complete", "stream"):
            for name, status, code in (
                ("none", 404, "template_not_found"),
                ("unfit", 400, "prompt_template_unfit"),
            ):
                told = await api.ask("POST", f"{CHAT}/{path}", json=asked | {"prompt_template": name})
                assert (told[0], told[1]["error_code"]) == (status, code)
