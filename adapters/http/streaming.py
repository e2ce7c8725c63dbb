"""Answers that arrive piece by piece: server-sent events and the bytes of stored objects.

When the client goes away the source is closed at once, and nobody is told of an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from litestar.types import Receive, Scope, Send

from adapters.http.correlation import REQUEST_ID
from adapters.http.open_streams import PLACE, OpenStreams, ServerStopping
from adapters.http.problems import problem
from domain.errors import FactflowError

log = logging.getLogger(__name__)

T = TypeVar("T")

EVENT_STREAM = "text/event-stream"
RECONNECT_MILLISECONDS = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """One event: its name, what becomes its JSON data, and the id that `Last-Event-ID` will name."""

    event: str
    data: Any
    id: str | None = None

    def encode(self) -> bytes:
        """The event as it travels (WHATWG HTML, section 9.2); JSON has no line breaks, so the data is one line."""
        head = f"id: {self.id}\n" if self.id is not None else ""
        return f"{head}event: {self.event}\ndata: ".encode() + msgspec.json.encode(self.data) + b"\n\n"


class Encodable(Protocol):
    """An event that knows how it travels."""

    def encode(self) -> bytes:
        """Its bytes, the empty line at its end included."""
        ...


class AsgiAnswer(Protocol):
    """An answer that sends itself, whole or piece by piece."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        ...


class EventStream:
    """An ASGI answer that sends events as they come and a comment when none came for a while.

    An error of the source becomes an event `error` with a problem document, or what ``failed`` makes of it, and ends the
    stream; so does a server that stops.
    """

    def __init__(
        self,
        events: AsyncIterator[Encodable],
        *,
        heartbeat_seconds: float,
        tells_retry: bool = True,
        failed: Callable[[Exception], bytes] | None = None,
    ) -> None:
        self._events = events
        self._failed = failed or _failure
        # Some clients take the line with the time to reconnect for an event without data, and fail on it.
        self._tells_retry = tells_retry
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until its source ends, the client goes away or the server stops."""
        headers = {
            "content-type": f"{EVENT_STREAM}; charset=utf-8",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
        }
        await _start(send, 200, headers)
        gone = asyncio.create_task(_disconnected(receive))
        try:
            if self._tells_retry:
                await _chunk(send, f"retry: {RECONNECT_MILLISECONDS}\n\n".encode())
            with _streams(scope).one() as ending:
                await self._pump(send, gone, ending)
            await _chunk(send, b"", more=False)
        finally:
            await _stopped(gone)
            await _closed(self._events)

    async def _pump(self, send: Send, gone: asyncio.Task[None], ending: asyncio.Future[None]) -> None:
        following: asyncio.Future[Encodable] | None = None
        try:
            while not gone.done():
                if ending.done():  # asked first: whoever has much to read would be read to for long
                    await _chunk(send, self._failed(ServerStopping()))
                    return
                following = following or asyncio.ensure_future(anext(self._events))
                watched: set[asyncio.Future[Any]] = {following, gone, ending}
                done, _ = await asyncio.wait(
                    watched, timeout=self._heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if following in done:
                    await _chunk(send, following.result().encode())
                    following = None
                elif not done:
                    await _chunk(send, b": still here\n\n")
        except StopAsyncIteration:
            following = None
        except Exception as error:  # noqa: BLE001  # the head is sent: whatever it is must be told in the stream
            following = None
            await _chunk(send, self._failed(error))
        finally:
            if following is not None:
                await _stopped(following)


class ByteStream:
    """An ASGI answer of known length. What fails before the first piece is still answered as a problem."""

    def __init__(
        self, chunks: AsyncIterator[bytes] | None, *, status: int, headers: Mapping[str, str]
    ) -> None:
        self._chunks = chunks if chunks is not None else _nothing()
        self._status = status
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces until the last or until the client goes away."""
        del scope
        gone = asyncio.create_task(_disconnected(receive))
        try:
            chunk: bytes | None = await anext(self._chunks, None)
            await _start(send, self._status, self._headers)
            while chunk is not None and not gone.done():
                await _chunk(send, chunk)
                chunk = await self._next()
            await _chunk(send, b"", more=False)
        except _BrokenOff:
            return  # the head promised a length: the server closes the connection, and the client sees that it is short
        finally:
            await _stopped(gone)
            await _closed(self._chunks)

    async def _next(self) -> bytes | None:
        try:
            return await anext(self._chunks, None)
        except Exception as error:
            log.warning("an object could not be read to its end: %s", error)
            raise _BrokenOff from error


def json_answer(value: Any) -> ByteStream:
    """A value as JSON, for an operation that may stream as well."""
    content = msgspec.json.encode(value)
    headers = {"content-type": "application/json", "content-length": str(len(content))}
    return ByteStream(_pieces(content), status=200, headers=headers)


async def _pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield


class _BrokenOff(Exception):
    """The source failed after the head of the answer was sent."""


def _streams(scope: Scope) -> OpenStreams:
    streams: OpenStreams = scope["litestar_app"].state[PLACE]
    return streams


def _failure(error: Exception) -> bytes:
    if isinstance(error, FactflowError):
        if not isinstance(error, ServerStopping):
            log.warning("a stream of events ended early: %s", error)
        return ServerSentEvent(event="error", data=problem(error)).encode()
    log.error("a stream of events failed: %s", error, exc_info=error)
    message = f"something went wrong; the log has the details under {REQUEST_ID.get()}"
    return ServerSentEvent(event="error", data=problem(FactflowError(message))).encode()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _chunk(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _stopped(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # seen, so that nobody is warned of it


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The source, closed on leaving if it can be."""
    try:
        yield source
    finally:
        await _closed(source)


async def _closed(source: AsyncIterator[Any]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        with suppress(Exception):
            await close()
