"""One pool of connections to addresses that others name, each judged as it is connected to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp

from adapters.http_client.guard import GuardedResolver, Lookup, SystemLookup
from domain.outbound import OutboundPolicy

KEEP_ALIVE_SECONDS = 15.0


class GuardedSession:
    """Sends nothing but what it is told: no cookies, no credentials, nothing of the environment's proxies.

    Nothing packed is asked for and none is unpacked, because it may unfold to any size. ``lookup`` finds the addresses
    of names, ``ssl_context`` is which certificates are believed, the machine's unless given. Each request has a time
    of its own. Open it with ``async with``.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        user_agent: str,
        most_connections: int,
        lookup: Lookup | None = None,
        ssl_context: ssl.SSLContext | None = None,
        socket_factory: Callable[[aiohttp.AddrInfoType], socket.socket] | None = None,
    ) -> None:
        self._policy = policy
        self._user_agent, self._most_connections = user_agent, most_connections
        self._lookup, self._ssl_context, self._socket_factory = lookup, ssl_context, socket_factory
        self._system_lookup: SystemLookup | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def opened(self) -> aiohttp.ClientSession | None:
        """The session of aiohttp, None while it is not open."""
        return self._session

    async def __aenter__(self) -> Self:
        lookup = self._lookup
        if lookup is None:
            lookup = self._system_lookup = SystemLookup()
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(lookup, self._policy),
            ssl=True if self._ssl_context is None else self._ssl_context,
            limit=self._most_connections,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            socket_factory=self._socket_factory,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._system_lookup is not None:
            self._system_lookup.close()
