"""`Idempotency-Key`: a POST that changes something is done once, however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from litestar.datastructures import State
from litestar.types import (
    ASGIApp,
    HTTPRequestEvent,
    HTTPScope,
    Message,
    Receive,
    ReceiveMessage,
    Scope,
    Send,
)

from adapters.http.access.exchange import exchange_of
from adapters.http.edge import is_http
from adapters.http.errors import BodyTooLarge, MalformedRequest
from application.access.repeats import Repeats, TakenUp
from domain.access.principal import LOCAL
from domain.idempotency import KeptAnswer, fingerprint, idempotency_key

PLACE = "repeats"
HEADER = b"idempotency-key"
REPLAYED = (b"idempotent-replayed", b"true")
EVENTS = "text/event-stream"
_KEPT_HEADERS = frozenset({"content-type", "location", "etag", "cache-control"})
_LIMIT = "body_limit"


class _KeyInBody(msgspec.Struct):
    idempotency_key: str | None = None


def idempotent(app: ASGIApp) -> ASGIApp:
    """The application, with repeats answered from what is kept."""

    async def once(scope: Scope, receive: Receive, send: Send) -> None:
        if is_http(scope) and _may_repeat(scope):
            body = _Body(receive, limit=scope["litestar_app"].state[_LIMIT])
            key = await _stated_key(scope, body)
            if key is not None:
                await _once(app, scope, body, send, key)
                return
            receive = body.receive
        await app(scope, receive, send)

    return once


def keep_repeats(state: State, repeats: Repeats, *, body_limit: int) -> None:
    """Let the middleware of an application find what it needs."""
    state[PLACE], state[_LIMIT] = repeats, body_limit


def _may_repeat(scope: HTTPScope) -> bool:
    operation = exchange_of(scope).operation
    return scope["method"] == "POST" and operation is not None and operation.changes


async def _stated_key(scope: HTTPScope, body: _Body) -> str | None:
    values = [value for name, value in scope["headers"] if name == HEADER]
    if len(values) > 1:
        raise MalformedRequest("the header Idempotency-Key may stand in a request once")
    in_header = idempotency_key(values[0].decode("latin-1")) if values else None
    if not getattr(scope["route_handler"], "opt", {}).get("idempotency_field"):
        return in_header
    in_body = _key_in(await body.whole())
    if in_header and in_body and in_header != in_body:
        raise MalformedRequest("the header Idempotency-Key and the field idempotency_key differ")
    return in_header or in_body


def _key_in(body: bytes) -> str | None:
    try:
        stated = msgspec.json.decode(body, type=_KeyInBody).idempotency_key
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # whoever reads the body for good says what is wrong with it
    return None if stated is None else idempotency_key(stated)


async def _once(app: ASGIApp, scope: HTTPScope, body: _Body, send: Send, key: str) -> None:
    repeats: Repeats = scope["litestar_app"].state[PLACE]
    owner = (exchange_of(scope).principal or LOCAL).owner
    path = scope.get("raw_path") or scope["path"].encode()
    mark = fingerprint(scope["method"].encode(), path, scope["query_string"], await body.whole())
    begun = await repeats.begin(owner, key, mark)
    if isinstance(begun, KeptAnswer):
        await _replay(begun, send)
        return
    await _done(app, scope, body, send, repeats, begun)


async def _done(
    app: ASGIApp, scope: HTTPScope, body: _Body, send: Send, repeats: Repeats, taken: TakenUp
) -> None:
    """Do it, and keep the answer before it is sent, so that who gets one can rely on it."""
    held = _Held(send)
    answer = KeptAnswer(status=500)
    try:
        async with repeats.held(taken):
            await app(scope, body.receive, held.send)
        answer = held.answer()
    finally:
        await repeats.end(taken, answer)
    await held.release()


async def _replay(answer: KeptAnswer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    body = answer.body or b""
    headers += [(b"content-length", str(len(body)).encode()), REPLAYED]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass(slots=True)
class _Held:
    """Holds an answer back until it is kept; a stream of events passes, and is not kept."""

    _send: Send
    _messages: list[Message] = field(default_factory=list)
    _status: int = 500
    _headers: list[tuple[str, str]] = field(default_factory=list)
    _body: bytes = b""
    _passes: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
            self._status, self._headers = message["status"], [(name.lower(), value) for name, value in pairs]
            self._passes = dict(self._headers).get("content-type", "").startswith(EVENTS)
        elif message["type"] == "http.response.body" and not self._passes:
            self._body += message.get("body", b"")
        if self._passes:
            await self._send(message)
        else:
            self._messages.append(message)

    def answer(self) -> KeptAnswer:
        """What is to be kept; an answer with a secret in it is not stored by whoever gets it, nor here."""
        kept = [(name, value) for name, value in self._headers if name in _KEPT_HEADERS]
        is_secret = "no-store" in dict(kept).get("cache-control", "")
        is_whole = not (is_secret or self._passes)
        return KeptAnswer(status=self._status, headers=kept, body=self._body if is_whole else None)

    async def release(self) -> None:
        """Send what was held back."""
        for message in self._messages:
            await self._send(message)


class _Body:
    """A request's body, read once and given out again."""

    def __init__(self, receive: Receive, *, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._read: bytes | None = None
        self._is_given = False

    async def whole(self) -> bytes:
        """All of it; raises BodyTooLarge, MalformedRequest when it breaks off."""
        if self._read is None:
            pieces, size, more = [], 0, True
            while more:
                message = await self._receive()
                if message["type"] != "http.request":
                    raise MalformedRequest("the request broke off")
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > self._limit:
                    raise BodyTooLarge
                more = message.get("more_body", False)
            self._read = b"".join(pieces)
        return self._read

    async def receive(self) -> ReceiveMessage:
        """The body as one message if it was read, then whatever comes."""
        if self._read is None or self._is_given:
            return await self._receive()
        self._is_given = True
        return HTTPRequestEvent(type="http.request", body=self._read, more_body=False)
