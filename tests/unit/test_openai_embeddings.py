"""An embedding endpoint that fails in every way: what is tried again, what is told, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.model_servers.embeddings import OpenAiEmbeddingModel
from application.batcher import Batcher
from application.tracing import TRACE
from domain.errors import Invalid, Unavailable
from domain.retrieval.errors import EmbeddingInputRefused, EmbeddingModelRefused, EmbeddingModelUnavailable
from domain.trace import Trace
from domain.verdict import Verdict, verdict_on
from tests.model_servers import Failing, ModelServer, model_server

KEY = "sk-very-secret"


def embedded(body: dict[str, Any]) -> Any:
    return {"data": [{"embedding": [float(len(text)), 0.0]} for text in body["input"]]}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server("/v1/embeddings", embedded) as running:
        yield running


@pytest.fixture
async def model(server: ModelServer) -> AsyncIterator[OpenAiEmbeddingModel]:
    async with OpenAiEmbeddingModel(
        f"{server.url}/v1/",
        model="small",
        dimension=2,
        api_key=KEY,
        timeout=0.2,
        attempts=2,
        retry_delay_seconds=0.01,
        batch=3,
    ) as opened:
        yield opened


async def test_texts_go_in_batches_with_the_key(server: ModelServer, model: OpenAiEmbeddingModel) -> None:
    assert await model.embed(["x"] * 7) == [[1.0, 0.0]] * 7
    assert sorted(len(asked["input"]) for asked in server.asked) == [1, 3, 3]
    assert {asked["model"] for asked in server.asked} == {"small"}
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert (model.model_name, model.identity, model.dimension) == ("small", "openai/small/2", 2)


async def test_what_is_asked_belongs_to_the_trace_of_the_request(
    server: ModelServer, model: OpenAiEmbeddingModel
) -> None:
    """And to none outside of one."""
    await model.embed(["x"])
    trace = Trace.begun(bytes(range(1, 25)))
    token = TRACE.set(trace)
    try:
        await model.embed(["x"])
    finally:
        TRACE.reset(token)
    assert server.traces == [None, str(trace)]


@pytest.mark.parametrize(
    "failing",
    [
        Failing(stalls=True),
        Failing(breaks=True),
        Failing(status=429, headers={"Retry-After": "0"}),
        Failing(status=500),
        Failing(status=503, body=b'{"error": {"message": "loading"}}'),
    ],
    ids=repr,
)
async def test_what_may_pass_is_tried_again(
    server: ModelServer, model: OpenAiEmbeddingModel, failing: Failing
) -> None:
    server.replies = [failing]
    assert len(await model.embed(["a"])) == 1
    server.replies = [failing, failing]
    with pytest.raises(EmbeddingModelUnavailable, match="/v1/embeddings"):
        await model.embed(["a"])


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"data": []}',
        b'{"data": [{"embedding": [0, 0]}]}',
        b'{"data": [{"embedding": [1e999, 0]}]}',
        b'{"data": [{"embedding": ["a", 0]}]}',
        b'{"data": [{"embedding": [1, 0], "index": 4}]}',
        b'{"data": [{"embedding": [1, 0]}, {"embedding": [1, 0]}]}',
    ],
)
async def test_nonsense_is_no_answer(
    server: ModelServer, model: OpenAiEmbeddingModel, nonsense: bytes
) -> None:
    server.replies = [Failing(body=nonsense)]
    with pytest.raises(EmbeddingModelUnavailable):
        await model.embed(["a"])
    assert len(server.asked) == 1


async def test_vectors_of_another_dimension_are_refused(
    server: ModelServer, model: OpenAiEmbeddingModel
) -> None:
    server.replies = [Failing(body=json.dumps({"data": [{"embedding": [1, 2, 3]}]}).encode())]
    with pytest.raises(EmbeddingModelRefused, match="3 dimensions, and its slot is set to 2"):
        await model.embed(["a"])


@pytest.mark.parametrize("status", [301, 401, 403, 404])
async def test_a_refusal_is_told_without_the_key(
    server: ModelServer, model: OpenAiEmbeddingModel, status: int
) -> None:
    server.replies = [Failing(status=status, body=f"no {KEY}".encode(), headers={"Location": "/"})]
    with pytest.raises(EmbeddingModelRefused, match=str(status)) as caught:
        await model.embed(["a"])
    assert KEY not in caught.value.message


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_text_that_is_not_taken_is_its_senders_matter(
    server: ModelServer, model: OpenAiEmbeddingModel, status: int
) -> None:
    """It is no outage: the next text may well be taken."""
    server.replies = [Failing(status=status, body=f'{{"error": "too long, {KEY}"}}'.encode())]
    with pytest.raises(EmbeddingInputRefused, match=rf"\({status}\): too long") as caught:
        await model.embed(["a"])
    assert verdict_on(caught.value) is Verdict.TERMINAL
    assert KEY not in caught.value.message


async def test_a_text_that_is_not_taken_takes_no_other_along() -> None:
    async def answer(request: web.Request) -> web.Response:
        texts = (await request.json())["input"]
        if "poison" in texts:
            return web.json_response({"error": {"message": "fewer than 512 tokens"}}, status=413)
        return web.json_response(embedded({"input": texts}))

    server = TestServer(web.Application())
    server.app.router.add_post("/v1/embeddings", answer)
    async with (
        server,
        OpenAiEmbeddingModel(str(server.make_url("/v1")), model="small", dimension=2) as model,
    ):
        batcher = Batcher(model.embed, size=32)
        texts = [*(f"good {number}" for number in range(30)), "poison", "good too"]
        results = await asyncio.gather(*map(batcher.submit, texts), return_exceptions=True)
    assert [type(result) for result in results] == [list] * 30 + [EmbeddingInputRefused, list]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_endpoint_that_refuses_every_text_is_set_up_wrongly(
    server: ModelServer, model: OpenAiEmbeddingModel, status: int
) -> None:
    """No text is to blame, and those who wait for it are not asked for one by one."""
    refusal = Failing(status=status, body=f'{{"error": "no model loaded, {KEY}"}}'.encode())
    server.replies = [refusal] * 9
    batcher = Batcher(model.embed, size=3)
    results = await asyncio.gather(*map(batcher.submit, "abc"), return_exceptions=True)
    assert len(server.asked) == 2
    for error in results:
        assert isinstance(error, EmbeddingModelRefused)
        assert "no model loaded" in error.message
        assert KEY not in error.message
        assert verdict_on(error) is not Verdict.TERMINAL


async def test_whether_a_text_is_to_blame_is_open_while_the_endpoint_is_away(
    server: ModelServer, model: OpenAiEmbeddingModel
) -> None:
    server.replies = [Failing(status=400), *[Failing(status=503)] * 2]
    with pytest.raises(EmbeddingModelUnavailable):
        await model.embed(["a"])


async def test_one_batch_that_fails_fails_all(server: ModelServer, model: OpenAiEmbeddingModel) -> None:
    server.replies = [Failing(status=400)]
    with pytest.raises(EmbeddingInputRefused):
        await model.embed(["a"] * 9)


async def test_what_is_not_there_is_unavailable() -> None:
    async with OpenAiEmbeddingModel("http://127.0.0.1:1/v1", model="m", dimension=2, attempts=1) as model:
        with pytest.raises(Unavailable):
            await model.embed(["a"])
    with pytest.raises(EmbeddingModelUnavailable, match="not open"):
        await OpenAiEmbeddingModel("http://127.0.0.1:1/v1", model="m", dimension=2).embed(["a"])
    with pytest.raises(Invalid):
        OpenAiEmbeddingModel("host", model="m", dimension=2)
