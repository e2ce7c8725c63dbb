"""The behaviour that ``application.ports.language_model`` promises, for every language model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from adapters.memory.models import MemoryLanguageModel
from adapters.model_servers.language_model import OpenAiLanguageModel
from application.ports.language_model import ChatMessage, CompletionOptions, LanguageModel
from domain.chat.errors import LanguageModelRefused, LanguageModelUnavailable
from domain.chat.finish import FinishReason
from domain.chat.usage import TokenUsage
from domain.errors import FactflowError, Invalid, Refused, Unavailable

KEY = "sk-very-secret"
QUESTION = (ChatMessage(role="user", content="How much?"),)
PLAIN = CompletionOptions()


@dataclass
class Endpoint:
    """A server on loopback that speaks the protocol, or fails as it is told: one reply a request."""

    replies: list[Reply] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if not reply.chunks:
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in reply.chunks:
            await response.write(chunk)
            await asyncio.sleep(0.001)
        if reply.hang:
            await asyncio.sleep(5)
        if reply.break_off and request.transport is not None:
            request.transport.abort()
        return response


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    break_off: bool = False
    hang: bool = False


def whole(text: str, **more: object) -> Reply:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], **more}).encode()
    return Reply(body=body, headers={"Content-Type": "application/json"})


def delta(text: str, **more: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}, **more}]}).encode()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    application = web.Application()
    application.router.add_post("/v1/chat/completions", endpoint.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
async def openai(endpoint: Endpoint) -> AsyncIterator[OpenAiLanguageModel]:
    async with OpenAiLanguageModel(
        endpoint.url, model="small", api_key=KEY, timeout=0.3, retry_delay_seconds=0.01
    ) as opened:
        yield opened


@pytest.fixture(params=["openai", "memory"])
async def told(request: pytest.FixtureRequest, endpoint: Endpoint) -> AsyncIterator[LanguageModel]:
    """A language model that was told to answer with the text below."""
    text = "About 42 [1], née – 東京."
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryLanguageModel(text)
            return
        pieces = tuple(delta(text[start : start + 3]) + b"\n\n" for start in range(0, len(text), 3))
        cost = b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":6}}\n\n'
        streamed = Reply(chunks=(*pieces, cost, b"data: [DONE]\n\n"))
        endpoint.replies = [whole(text, usage={"prompt_tokens": 2, "completion_tokens": 6}), streamed]
        yield await stack.enter_async_context(OpenAiLanguageModel(endpoint.url, model="small"))


@pytest.fixture(params=["openai", "memory"])
async def failing(request: pytest.FixtureRequest, endpoint: Endpoint) -> AsyncIterator[LanguageModel]:
    """A language model that cannot be reached."""
    if request.param == "memory":
        yield MemoryLanguageModel(LanguageModelUnavailable())
        return
    async with OpenAiLanguageModel(
        "http://127.0.0.1:1/v1", model="small", retry_delay_seconds=0.01
    ) as opened:
        yield opened


async def streamed(model: LanguageModel, options: CompletionOptions = PLAIN) -> str:
    return "".join([piece async for piece in model.stream(QUESTION, options) if isinstance(piece, str)])


async def listen(model: LanguageModel, pieces: list[str]) -> None:
    """Collect the pieces into a list that survives an error."""
    async for piece in model.stream(QUESTION, PLAIN):
        if isinstance(piece, str):
            pieces.append(piece)  # noqa: PERF401 - a comprehension would lose them


async def test_the_answer_comes_whole_or_in_pieces(told: LanguageModel) -> None:
    """And is the same either way."""
    assert (await told.complete(QUESTION, PLAIN)).text == "About 42 [1], née – 東京."
    assert await streamed(told) == "About 42 [1], née – 東京."
    assert told.name


async def test_what_an_answer_cost_is_told_either_way(told: LanguageModel) -> None:
    cost = TokenUsage(prompt_tokens=2, completion_tokens=6)
    assert (await told.complete(QUESTION, PLAIN)).usage == cost
    assert [piece async for piece in told.stream(QUESTION, PLAIN) if isinstance(piece, TokenUsage)] == [cost]


async def test_a_server_that_knows_no_stream_options_is_asked_without(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    """And not asked for them again."""
    endpoint.replies = [Reply(status=400, body=b'{"error":"unknown field stream_options"}'), whole("ok")]
    assert await streamed(openai) == "ok"
    assert await streamed(openai) == "ok"
    assert ["stream_options" in asked for asked in endpoint.asked] == [True, False, False]


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"total_tokens": 9}, None])
async def test_a_cost_that_is_not_told_is_unknown(
    openai: OpenAiLanguageModel, endpoint: Endpoint, usage: object
) -> None:
    endpoint.replies = [whole("ok", usage=usage)]
    assert (await openai.complete(QUESTION, PLAIN)).usage is None


async def test_what_cannot_be_reached_is_unavailable(failing: LanguageModel) -> None:
    with pytest.raises(Unavailable):
        await failing.complete(QUESTION, PLAIN)
    with pytest.raises(Unavailable):
        await streamed(failing)


async def test_an_unreachable_endpoint_is_named(endpoint: Endpoint) -> None:
    async with OpenAiLanguageModel("http://127.0.0.1:1/v1", model="small", attempts=1) as model:
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1/v1"):
            await model.complete(QUESTION, PLAIN)


async def test_a_request_says_what_was_asked_and_no_more(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    endpoint.replies = [whole("ok")]
    await openai.complete(QUESTION, PLAIN)
    await openai.complete(QUESTION, CompletionOptions(model="large", temperature=0.0, max_tokens=9))
    messages = [{"role": "user", "content": "How much?"}]
    assert endpoint.asked == [
        {"model": "small", "messages": messages, "stream": False},
        {"model": "large", "messages": messages, "stream": False, "temperature": 0.0, "max_tokens": 9},
    ]
    assert set(endpoint.keys) == {f"Bearer {KEY}"}


async def test_half_a_character_does_not_stop_a_question(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    endpoint.replies = [whole("ok")]
    await openai.complete([ChatMessage(role="user", content="half \ud800")], PLAIN)
    assert endpoint.asked[0]["messages"] == [{"role": "user", "content": "half ?"}]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_stream_is_read_however_it_is_cut(
    openai: OpenAiLanguageModel, endpoint: Endpoint, size: int
) -> None:
    """Comments, CRLF, no space after the colon, empty choices, a usage chunk, letters cut in half."""
    events = b"\r\n\r\n".join([
        b": keep-alive",
        b"event: message\r\nid: 7\r\n" + delta("Grö"),
        delta("ße").replace(b"data: ", b"data:"),
        b'data: {"choices":[{"delta":{"role":"assistant","content":null}}]}',
        b'data: {"choices":[],"usage":{"total_tokens":9}}',
        b"data: " + json.dumps({"choices": [{"delta": {"content": " 東"}}]}, ensure_ascii=False).encode(),
        b"data: [DONE]",
        delta("never read"),
    ])  # fmt: skip
    endpoint.replies = [
        Reply(chunks=tuple(events[start : start + size] for start in range(0, len(events), size)))
    ]
    assert await streamed(openai) == "Größe 東"


async def test_a_stream_may_end_without_a_done_when_it_says_it_finished(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    endpoint.replies = [Reply(chunks=(delta("all") + b"\n\n", delta("", finish_reason="stop") + b"\n"))]
    assert await streamed(openai) == "all"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("eos", FinishReason.STOP),
    ],
)
async def test_why_an_answer_ends_is_told_either_way(
    openai: OpenAiLanguageModel, endpoint: Endpoint, told: str, reason: FinishReason
) -> None:
    """Whole, as a stream, and by a server that does not stream."""
    body = json.dumps({"choices": [{"message": {"content": "so"}, "finish_reason": told}]}).encode()
    reply = Reply(body=body, headers={"Content-Type": "application/json"})
    endpoint.replies = [reply]
    assert (await openai.complete(QUESTION, PLAIN)).finish_reason is reason
    chunks = (delta("so") + b"\n\n", delta("", finish_reason=told) + b"\n\n", b"data: [DONE]\n\n")
    for endpoint.replies in ([reply], [Reply(chunks=chunks)]):
        assert [piece async for piece in openai.stream(QUESTION, PLAIN)] == ["so", reason]


async def test_a_server_that_does_not_stream_answers_all_the_same(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    endpoint.replies = [whole("all at once")]
    assert await streamed(openai) == "all at once"


BROKEN = {
    "an error object": Reply(
        chunks=(delta("so") + b"\n\n", b'data: {"error":{"message":"out of memory"}}\n\n')
    ),
    "an error that is a string": Reply(
        chunks=(delta("so") + b"\n\n", b'data: {"error":"out of memory"}\n\n')
    ),
    "a quiet end": Reply(chunks=(delta("so") + b"\n\n",)),
    "a broken connection": Reply(chunks=(delta("so") + b"\n\n",), break_off=True),
    "silence": Reply(chunks=(delta("so") + b"\n\n",), hang=True),
    "not JSON": Reply(chunks=(delta("so") + b"\n\n", b"data: <html>\n\n")),
    "a quiet end that is no reason": Reply(chunks=(delta("so", finish_reason="") + b"\n\n",)),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
async def test_a_stream_that_breaks_is_unavailable_and_not_begun_again(
    openai: OpenAiLanguageModel, endpoint: Endpoint, reply: Reply
) -> None:
    endpoint.replies = [reply]
    pieces: list[str] = []
    with pytest.raises(Unavailable):
        await listen(openai, pieces)
    assert pieces == ["so"]
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_a_failing_server_is_asked_again(
    openai: OpenAiLanguageModel, endpoint: Endpoint, status: int
) -> None:
    endpoint.replies = [
        Reply(status=status),
        Reply(status=status, headers={"Retry-After": "0"}),
        whole("at last"),
    ]
    assert (await openai.complete(QUESTION, PLAIN)).text == "at last"
    endpoint.replies = [Reply(status=status), whole("at last")]
    assert await streamed(openai) == "at last"


async def test_a_server_that_keeps_failing_is_unavailable(
    openai: OpenAiLanguageModel, endpoint: Endpoint
) -> None:
    endpoint.replies = [Reply(status=503, body=b'{"error":{"message":"loading the model"}}')]
    with pytest.raises(Unavailable, match=r"503.*loading the model"):
        await openai.complete(QUESTION, PLAIN)
    assert len(endpoint.asked) == 3


async def test_nobody_waits_for_an_hour(openai: OpenAiLanguageModel, endpoint: Endpoint) -> None:
    """Asked to come back that late, it gives up at once."""
    endpoint.replies = [Reply(status=429, headers={"Retry-After": "3600"})]
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable):
            await openai.complete(QUESTION, PLAIN)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "API key"),
        (403, "API key"),
        (404, "no model 'small'"),
        (400, "too long"),
        (422, "too long"),
        (302, "302"),
    ],
)
async def test_a_rejected_request_is_refused_and_not_repeated(
    openai: OpenAiLanguageModel, endpoint: Endpoint, status: int, said: str
) -> None:
    """The key stays secret, though the server repeats it."""
    body = json.dumps({"error": {"message": f"too long, {KEY}"}}).encode()
    endpoint.replies = [Reply(status=status, body=body, headers={"Location": "http://127.0.0.1:1/"})]
    for answer in (openai.complete(QUESTION, PLAIN), streamed(openai)):
        with pytest.raises(Refused, match=said) as caught:
            await answer
        assert KEY not in str(caught.value)
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"choices":[]}', b'{"choices":7}', b"\xff", b"[" * 100_000]
)
async def test_what_is_not_the_protocol_is_unavailable(
    openai: OpenAiLanguageModel, endpoint: Endpoint, body: bytes
) -> None:
    endpoint.replies = [Reply(body=body, headers={"Content-Type": "application/json"})]
    with pytest.raises(LanguageModelUnavailable):
        await openai.complete(QUESTION, PLAIN)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(chunks=(b"data: [DONE]\n\n",)),
        Reply(chunks=(b"data: {}\n\n", b"data: [DONE]\n\n")),
        Reply(chunks=(b'data: {"choices":[],"usage":{"prompt_tokens":2}}\n\n', b"data: [DONE]\n\n")),
        Reply(body=b"{}", headers={"Content-Type": "application/json"}),
    ],
    ids=["nothing", "an empty object", "a cost alone", "no stream"],
)
async def test_a_stream_without_a_choice_is_no_answer(
    openai: OpenAiLanguageModel, endpoint: Endpoint, reply: Reply
) -> None:
    endpoint.replies = [reply]
    with pytest.raises(LanguageModelUnavailable, match="without a choice"):
        await streamed(openai)


async def test_an_endless_answer_is_cut_off(endpoint: Endpoint) -> None:
    endpoint.replies = [whole("x" * 5_000), Reply(chunks=(b": " + b"x" * 5_000,))]
    async with OpenAiLanguageModel(endpoint.url, model="small", max_response_bytes=1_000) as model:
        with pytest.raises(Unavailable, match="more than 1000 bytes"):
            await model.complete(QUESTION, PLAIN)
        with pytest.raises(Unavailable, match="more than 1000 bytes"):
            await streamed(model)


async def test_a_listener_may_leave_early(openai: OpenAiLanguageModel, endpoint: Endpoint) -> None:
    """The connection is closed, and the next question has one of its own."""
    endpoint.replies = [Reply(chunks=(delta("so") + b"\n\n",), hang=True), whole("again")]
    async with aclosing(openai.stream(QUESTION, PLAIN)) as pieces:
        async for piece in pieces:
            assert piece == "so"
            break
    assert (await openai.complete(QUESTION, PLAIN)).text == "again"


@pytest.mark.parametrize("address", ["", "localhost", "ftp://host/v1", "http://", "http://[bad/v1"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(Invalid):
        OpenAiLanguageModel(address, model="small")


def test_a_key_that_would_break_the_header_is_refused_without_being_shown() -> None:
    with pytest.raises(LanguageModelRefused) as caught:
        OpenAiLanguageModel("http://localhost/v1", model="small", api_key="sk-very\r\nsecret")
    assert "secret" not in str(caught.value)


async def test_a_model_that_is_not_open_says_so() -> None:
    with pytest.raises(FactflowError, match="not open"):
        await OpenAiLanguageModel("http://localhost/v1", model="small").complete(QUESTION, PLAIN)
