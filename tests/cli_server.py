"""A small real HTTP server that says what a test lets it say, and a way to run the command line against it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from aiohttp import web

from entrypoints.cli import reporting
from entrypoints.cli.main import factflow

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScriptedServer:
    """Answers what ``says`` and ``does`` were told, and notes what it is asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: dict[tuple[str, str], Handler] = field(default_factory=dict)

    def says(
        self,
        method: str,
        path: str,
        answer: object,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Answer with JSON, or with bytes as they are; returns the body."""
        is_raw = isinstance(answer, bytes)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        given = headers or {"Content-Type": "application/octet-stream" if is_raw else "application/json"}

        async def handler(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=body, headers=given)

        self.script[(method, path)] = handler
        return body

    def says_events(self, method: str, path: str, *chunks: bytes) -> None:
        """Answer with the bytes of an event stream, chunk by chunk."""

        async def handler(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
            await response.prepare(request)
            for chunk in chunks:
                await response.write(chunk)
            return response

        self.script[(method, path)] = handler

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.raw_path.partition("?")[0]
        self.asked.append(Asked(request.method, path, dict(request.query), dict(request.headers), body))
        handler = self.script.get((request.method, path))
        if handler is None:
            problem = {"detail": f"nothing at {path}", "error_code": "not_found", "status": 404}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        return await handler(request)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server on a free port, in a thread of its own."""
    scripted = ScriptedServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{rest:.*}", scripted.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield scripted
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class CommandLine:
    """Runs `factflow` in this process, against the scripted server."""

    def __init__(
        self, url: str, capsys: pytest.CaptureFixture[str], command: click.Command = factflow
    ) -> None:
        self._url = url
        self._capsys = capsys
        self._command = command

    def __call__(self, *arguments: str) -> Ran:
        self._capsys.readouterr()
        code = reporting.run(self._command, "factflow", ["--url", self._url, *arguments])
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def cli(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The client's command line, with nothing set in the environment."""
    for name in ("FACTFLOW_URL", "FACTFLOW_API_KEY", "FACTFLOW_PROFILE", "FACTFLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")  # nor in a file of profiles
    return CommandLine(server.url, capsys)
