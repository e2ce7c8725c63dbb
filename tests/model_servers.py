"""Servers on loopback that answer for a model, or fail as they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Failing:
    """A reply as it is told: a status with a body, chunks of a stream, a stall or a connection that breaks after them."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stalls: bool = False
    breaks: bool = False
    chunks: tuple[bytes, ...] = ()


@dataclass
class ModelServer:
    """Gives the replies it was told, one a request; when there are none left, what ``respond`` makes of the request."""

    respond: Callable[[dict[str, Any]], Any]
    replies: list[Failing] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    traces: list[str | None] = field(default_factory=list)
    url: str = ""
    stalling: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the request gets."""
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        self.traces.append(request.headers.get("traceparent"))
        if not self.replies:
            return web.Response(
                body=json.dumps(self.respond(self.asked[-1])).encode(), content_type="application/json"
            )
        reply = self.replies.pop(0)
        response = await _begun(request, reply.chunks) if reply.chunks else None
        if reply.stalls:
            await self.stalling.wait()
        if reply.breaks and request.transport is not None:
            request.transport.abort()
        return response or web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _begun(request: web.Request, chunks: tuple[bytes, ...]) -> web.StreamResponse:
    """A stream with its chunks sent."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
    return response


@asynccontextmanager
async def model_server(path: str, respond: Callable[[dict[str, Any]], Any]) -> AsyncIterator[ModelServer]:
    """A server that answers at that path, for as long as the block lasts."""
    server = ModelServer(respond)
    application = web.Application()
    application.router.add_post(path, server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.stalling.set()
        await runner.cleanup()
