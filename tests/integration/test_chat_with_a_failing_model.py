"""Chat over HTTP with a language model's server that streams, stalls, breaks off, refuses, and writes nonsense.

Whatever it does, the answer has its defined outcome: whole, as a stream, and in a thread.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.model_servers.language_model import OpenAiLanguageModel
from tests.http_server import Api, World, events_of, serving
from tests.model_servers import Failing, ModelServer, model_server

BEES = "Bees gather nectar. A hive holds forty thousand bees."
QUESTION = "How many bees does a hive hold?"
TEXT = "Forty thousand [1], or so they say [8]."
SHOWN = "Forty thousand [1], or so they say."


def told(asked: dict[str, Any]) -> dict[str, Any]:
    del asked
    choice = {"message": {"content": TEXT}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 70, "completion_tokens": 9}}


def chunk(text: str, **more: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}, **more}]}).encode() + b"\n\n"


def streamed(text: str = TEXT, reason: str = "stop") -> Failing:
    pieces = tuple(chunk(text[at : at + 4]) for at in range(0, len(text), 4))
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":70,"completion_tokens":9}}\n\n'
    return Failing(chunks=(*pieces, chunk("", finish_reason=reason), usage, b"data: [DONE]\n\n"))


@dataclass
class Talk:
    """A server over a model's server."""

    api: Api
    model: ModelServer

    async def whole(self) -> tuple[int, Any]:
        return await self.api.ask("POST", "/api/v1/chat/complete", json={"query": QUESTION})

    async def read(self, path: str = "/api/v1/chat/stream", **body: str) -> tuple[int, list[Any], Any]:
        """The status, the events, and the problem if there is one instead."""
        async with self.api.session.post(self.api.url + path, json=body or {"query": QUESTION}) as response:
            text = await response.text()
            is_stream = response.content_type == "text/event-stream"
            return (
                response.status,
                events_of(text) if is_stream else [],
                None if is_stream else json.loads(text),
            )

    async def in_thread(self) -> tuple[Any, Any]:
        """What a thread's stream ends with, and how the answer stands afterwards."""
        _, thread = await self.api.ask("POST", "/api/v1/chat/threads")
        messages = f"/api/v1/chat/threads/{thread['id']}/messages"
        status, events, problem = await self.read(f"{messages}/stream", content=QUESTION)
        _, page = await self.api.ask("GET", messages)
        return events[-1] if status == 200 else problem, page["messages"][1]


@asynccontextmanager
async def talking(*replies: Failing, patience: float = 0.25) -> AsyncIterator[Talk]:
    async with (
        model_server("/v1/chat/completions", told) as model,
        OpenAiLanguageModel(
            f"{model.url}/v1", model="small", timeout=patience, attempts=2, retry_delay_seconds=0.01
        ) as language_model,
    ):
        model.replies = list(replies)
        world = World(language_model=language_model)
        await world.index("bees", BEES)
        async with serving(world=world) as api:
            yield Talk(api, model)


def text_of(events: list[Any]) -> str:
    return "".join(event.data["content"] for event in events if event.event == "text")


async def test_invented_citations_are_taken_out_and_told() -> None:
    """In the whole answer and in the stream, in which no reader ever sees them."""
    async with talking() as talk:
        status, answer = await talk.whole()
        assert (status, answer["text"], answer["unknown_markers"]) == (200, SHOWN, [8])
        assert answer["usage"] == {"prompt_tokens": 70, "completion_tokens": 9, "total_tokens": 79}
        talk.model.replies = [streamed()]
        _, events, _ = await talk.read()
        assert text_of(events) == SHOWN
        assert (events[-1].data["unknown_markers"], events[-1].data["usage"]["total_tokens"]) == ([8], 79)


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_an_answer_that_is_cut_off_is_told_from_a_whole_one(reason: str) -> None:
    """Whole, as a stream, in a thread, and to OpenAI's clients."""
    choice = {"message": {"content": TEXT}, "finish_reason": reason}
    cut_off = Failing(status=200, body=json.dumps({"choices": [choice]}).encode())
    asked = {"model": "factflow", "messages": [{"role": "user", "content": QUESTION}]}
    async with talking(cut_off) as talk:
        assert (await talk.whole())[1]["finish_reason"] == reason
        talk.model.replies = [cut_off]
        _, facade = await talk.api.ask("POST", "/v1/chat/completions", json=asked)
        assert facade["choices"][0]["finish_reason"] == facade["factflow"]["finish_reason"] == reason
        talk.model.replies = [streamed(reason=reason)]
        assert (await talk.read())[1][-1].data["finish_reason"] == reason
        talk.model.replies = [streamed(reason=reason)]
        end, message = await talk.in_thread()
        assert end.data["finish_reason"] == message["answer"]["finish_reason"] == reason


@pytest.mark.parametrize("after", ["", "stop", None])
async def test_what_follows_on_a_cut_off_does_not_hide_it(after: str | None) -> None:
    ending = Failing(
        chunks=(
            chunk(TEXT),
            chunk("", finish_reason="length"),
            chunk("", finish_reason=after),
            b"data: [DONE]\n\n",
        )
    )
    async with talking(ending) as talk:
        assert (await talk.read())[1][-1].data["finish_reason"] == "length"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_recovers_is_asked_again(status: int) -> None:
    async with talking(Failing(status=status)) as talk:
        assert (await talk.whole())[1]["text"] == SHOWN
        talk.model.replies = [Failing(status=status), streamed()]
        assert text_of((await talk.read())[1]) == SHOWN


NEVER_BEGUN = {
    "429": Failing(status=429, body=b'{"error":{"message":"slow down"}}'),
    "500": Failing(status=500),
    "silence": Failing(stalls=True),
    "a broken connection": Failing(breaks=True),
    "nonsense": Failing(body=b"<html>welcome</html>", headers={"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("reply", NEVER_BEGUN.values(), ids=NEVER_BEGUN)
async def test_an_answer_that_never_begins_is_unavailable(reply: Failing) -> None:
    """A 503, an event after the sources, and a failed answer beside its question; never an extract instead."""
    async with talking(reply, reply) as talk:
        status, problem = await talk.whole()
        assert (status, problem["error_code"]) == (503, "language_model_unavailable")
        talk.model.replies = [reply, reply]
        _, events, _ = await talk.read()
        assert [event.event for event in events] == ["sources", "error"]
        talk.model.replies = [reply, reply]
        last, answer = await talk.in_thread()
        assert (last.event, last.data["error_code"]) == ("error", "language_model_unavailable")
        assert (answer["status"], answer["content"]) == ("failed", "")
        assert answer["error"]["code"] == "language_model_unavailable"


HALF = chunk("Forty thousand [1]") + chunk(" or")
BROKEN_OFF = {
    "silence": Failing(chunks=(HALF,), stalls=True),
    "a broken connection": Failing(chunks=(HALF,), breaks=True),
    "an end without an end": Failing(chunks=(HALF,)),
    "an error": Failing(chunks=(HALF, b'data: {"error":{"message":"out of memory"}}\n\n')),
    "nonsense": Failing(chunks=(HALF, b"data: <html>\n\n")),
}


@pytest.mark.parametrize("reply", BROKEN_OFF.values(), ids=BROKEN_OFF)
async def test_an_answer_that_breaks_off_ends_with_an_error_and_keeps_what_there_was(reply: Failing) -> None:
    """It is not begun again, for a reader has seen its beginning."""
    async with talking(reply) as talk:
        _, events, _ = await talk.read()
        assert text_of(events).startswith("Forty thousand [1]")
        assert [event.event for event in events][-1] == "error"
        assert events[-1].data["error_code"] == "language_model_unavailable"
        assert len(talk.model.asked) == 1
        talk.model.replies = [reply]
        last, answer = await talk.in_thread()
        assert last.event == "error"
        assert (answer["status"], answer["content"].startswith("Forty thousand [1]")) == ("failed", True)
        assert [one["number"] for one in answer["answer"]["citations"]] == [1]


async def test_a_refused_request_is_the_callers_to_change() -> None:
    refusal = Failing(status=400, body=b'{"error":{"message":"the prompt is too long"}}')
    async with talking(refusal) as talk:
        status, problem = await talk.whole()
        assert (status, problem["error_code"]) == (403, "language_model_refused")
        assert "too long" in problem["detail"]
        assert len(talk.model.asked) == 1


async def test_an_empty_answer_is_unsupported_and_whole() -> None:
    async with talking(streamed("")) as talk:
        _, events, _ = await talk.read()
        assert [event.event for event in events] == ["sources", "done"]
        assert events[-1].data["is_supported"] is False
