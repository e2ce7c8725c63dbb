"""Webhooks over HTTP, from one pool of connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextvars import ContextVar
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp

from adapters.http_client.guard import Lookup, guarded_url
from adapters.http_client.guarded_session import GuardedSession
from application.ports.webhook_sender import WebhookRequest
from domain.errors import FactflowError
from domain.outbound import DestinationRefused, OutboundPolicy
from domain.webhooks.delivery import KEPT_BODY_BYTES, Answer
from domain.webhooks.outcome import Failure

MOST_CONNECTIONS = 1000
BODY_SECONDS = 5.0
MAX_KEPT_HEADERS = 50
MAX_KEPT_CHARACTERS = 1000
USER_AGENT = "factflow-webhooks/1"

_is_connecting: ContextVar[list[bool]] = ContextVar("_is_connecting")
"""Gets an item when a request opens a connection. aiohttp's tracing tells it too, for a tenth of what a request takes."""

# From the narrowest to the broadest: the first that fits tells what went wrong.
_FAILURES: tuple[tuple[type[BaseException], Failure], ...] = (
    (DestinationRefused, Failure.DESTINATION_REFUSED),
    (FactflowError, Failure.DESTINATION_REFUSED),
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Failure.DNS),
    (aiohttp.ClientSSLError, Failure.TLS),
    (aiohttp.ClientConnectorCertificateError, Failure.TLS),
    (ssl.SSLError, Failure.TLS),
    (aiohttp.ClientConnectorError, Failure.CONNECT),
    (aiohttp.ServerDisconnectedError, Failure.CLOSED_EARLY),
    (aiohttp.ClientOSError, Failure.CLOSED_EARLY),
    (OSError, Failure.CONNECT),
)


class HttpWebhookSender:
    """The ``WebhookSender`` port with aiohttp. Open it with ``async with``.

    ``ssl_context`` is which certificates are believed, the machine's unless given; ``lookup`` finds the addresses of
    names.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        lookup: Lookup | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._session = GuardedSession(
            policy,
            user_agent=USER_AGENT,
            most_connections=MOST_CONNECTIONS,
            lookup=lookup,
            ssl_context=ssl_context,
            socket_factory=_socket,
        )
        # This judges the text alone and so never changes; where a name leads is judged at each connection.
        self._judged = lru_cache(maxsize=1024)(lambda url: guarded_url(url, policy))

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, traceback)

    def examine(self, url: str) -> None:
        """See the port."""
        self._judged(url)

    async def send(self, request: WebhookRequest) -> Answer:
        """See the port."""
        opened: list[bool] = []
        _is_connecting.set(opened)
        try:
            return await self._send(request)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # An idle connection that the other side closes just now says nothing about the endpoint.
            if opened or isinstance(error, aiohttp.ClientConnectorError):
                return _failed(error)
        except Exception as error:  # noqa: BLE001  # whatever an endpoint does is an answer, never an error of ours
            return _failed(error)
        try:
            return await self._send(request)
        except Exception as error:  # noqa: BLE001  # as above
            return _failed(error)

    async def _send(self, request: WebhookRequest) -> Answer:
        session = self._session.opened
        if session is None:
            raise OSError("the sender is not open")
        url = self._judged(request.url)
        async with asyncio.timeout(request.timeout_seconds) as limit:
            response = await session.post(
                url, data=request.body, headers=request.headers, allow_redirects=False
            )
            limit.reschedule(None)
        try:
            body, is_truncated = b"", False
            if not response.content.at_eof():
                body, is_truncated = await _beginning(response, min(BODY_SECONDS, request.timeout_seconds))
        finally:
            # What is left of a body would have to be read before the connection could be used again.
            if response.content.at_eof():
                response.release()
            else:
                response.close()
        return Answer(status=response.status, headers=_kept(response), body=body, is_truncated=is_truncated)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """For a new connection, which the request that it is opened for is told of."""
    if (opened := _is_connecting.get(None)) is not None:
        opened.append(True)
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


async def _beginning(response: aiohttp.ClientResponse, seconds: float) -> tuple[bytes, bool]:
    """Up to 16 KB of the body, and whether it is not all of it."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while len(body) <= KEPT_BODY_BYTES:
                chunk = await response.content.read(KEPT_BODY_BYTES + 1 - len(body))
                if not chunk:
                    return bytes(body), False
                body += chunk
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return bytes(body[:KEPT_BODY_BYTES]), True


def _kept(response: aiohttp.ClientResponse) -> dict[str, str]:
    kept = list(response.headers.items())[:MAX_KEPT_HEADERS]
    return {_storable(name): _storable(value) for name, value in kept}


def _storable(text: str) -> str:
    """The beginning of a text, with a question mark for each byte that is no UTF-8, and without what no database takes."""
    cut = text[:MAX_KEPT_CHARACTERS]
    if cut.isascii() and cut.isprintable():
        return cut
    return cut.encode("utf-8", "replace").decode().replace("\0", "")


def _failed(error: Exception) -> Answer:
    failure = next((failure for kind, failure in _FAILURES if isinstance(error, kind)), Failure.PROTOCOL)
    text = str(error) or type(error).__name__
    return Answer(failure=failure, detail=_storable(text))
