"""Many callers of one server over real connections: what it refuses, what it delays, and what it never answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from adapters.model_servers.language_model import OpenAiLanguageModel
from application.call_limiter import CallLimiter
from application.ports.language_model import ChatMessage, CompletionOptions
from domain.errors import Unavailable

QUESTION = (ChatMessage(role="user", content="How much?"),)
PLAIN = CompletionOptions()
WHOLE = {"choices": [{"message": {"content": "so"}, "finish_reason": "stop"}]}
DELTA = b'data: {"choices":[{"delta":{"content":"so"}}]}\n\n'


@dataclass
class Server:
    """Takes ``capacity`` requests at once and refuses more with 429; each takes ``seconds``.

    ``statuses`` are answered first, whatever the load.
    """

    capacity: int = 1000
    seconds: float = 0.01
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    at_once: int = 0
    most_at_once: int = 0
    refused: int = 0
    served: int = 0
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        is_stream = (await request.json())["stream"]
        if self.statuses:
            return web.Response(status=self.statuses.pop(0), headers=self.headers)
        if self.at_once >= self.capacity:
            self.refused += 1
            return web.Response(status=429, headers=self.headers)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if is_stream:
                return await self._stream(request)
            await asyncio.sleep(self.seconds)
            self.served += 1
            return web.json_response(WHOLE)
        finally:
            self.at_once -= 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(DELTA)
        await asyncio.sleep(self.seconds)
        await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


@asynccontextmanager
async def caller(
    server: Server, *, floor: int = 1, most: int = 16, attempts: int = 7, patience: float = 5.0
) -> AsyncIterator[tuple[OpenAiLanguageModel, CallLimiter]]:
    limiter = CallLimiter(server.url, floor=floor, most=most)
    async with OpenAiLanguageModel(
        server.url,
        model="small",
        timeout=patience,
        attempts=attempts,
        retry_delay_seconds=0.02,
        limiter=limiter,
    ) as model:
        yield model, limiter


async def test_no_more_requests_are_under_way_than_the_limit(server: Server) -> None:
    """Everyone is served, in the end."""
    async with caller(server, most=4) as (model, _):
        await asyncio.gather(*(model.complete(QUESTION, PLAIN) for _ in range(40)))
    assert (server.most_at_once, server.served) == (4, 40)


async def test_a_server_that_refuses_what_is_too_much_serves_everyone_in_the_end(server: Server) -> None:
    """The limit comes down to what it takes, so that most calls are not refused."""
    server.capacity = 4
    async with caller(server, attempts=12) as (model, limiter):
        answers = await asyncio.gather(*(model.complete(QUESTION, PLAIN) for _ in range(150)))
    assert [answer.text for answer in answers] == ["so"] * 150
    assert limiter.status().limit <= 8
    assert server.refused < 75


async def test_two_models_of_one_server_share_its_limit(server: Server) -> None:
    async with caller(server, most=3) as (model, limiter):
        other = OpenAiLanguageModel(server.url, model="large", limiter=limiter)
        async with other:
            await asyncio.gather(*(one.complete(QUESTION, PLAIN) for one in (model, other) * 10))
    assert (server.most_at_once, server.served) == (3, 20)


async def test_a_stream_is_under_way_until_its_end(server: Server) -> None:
    """Also one that its reader leaves early, until then."""
    server.seconds = 5.0
    async with caller(server, most=1) as (model, limiter):
        async with aclosing(model.stream(QUESTION, PLAIN)) as pieces:
            assert await anext(pieces) == "so"
            assert limiter.status().in_flight == 1
            waiting = asyncio.create_task(model.complete(QUESTION, PLAIN))
            await asyncio.sleep(0.05)
            assert (server.at_once, limiter.status().waiting) == (1, 1)
        server.seconds = 0.01
        assert (await asyncio.wait_for(waiting, 2)).text == "so"
    assert limiter.status().in_flight == 0


async def test_a_refused_stream_halves_the_limit_and_is_begun_again(server: Server) -> None:
    server.statuses = [429]
    async with caller(server, floor=1, most=8) as (model, limiter):
        assert [piece async for piece in model.stream(QUESTION, PLAIN)] == ["so"]
    assert limiter.status().limit == 4


async def test_what_the_server_asks_to_wait_holds_for_all_its_callers(server: Server) -> None:
    server.statuses, server.headers = [429], {"Retry-After": "0.3"}
    clock = asyncio.get_running_loop().time
    async with caller(server) as (model, limiter):
        began = clock()
        first = asyncio.create_task(model.complete(QUESTION, PLAIN))
        while not limiter.status().lowered:  # noqa: ASYNC110 (the limiter tells nobody)
            await asyncio.sleep(0.001)
        await model.complete(QUESTION, PLAIN)
        assert clock() - began >= 0.3
        assert (await first).text == "so"


@pytest.mark.parametrize("status", [500, 503, 408])
async def test_a_failing_server_is_asked_again_at_the_same_rate(server: Server, status: int) -> None:
    server.statuses = [status, status]
    async with caller(server, most=8) as (model, limiter):
        assert (await model.complete(QUESTION, PLAIN)).text == "so"
    assert limiter.status().limit == 8


async def test_a_server_that_never_answers_is_unavailable_and_frees_its_slots(server: Server) -> None:
    server.seconds = 30.0
    async with caller(server, most=2, attempts=2, patience=0.05) as (model, limiter):
        answers = await asyncio.gather(
            *(model.complete(QUESTION, PLAIN) for _ in range(4)), return_exceptions=True
        )
        assert [type(answer) for answer in answers if not isinstance(answer, Unavailable)] == []
        assert limiter.status().in_flight == 0


async def test_cancelled_callers_leave_no_slot_behind(server: Server) -> None:
    """Whether they wait for one, for an answer, or for the next attempt."""
    server.seconds, server.statuses = 30.0, [503]
    async with caller(server, most=3) as (model, limiter):
        calls = [asyncio.create_task(model.complete(QUESTION, PLAIN)) for _ in range(9)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (limiter.status().in_flight, limiter.status().waiting) == (0, 0)
        server.seconds = 0.01
        assert (await asyncio.wait_for(model.complete(QUESTION, PLAIN), 2)).text == "so"
