"""Searches that cannot be: each is a clear problem, at every path that searches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapters.memory.models import MemoryEmbeddingModel
from domain.retrieval.errors import EmbeddingInputRefused
from tests.http_server import Api, World, serving

SEARCH = "/api/v1/search"
PATHS = (SEARCH, f"{SEARCH}/keyword", f"{SEARCH}/hybrid", f"{SEARCH}/rrf", f"{SEARCH}/multi-model")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """One document."""
    world = World()
    await world.index("bees", "Bees gather nectar.")
    async with serving(world=world) as api:
        yield api


@pytest.mark.parametrize("path", PATHS)
async def test_a_search_that_cannot_be_is_a_problem(api: Api, path: str) -> None:
    """Empty, too long, of an unknown field, of a limit that is none: told by the field that is wrong."""
    asked: list[tuple[dict[str, Any], int, str]] = [
        ({"query": ""}, 422, "validation_failed"),
        ({"query": " \t "}, 400, "search_invalid"),
        ({"query": "\x00"}, 422, "validation_failed"),
        ({"query": "a" * 10_001}, 422, "validation_failed"),
        ({"query": None}, 422, "validation_failed"),
        ({"query": ["a"]}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
        ({"query": "bees", "limit": 0}, 422, "validation_failed"),
        ({"query": "bees", "limit": 1_000_000}, 422, "validation_failed"),
        ({"query": "bees", "limit": True}, 422, "validation_failed"),
        ({"query": "bees", "offset": -1}, 422, "validation_failed"),
        ({"query": "bees", "colour": "red"}, 422, "validation_failed"),
        ({"query": "bees", "filters": {"colour": "red"}}, 422, "validation_failed"),
        ({"query": "bees", "filters": {"title": {"almost": "a"}}}, 422, "validation_failed"),
        ({"query": "bees", "filters": "all"}, 422, "validation_failed"),
    ]
    for body, status, code in asked:
        told, problem = await api.ask("POST", path, json=body)
        assert (told, problem["error_code"]) == (status, code), body
        assert problem["detail"]
        if told == 422:
            assert problem["errors"], body


class Choosy(MemoryEmbeddingModel):
    """Takes no text of more than ten words."""

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        if any(len(text.split()) > 10 for text in texts):
            raise EmbeddingInputRefused("(413): fewer than 512 tokens")
        return await super().embed(texts)


async def test_a_query_that_the_model_does_not_take_is_the_askers_matter() -> None:
    """Not an outage: the same query would never do."""
    async with serving(world=World(model=Choosy())) as api:
        told, problem = await api.ask("POST", SEARCH, json={"query": "bee " * 11})
    assert (told, problem["error_code"]) == (400, "embedding_input_refused")
    assert "fewer than 512 tokens" in problem["detail"]


@pytest.mark.parametrize("path", PATHS)
async def test_what_can_be_made_of_a_query_is_searched(api: Api, path: str) -> None:
    """Signs and words of no language, and as many characters as are allowed."""
    for query in ("bees\x07 %(words)s '; --", "bees " * 2000):
        status, found = await api.ask("POST", path, json={"query": query})
        assert (status, found["results"][0]["document_id"]) == (200, "bees")


async def test_an_unknown_slot_is_not_found(api: Api) -> None:
    """And the problem names those that there are."""
    for path, body in (
        (SEARCH, {"model_name": "wide"}),
        (f"{SEARCH}/hybrid", {"model_name": "a\x00b"}),
        (f"{SEARCH}/multi-model", {"models": ["words", "wide"]}),
    ):
        status, problem = await api.ask("POST", path, json={"query": "bees", **body})
        assert problem["error_code"] in {"embedding_slot_not_found", "validation_failed"}
        assert status in {404, 422}


async def test_every_result_says_where_it_is_from_and_how_it_came_about(api: Api) -> None:
    """Score, components and ranks of each side, text with highlights, place in the document, and lineage."""
    _, found = await api.ask("POST", f"{SEARCH}/hybrid", json={"query": "bees"})
    (match,) = found["results"]
    assert match["components"].keys() == match["ranks"].keys() == {"semantic", "keyword"}
    assert match["ranks"] == {"semantic": 1, "keyword": 1}
    assert [match["text"][one["start"] : one["end"]] for one in match["highlights"]] == ["Bees"]
    assert (match["document_id"], match["origin"], match["heading_path"]) == (
        "bees",
        "encyclopedia",
        ["Nature"],
    )
    assert (match["start"], match["end"]) == (0, len("Bees gather nectar."))
    assert {
        "score",
        "page",
        "lineage_id",
        "execution_id",
        "segment_id",
        "model_name",
        "url",
        "title",
    } <= match.keys()


async def test_the_longest_page_tells_whether_there_is_more() -> None:
    """Like every shorter one."""
    world = World()
    for number in range(1001):
        await world.index(f"d{number}", f"Bees gather nectar {number}.")
    async with serving(world=world) as api:
        for offset, expected in ((0, (1000, True)), (1, (1000, False))):
            _, found = await api.ask("POST", SEARCH, json={"query": "bees", "limit": 1000, "offset": offset})
            assert (len(found["results"]), found["has_more"]) == expected
