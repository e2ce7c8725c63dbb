"""Answers made smaller on their way, for clients that can read them so."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from adapters.http.edge import is_http

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST_BYTES = 1024
_GZIP_WINDOW = 31  # zlib's number for a window of 32 KiB with gzip's header
_GZIP_LEVEL, _ZSTD_LEVEL = 5, 3
_KINDS = (
    b"application/json", b"application/problem+json", b"application/x-ndjson", b"application/yaml", b"application/xml",
    b"text/",
)  # fmt: skip
_EVENTS = b"text/event-stream"
_NEVER = {b"content-encoding", b"content-range", b"accept-ranges"}
"""What has one of these is encoded already, or is asked for by its bytes."""


class _Encoder(Protocol):
    def piece(self, data: bytes, *, is_last: bool) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def piece(self, data: bytes, *, is_last: bool) -> bytes:
        return self._inner.compress(data) + self._inner.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstd.ZstdCompressor(level=_ZSTD_LEVEL)

    def piece(self, data: bytes, *, is_last: bool) -> bytes:
        if is_last:
            return self._inner.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
        return self._inner.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)


_ENCODERS: Mapping[str, type[_Gzip | _Zstd]] = {"zstd": _Zstd, "gzip": _Gzip}
"""By name, the better one first."""


@lru_cache(maxsize=64)
def encoding_for(accepted: str) -> str | None:
    """The best encoding that an `Accept-Encoding` lets us use (RFC 9110, section 12.5.3); None for none."""
    weights = dict(_weights(accepted))
    named = {name: weights.get(name, weights.get("*", 0.0)) for name in _ENCODERS}
    best = max(named, key=lambda name: named[name])
    is_wanted = named[best] > 0 and named[best] >= weights.get("identity", 0.0)
    return best if is_wanted else None


def _weights(accepted: str) -> Iterable[tuple[str, float]]:
    for part in accepted.split(","):
        name, _, rest = part.partition(";")
        quality = rest.replace(" ", "").removeprefix("q=")
        try:
            yield name.strip().lower(), float(quality) if rest.strip() else 1.0
        except ValueError:
            yield name.strip().lower(), 0.0


def encoding_of(scope: HTTPScope) -> str | None:
    """The encoding in which a client wants its answer; None for none."""
    accepted = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return encoding_for(b",".join(accepted).decode("latin-1")) if accepted else None


def compressed(app: ASGIApp) -> ASGIApp:
    """The application, with its answers made smaller for those who can read them so."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        smaller = Compressing(encoding_of(scope), send).send if is_http(scope) else send
        await app(scope, receive, smaller)

    return call


class Compressing:
    """One answer on its way to the client. Its head waits for the first piece, which tells how long it is."""

    def __init__(self, encoding: str | None, send: Send) -> None:
        self._encoding = encoding
        self._send = send
        self._start: HTTPResponseStartEvent | None = None
        self._encoder: _Encoder | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on, smaller if that is worth it."""
        if message["type"] == "http.response.start" and _can_be_smaller(message):
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            is_worth_it = self._encoding is not None and (more or len(body) >= LEAST_BYTES)
            await self._send(self._head(start, is_smaller=is_worth_it))
        if self._encoder is not None:
            body = self._encoder.piece(body, is_last=not more)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _head(self, start: HTTPResponseStartEvent, *, is_smaller: bool) -> HTTPResponseStartEvent:
        headers = [*start["headers"], (b"vary", b"Accept-Encoding")]
        if is_smaller and self._encoding is not None:
            self._encoder = _ENCODERS[self._encoding]()
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
            headers.append((b"content-encoding", self._encoding.encode()))
        start["headers"] = headers
        return start


def _can_be_smaller(start: HTTPResponseStartEvent) -> bool:
    """Text that may be changed on its way. What has a secret in it is sent as it is, so that its length tells nothing."""
    headers = {name.lower(): value for name, value in start["headers"]}
    kind, caching = headers.get(b"content-type", b""), headers.get(b"cache-control", b"")
    is_text = kind.startswith(_KINDS) and not kind.startswith(_EVENTS)
    is_fixed = b"no-store" in caching or b"no-transform" in caching or bool(_NEVER & headers.keys())
    return is_text and not is_fixed and start["status"] not in {204, 206, 304}
