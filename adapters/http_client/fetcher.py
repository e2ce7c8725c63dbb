"""Pages over HTTP, from one pool of connections."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from adapters.http_client.guard import Lookup, guarded_url
from adapters.http_client.guarded_session import GuardedSession
from application.ports.fetcher import Fetched, FetchFailed
from domain.outbound import DestinationRefused, OutboundPolicy

USER_AGENT = "factflow/1"
MOST_CONNECTIONS = 100
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpFetcher:
    """The ``Fetcher`` port with aiohttp. Open it with ``async with``.

    Nothing is sent but the request: no cookies, no referrer, no credentials. ``lookup`` finds the addresses of names.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        lookup: Lookup | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._session = GuardedSession(
            policy,
            user_agent=USER_AGENT,
            most_connections=MOST_CONNECTIONS,
            lookup=lookup,
            ssl_context=ssl_context,
        )

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, traceback)

    def examine(self, url: str) -> None:
        """See the port."""
        guarded_url(url, self._policy)

    async def fetch(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        """See the port."""
        address = guarded_url(url, self._policy)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._fetch(address, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if refused := _refusal(error):
                raise refused from error
            reason = str(error) or type(error).__name__
            if isinstance(error, TimeoutError):
                reason = f"no answer within {timeout_seconds:g} seconds"
            raise FetchFailed(f"{url}: {reason}") from error

    async def _fetch(self, address: URL, max_bytes: int) -> Fetched:
        session = self._session.opened
        if session is None:
            raise FetchFailed("the fetcher is not open")
        response = await session.get(address, allow_redirects=False)
        try:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise FetchFailed(f"{address}: the answer is packed, which was not asked for")
            content, is_truncated = await _beginning(response, max_bytes)
        finally:
            # What is left of a body would have to be read before the connection could be used again.
            response.release() if response.content.at_eof() else response.close()
        return Fetched(
            status=response.status,
            content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            content=content,
            location=_location(response, address),
            is_truncated=is_truncated,
        )


async def _beginning(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    body = bytearray()
    while len(body) <= most:
        chunk = await response.content.read(most + 1 - len(body))
        if not chunk:
            return bytes(body), False
        body += chunk
    return bytes(body[:most]), True


def _location(response: aiohttp.ClientResponse, address: URL) -> str | None:
    given = response.headers.get("Location") if response.status in REDIRECTS else None
    with suppress(ValueError, TypeError):
        return None if given is None else str(address.join(URL(given)))
    return None


def _refusal(error: BaseException | None) -> DestinationRefused | None:
    """The refusal that an error of a connection has in its causes: where the name leads was judged there."""
    while error is not None:
        if isinstance(error, DestinationRefused):
            return error
        error = getattr(error, "os_error", None) or error.__cause__
    return None
