"""The outermost layer: request ids, the guard of hosts and origins, and HEAD."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeGuard
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, ReceiveMessage, Scope, Send

from adapters.http import errors
from adapters.http.access.exchange import begin, end
from adapters.http.access.recording import Recording
from adapters.http.conditional import Conditional
from adapters.http.correlation import REQUEST_ID, request_id, trace_of
from adapters.http.cors import Origins
from adapters.http.object_paths import routed
from adapters.http.refusing import refuse
from adapters.http.settings import HttpSettings
from application.access.audit import Audit
from application.tracing import TRACE
from domain.errors import FactflowError

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CONDITION = b"if-none-match"


class Edge:
    """Wraps the whole application, so that what holds for every request holds for unknown paths too."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, audit: Audit) -> None:
        self._app = app
        self._settings = settings
        self._audit = audit
        self._origins = Origins(settings.cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if not is_http(scope):
            await self._app(scope, receive, send)
            return
        said = dict(reversed(list(scope["headers"])))  # what is said twice counts as it was said first
        request, trace = request_id(said.get(b"x-request-id", b"")), trace_of(said.get(b"traceparent", b""))
        tokens = REQUEST_ID.set(request), TRACE.set(trace)
        labels = [*_labels(request, str(trace)), *self._origins.headers(scope)]
        recording = Recording(self._audit, begin(scope), scope, _labelled(send, labels))
        try:
            await self._answer(scope, receive, recording.send, said)
        finally:
            try:
                await recording.close()
            finally:
                REQUEST_ID.reset(tokens[0])
                TRACE.reset(tokens[1])
                end(scope)

    async def _answer(
        self, scope: HTTPScope, receive: Receive, send: Send, said: Mapping[bytes, bytes]
    ) -> None:
        objection = self._objection(scope, said)
        preflight = None if objection else self._origins.preflight(scope)
        if objection is not None:
            await refuse(objection, send)
        elif preflight is not None:
            await send({"type": "http.response.start", "status": 204, "headers": preflight})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._ask(scope, receive, Conditional(scope, send).send if _CONDITION in said else send)

    async def _ask(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            head = _HeadOnly(receive, send)
            await self._app(_as_get(routed(scope)), head.receive, head.send)
        else:
            await self._app(routed(scope), receive, send)

    def _objection(self, scope: HTTPScope, said: Mapping[bytes, bytes]) -> FactflowError | None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return errors.MalformedRequest("the URL contains NUL")
        if not self._settings.refuses_foreign_hosts:
            return None
        names = self._settings.host_names
        if not is_local(said.get(b"host", b"").decode("latin-1"), names):
            return errors.HostNotAllowed()
        origin = said.get(b"origin", b"").decode("latin-1")
        if scope["method"] in _SAFE_METHODS or not origin:
            return None
        is_ours = is_local(_authority(origin), names) or self._origins.names(origin)
        return None if is_ours else errors.OriginNotAllowed()


def _authority(origin: str) -> str:
    """Host and port of an origin, empty for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def is_http(scope: Scope) -> TypeGuard[HTTPScope]:
    """Whether it is a request, and not the start of the server or a WebSocket."""
    return scope["type"] == ScopeType.HTTP


@lru_cache(maxsize=64)
def is_local(authority: str, names: frozenset[str] = frozenset()) -> bool:
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


def _labels(request: str, trace: str) -> Sequence[tuple[bytes, bytes]]:
    return (
        (b"x-request-id", request.encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        (b"traceparent", trace.encode("ascii")),
    )


def _labelled(send: Send, labels: Sequence[tuple[bytes, bytes]]) -> Send:
    async def labelled(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *labels]
        await send(message)

    return labelled


def _as_get(scope: HTTPScope) -> HTTPScope:
    """The GET whose head is asked for. It is asked for unencoded: only then the head tells how long the answer is."""
    headers = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
    return {**scope, "method": "GET", "headers": headers}


class _HeadOnly:
    """Sends the head of the answer to a GET, then tells the application that the client is gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_answered = False

    async def receive(self) -> ReceiveMessage:
        if self._is_answered:
            return {"type": "http.disconnect"}
        return await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._is_answered:
            self._is_answered = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
