"""`If-None-Match`: who has the present version already is told so, and not sent it again."""

from __future__ import annotations

from typing import Any

from litestar.types import HTTPScope, Message, Send

from adapters.http.ranges import etag_matches

IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags for which 304 will do.",
    "schema": {"type": "string"},
}
NOT_MODIFIED: dict[str, Any] = {"304": {"description": "It has not changed."}}
"""What the API's description says of an operation whose answer has an ETag."""

_KEPT = {b"etag", b"cache-control", b"vary", b"content-location", b"expires"}


class Conditional:
    """One answer to a GET on its way to a client that named ETags: it becomes 304 when its own is among them."""

    def __init__(self, scope: HTTPScope, send: Send) -> None:
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
        self._known = ",".join(named) if scope["method"] in {"GET", "HEAD"} else None
        self._send = send
        self._is_known = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start" and self._known and message["status"] == 200:
            etag = {name.lower(): value for name, value in message["headers"]}.get(b"etag", b"")
            self._is_known = bool(etag) and etag_matches(self._known, etag.decode("latin-1"))
            if self._is_known:
                kept = [(name, value) for name, value in message["headers"] if name.lower() in _KEPT]
                message["status"], message["headers"] = 304, kept
        elif message["type"] == "http.response.body" and self._is_known:
            message["body"] = b""
        await self._send(message)
