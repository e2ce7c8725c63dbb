"""The behaviour that ``application.ports.reranker`` promises, for every reranker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from adapters.memory.reranker import MemoryReranker
from adapters.model_servers.reranker import HttpReranker
from adapters.model_servers.reranker_wire import Dialect
from application.ports.reranker import Reranker
from domain.errors import Invalid
from domain.retrieval.errors import RerankerRefused, RerankerUnavailable
from tests.model_servers import Failing, ModelServer, model_server

KEY = "sk-very-secret"


def scored(body: dict[str, Any]) -> Any:
    """Longer texts are better; the best comes first, as the services have it."""
    texts = body.get("documents") or body["texts"]
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    if "texts" in body:
        return [{"index": index, "score": len(texts[index]) / 100} for index in order]
    return {"results": [{"index": index, "relevance_score": len(texts[index]) / 100} for index in order]}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server("/v2/rerank", scored) as running:
        yield running


@pytest.fixture(params=["memory", *Dialect])
async def reranker(request: pytest.FixtureRequest, server: ModelServer) -> AsyncIterator[Reranker]:
    if request.param == "memory":
        yield MemoryReranker()
        return
    async with HttpReranker(f"{server.url}/v2", dialect=Dialect(request.param), model="small") as opened:
        yield opened


@pytest.fixture
async def http(server: ModelServer) -> AsyncIterator[HttpReranker]:
    async with HttpReranker(
        f"{server.url}/v2/rerank", model="small", api_key=KEY, timeout=0.2, retry_delay_seconds=0.01
    ) as opened:
        yield opened


async def test_every_text_gets_its_score_in_order(reranker: Reranker) -> None:
    short, long = await reranker.rerank("zebras graze", ["lion", "zebras graze on the savannah"])
    assert long > short
    assert list(await reranker.rerank("zebras", [])) == []
    assert len(await reranker.rerank("zebras", [f"text {number}" for number in range(70)])) == 70
    assert reranker.name


async def test_odd_texts_are_scored_too(reranker: Reranker) -> None:
    assert len(await reranker.rerank("\ud800 zebra", ["", "\x00", "\ud800", "東京"])) == 4


async def test_each_service_is_asked_in_its_way(server: ModelServer) -> None:
    async with AsyncExitStack() as stack:
        for dialect in Dialect:
            opened = HttpReranker(f"{server.url}/v2/", dialect=dialect, model="small", api_key=KEY)
            await (await stack.enter_async_context(opened)).rerank("q", ["a", "b"])
    documents = {"query": "q", "documents": ["a", "b"], "top_n": 2, "model": "small"}
    assert server.asked == [
        documents,
        documents | {"return_documents": False},
        {"query": "q", "texts": ["a", "b"], "truncate": True},
    ]
    assert server.keys == [f"Bearer {KEY}"] * 3


async def test_texts_of_a_small_server_go_in_batches(server: ModelServer) -> None:
    async with HttpReranker(f"{server.url}/v2", dialect=Dialect.TEI) as opened:
        assert len(await opened.rerank("q", ["text"] * 70)) == 70
    assert [len(asked["texts"]) for asked in server.asked] == [32, 32, 6]


@pytest.mark.parametrize(
    "failing",
    [
        Failing(stalls=True),
        Failing(breaks=True),
        Failing(status=429, headers={"Retry-After": "0"}),
        Failing(status=500, body=b"out of memory"),
        Failing(status=503),
    ],
    ids=repr,
)
async def test_what_may_pass_is_tried_again(
    server: ModelServer, http: HttpReranker, failing: Failing
) -> None:
    server.replies = [failing]
    assert list(await http.rerank("q", ["ab"])) == [0.02]
    server.replies = [failing, failing]
    with pytest.raises(RerankerUnavailable) as caught:
        await http.rerank("q", ["ab"])
    assert server.url in caught.value.message
    assert len(server.asked) == 4


async def test_a_service_that_wants_a_long_pause_is_not_waited_for(
    server: ModelServer, http: HttpReranker
) -> None:
    server.replies = [Failing(status=429, headers={"Retry-After": "60"})]
    with pytest.raises(RerankerUnavailable, match="429"):
        await http.rerank("q", ["ab"])
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"null",
        b"{}",
        b"[1, 2]",
        b'{"results": []}',
        b'[{"index": 0}]',
        b'[{"index": 0, "score": null}]',
        b'[{"index": 1, "score": 0.5}]',
        b'[{"index": 0, "score": 1e999}]',
        b'[{"index": 0, "score": 1}, {"index": 0, "score": 2}]',
        b'[{"index": 0, "score": "high"}]',
        b"[" * 5000,
        b" " * (4 * 1024 * 1024 + 1),
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_nonsense_is_no_answer_and_not_asked_for_again(
    server: ModelServer, http: HttpReranker, nonsense: bytes
) -> None:
    server.replies = [Failing(body=nonsense)]
    with pytest.raises(RerankerUnavailable):
        await http.rerank("q", ["ab"])
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
async def test_a_refusal_is_told_without_the_key(
    server: ModelServer, http: HttpReranker, status: int
) -> None:
    server.replies = [Failing(status=status, body=f"no {KEY}".encode(), headers={"Location": "/elsewhere"})]
    with pytest.raises(RerankerRefused, match=str(status)) as caught:
        await http.rerank("q", ["ab"])
    assert KEY not in caught.value.message
    assert len(server.asked) == 1


async def test_what_cannot_be_reached_is_unavailable() -> None:
    async with HttpReranker("http://127.0.0.1:1", attempts=1) as opened:
        with pytest.raises(RerankerUnavailable, match=r"127\.0\.0\.1:1/rerank"):
            await opened.rerank("q", ["a"])
    with pytest.raises(RerankerUnavailable, match="not open"):
        await HttpReranker("http://127.0.0.1:1").rerank("q", ["a"])


@pytest.mark.parametrize("url", ["", "ftp://host", "http://", "host/rerank"])
def test_an_address_must_be_one(url: str) -> None:
    with pytest.raises(Invalid):
        HttpReranker(url)
