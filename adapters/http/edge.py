"""The outermost layer: request ids, the guard of hosts and origins, and HEAD."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TypeGuard
from urllib.parse import urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from adapters.http import errors
from adapters.http.access.exchange import begin, exchange_of
from adapters.http.access.recording import Recording
from adapters.http.compression import Compressing
from adapters.http.conditional import Conditional
from adapters.http.correlation import REQUEST_ID, request_id, trace_of
from adapters.http.cors import Origins
from adapters.http.object_paths import routed
from adapters.http.patience import Patience
from adapters.http.problems import MEDIA_TYPE, headers_of, problem
from adapters.http.settings import HttpSettings
from application.access.audit import Audit
from application.tracing import TRACE, trace_headers
from domain.errors import FactflowError

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Edge:
    """Wraps the whole application, so that what holds for every request holds for unknown paths too."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, audit: Audit) -> None:
        self._inside = app
        self._app = Patience(
            app, piece_seconds=settings.piece_seconds, answer_seconds=settings.answer_seconds
        )
        self._settings = settings
        self._audit = audit
        self._origins = Origins(settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if not is_http(scope):
            await self._inside(scope, receive, send)
            return
        token = REQUEST_ID.set(request_id(scope["headers"]))
        trace = TRACE.set(trace_of(scope["headers"]))
        labelled = _labelled(send, self._origins.headers(scope))
        recording = Recording(self._audit, begin(scope), scope, labelled)
        try:
            await self._answer(scope, receive, recording.send)
        finally:
            await recording.close()
            REQUEST_ID.reset(token)
            TRACE.reset(trace)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        objection = self._objection(scope)
        preflight = None if objection else self._origins.preflight(scope)
        if objection is not None:
            await _refuse(objection, send)
        elif preflight is not None:
            await send({"type": "http.response.start", "status": 204, "headers": preflight})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._ask(scope, receive, Conditional(scope, send).send)

    async def _ask(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                head = _HeadOnly(receive, send)
                await self._app({**routed(scope), "method": "GET"}, head.receive, head.send)  # type: ignore[arg-type]
            else:
                await self._app(routed(scope), receive, Compressing(scope, send).send)
        except errors.AnswerTooSlow as error:
            exchange_of(scope).error_code = error.code
            await _refuse(error, send)

    def _objection(self, scope: HTTPScope) -> FactflowError | None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return errors.MalformedRequest("the URL contains NUL")
        if not self._settings.refuses_foreign_hosts:
            return None
        headers = list(scope["headers"])
        if not is_local(_header(headers, b"host"), self._settings.host_names):
            return errors.HostNotAllowed()
        origin = _header(headers, b"origin")
        is_safe = scope["method"] in _SAFE_METHODS
        is_ours = is_local(urlsplit(origin).netloc, self._settings.host_names) or self._origins.names(origin)
        if not is_safe and origin and not is_ours:
            return errors.OriginNotAllowed()
        return None


def is_http(scope: Scope) -> TypeGuard[HTTPScope]:
    """Whether it is a request, and not the start of the server or a WebSocket."""
    return scope["type"] == ScopeType.HTTP


def is_local(authority: str, names: Iterable[str] = ()) -> bool:
    """Whether a `Host` (name or address, with or without a port) is this machine's or one of the names."""
    host = authority.rpartition("@")[2].strip().lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") <= 1:
        host = host.partition(":")[0]
    if host in {"localhost", *(name.lower() for name in names)} or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


def _labelled(send: Send, more: Sequence[tuple[bytes, bytes]]) -> Send:
    labels = [
        (b"x-request-id", REQUEST_ID.get().encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    labels += [(name.encode(), value.encode()) for name, value in trace_headers().items()]

    async def labelled(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *labels]
        await send(message)

    return labelled


class _HeadOnly:
    """Sends the head of the answer to a GET, then tells the application that the client is gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_answered = False

    async def receive(self) -> Message:
        if self._is_answered:
            return {"type": "http.disconnect"}
        return await self._receive()  # type: ignore[return-value]

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._is_answered:
            self._is_answered = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse(error: FactflowError, send: Send) -> None:
    document = problem(error)
    headers = {"content-type": MEDIA_TYPE, **headers_of(error)}
    await send(
        {
            "type": "http.response.start",
            "status": document.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": msgspec.json.encode(document), "more_body": False})
