"""A language model's server that writes the time at which it sends each word: ``python -m benchmarks.talking_model``.

It prints its port, waits a while before the first word as a model that reads a prompt does, and then writes steadily.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from typing import Any

from aiohttp import web

FIRST_SECONDS = 0.3
BETWEEN_SECONDS = 0.1
WORDS = 40


async def answer(request: web.Request) -> web.StreamResponse:
    """A streamed answer; each word is the nanosecond at which it was sent, of a clock that all processes share."""
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(FIRST_SECONDS)
    for _ in range(WORDS):
        await response.write(_chunk({"content": f"{time.monotonic_ns()} "}))
        await asyncio.sleep(BETWEEN_SECONDS)
    await response.write(_chunk({}, finish_reason="stop") + b"data: [DONE]\n\n")
    return response


def _chunk(delta: dict[str, Any], **more: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, **more}]}).encode() + b"\n\n"


async def main() -> None:
    """Serve until the process is ended."""
    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    await web.SockSite(runner, listener, backlog=512).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
