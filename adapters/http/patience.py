"""How long a request may take: to arrive piece by piece, and until its answer begins."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from adapters.http.access.exchange import exchange_of
from adapters.http.edge import is_http
from adapters.http.errors import AnswerTooSlow, RequestTooSlow
from adapters.http.refusing import refuse

_PLACE = "factflow_waiting"


class Patience:
    """Waits ``piece_seconds`` for each piece of a body, and ``answer_seconds`` after the last one for an answer to begin.

    What an operation guarded by ``unhurried`` does may take as long as it takes.
    """

    def __init__(self, app: ASGIApp, *, piece_seconds: float, answer_seconds: float) -> None:
        self._app = app
        self._piece_seconds = piece_seconds
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, in the end with the problem of AnswerTooSlow; nothing of an answer has been sent then."""
        if not is_http(scope):
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(self._answer_seconds)
        waiting = _Waiting(receive, send, limit, self._piece_seconds, self._answer_seconds)
        scope.setdefault("state", {})[_PLACE] = waiting
        try:
            async with limit:
                await self._app(scope, waiting.receive, waiting.send)
        except TimeoutError:
            if not limit.expired():
                raise
            exchange_of(scope).error_code = AnswerTooSlow.code
            await refuse(AnswerTooSlow(), send)


def unhurried(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard that refuses nobody: of an operation whose answer may be long in coming."""
    waiting = connection.scope["state"].get(_PLACE)
    if waiting is not None:
        waiting.be_patient()


class _Waiting:
    def __init__(
        self,
        receive: Receive,
        send: Send,
        limit: asyncio.Timeout,
        piece_seconds: float,
        answer_seconds: float,
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._piece_seconds = piece_seconds
        self._answer_seconds = answer_seconds
        self._is_arriving = True
        self._is_patient = False

    async def receive(self) -> ReceiveMessage:
        """The next piece; once the body is whole, a client that says nothing is only waiting for its answer."""
        if not self._is_arriving:
            return await self._receive()
        try:
            async with asyncio.timeout(self._piece_seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTooSlow from error
        self._is_arriving = message["type"] == "http.request" and message["more_body"]
        if not self._is_patient:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._answer_seconds)
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on; a begun answer may take as long as it takes."""
        if message["type"] == "http.response.start":
            self.be_patient()
        await self._send(message)

    def be_patient(self) -> None:
        """Wait for the answer, or the rest of it, without a limit."""
        self._is_patient = True
        self._limit.reschedule(None)
