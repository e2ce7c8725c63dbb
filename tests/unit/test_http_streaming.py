"""Answers that arrive piece by piece: `adapters/http/streaming.py`, driven as a server drives it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.open_streams import PLACE, OpenStreams
from adapters.http.streaming import ByteStream, EventStream, ServerSentEvent
from domain.errors import Unavailable
from domain.storage import ObjectNotFound


class Client:
    """What an ASGI server is to an application: it takes messages, and tells when the client is gone."""

    def __init__(self, *, leaves_after: int | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self._leaves_after = leaves_after
        self._gone, self.told = asyncio.Event(), asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if b"event:" in message.get("body", b""):
            self.told.set()
        if self._leaves_after is not None and len(self.sent) > self._leaves_after:
            self._gone.set()
        await asyncio.sleep(0)

    @property
    def body(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


class Source:
    """Events from a list, then whatever `last` does; knows whether it was closed."""

    def __init__(self, *items: Any, error: Exception | None = None, is_endless: bool = False) -> None:
        self.items, self.error, self.is_endless = items, error, is_endless
        self.is_closed = False

    async def __call__(self) -> AsyncIterator[Any]:
        try:
            for item in self.items:
                yield item
            if self.error is not None:
                raise self.error
            if self.is_endless:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


EVENT = ServerSentEvent(event="text", data={"content": "two\nlines"}, id="7")


async def run(answer: Any, client: Client) -> None:
    await asyncio.wait_for(answer({"type": "http", "litestar_app": Served()}, client.receive, client.send), 5)


async def test_an_event_is_one_line_of_json_with_its_name_and_id() -> None:
    assert EVENT.encode() == b'id: 7\nevent: text\ndata: {"content":"two\\nlines"}\n\n'


async def test_a_stream_of_events_ends_with_its_source() -> None:
    source, client = Source(EVENT, EVENT), Client()
    await run(EventStream(source(), heartbeat_seconds=9), client)
    assert client.body.count("event: text") == 2
    assert client.is_complete
    assert source.is_closed


async def test_silence_is_filled_with_comments() -> None:
    source, client = Source(is_endless=True), Client(leaves_after=4)
    await run(EventStream(source(), heartbeat_seconds=0.01), client)
    assert client.body.count(": still here\n\n") >= 2
    assert source.is_closed


async def test_a_client_that_leaves_closes_the_source_at_once() -> None:
    source, client = Source(EVENT, is_endless=True), Client(leaves_after=2)
    await run(EventStream(source(), heartbeat_seconds=60), client)
    assert source.is_closed


async def test_an_error_of_ours_becomes_an_event(caplog: pytest.LogCaptureFixture) -> None:
    source, client = Source(EVENT, error=Unavailable("the model is away")), Client()
    await run(EventStream(source(), heartbeat_seconds=9), client)
    assert "event: error" in client.body
    assert "the model is away" in client.body
    assert client.is_complete


async def test_an_unforeseen_error_becomes_an_event_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, client = Source(EVENT, error=RuntimeError("secret")), Client()
    await run(EventStream(source(), heartbeat_seconds=9), client)
    assert "internal_error" in client.body
    assert "secret" not in client.body
    assert "secret" in caplog.text


async def test_a_cancelled_stream_closes_its_source() -> None:
    source, client = Source(is_endless=True), Client()
    task = asyncio.create_task(run(EventStream(source(), heartbeat_seconds=60), client))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.is_closed


async def test_bytes_are_sent_piece_by_piece() -> None:
    source, client = Source(b"ab", b"cd"), Client()
    await run(ByteStream(source(), status=206, headers={"content-length": "4"}), client)
    assert (client.sent[0]["status"], client.body, client.is_complete) == (206, "abcd", True)
    assert source.is_closed


async def test_an_empty_object_is_answered_too() -> None:
    client = Client()
    await run(ByteStream(Source()(), status=200, headers={"content-length": "0"}), client)
    assert (client.sent[0]["status"], client.body, client.is_complete) == (200, "", True)


async def test_what_fails_before_the_first_piece_can_still_be_answered_otherwise() -> None:
    client = Client()
    with pytest.raises(ObjectNotFound):
        await run(ByteStream(Source(error=ObjectNotFound())(), status=200, headers={}), client)
    assert client.sent == []


async def test_what_breaks_off_later_leaves_the_answer_visibly_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, client = Source(b"ab", error=Unavailable()), Client()
    await run(ByteStream(source(), status=200, headers={"content-length": "4"}), client)
    assert client.body == "ab"
    assert not client.is_complete


async def test_a_client_that_leaves_stops_the_reading() -> None:
    source, client = Source(*[b"x"] * 100), Client(leaves_after=3)
    await run(ByteStream(source(), status=200, headers={}), client)
    assert len(client.body) < 10
    assert source.is_closed


class Served:
    """As much of an app as a stream looks at."""

    def __init__(self) -> None:
        self.streams = OpenStreams()
        self.state = {PLACE: self.streams}


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_server_that_stops_ends_its_streams(is_late: bool) -> None:
    """With a last event that says so, those that are open and one that comes after."""
    app, source, client = Served(), Source(EVENT, is_endless=True), Client()
    scope = {"type": "http", "litestar_app": app}
    answering = EventStream(source(), heartbeat_seconds=9)(scope, client.receive, client.send)  # type: ignore[arg-type]
    if is_late:
        app.streams.end()
    answer = asyncio.create_task(answering)
    if not is_late:
        await asyncio.wait_for(client.told.wait(), 5)
    app.streams.end()
    await asyncio.wait_for(answer, 5)
    assert client.body.split("\n\n")[-2].startswith("event: error\n")
    assert '"error_code":"server_stopping"' in client.body
    assert (client.is_complete, len(app.streams)) == (True, 0)
