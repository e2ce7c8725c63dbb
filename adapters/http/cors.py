"""Pages of other origins (WHATWG Fetch, section 3.2): those that the operator names may ask."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import HTTPScope

ANY = "*"
DAY_SECONDS = 86_400
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKABLE = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, X-Request-Id, traceparent"
READABLE = "Content-Range, ETag, Idempotent-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id, traceparent"
Headers = list[tuple[bytes, bytes]]


class Origins:
    """The origins whose pages may ask; ``*`` is all of them. Cookies are never among what they send."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def names(self, origin: str) -> bool:
        """Whether an origin is named; `*` names none."""
        return origin in self._origins - {ANY}

    def headers(self, scope: HTTPScope) -> Headers:
        """What an answer says to a page of another origin."""
        if not self._origins:
            return []
        origin = _header(scope, b"origin")
        if ANY in self._origins:
            allowed = ANY
        elif origin in self._origins:
            allowed = origin
        else:
            return [(b"vary", b"Origin")]
        told = [(b"access-control-allow-origin", allowed), (b"access-control-expose-headers", READABLE)]
        plain = [(name, value.encode("latin-1")) for name, value in told]
        return plain if allowed == ANY else [*plain, (b"vary", b"Origin")]

    def preflight(self, scope: HTTPScope) -> Headers | None:
        """The answer to a browser that asks whether it may ask; None when it is no such question."""
        is_question = scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method")
        if not is_question or len(self.headers(scope)) < 2:
            return None
        told = {
            b"access-control-allow-methods": METHODS,
            b"access-control-allow-headers": ASKABLE,
            b"access-control-max-age": str(DAY_SECONDS),
        }
        return [(name, value.encode("ascii")) for name, value in told.items()]


def _header(scope: HTTPScope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
