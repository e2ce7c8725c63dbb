"""Names looked up once, judged, and connected to at the very address that was judged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address, ip_address
from types import TracebackType
from typing import Self

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from domain.outbound import (
    Address,
    DestinationRefused,
    InvalidUrl,
    OutboundPolicy,
    destination,
    require_public,
)

LOOKUP_THREADS = 32
Lookup = Callable[[str], Awaitable[Sequence[Address]]]


class SystemLookup:
    """The operating system's resolver, on threads of its own: one that hangs must not hold up anything else.

    ``async with`` lets the threads go at its end, as ``close`` does.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    async def __call__(self, host: str) -> Sequence[Address]:
        """Every address of a name; raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        return [ip_address(str(address[0])) for *_, address in found]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go, without waiting for those that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Gives aiohttp the addresses of a name, or refuses when any of them may not be connected to.

    aiohttp connects to what it is given and looks nothing up again, so what was judged is what is connected to.
    """

    def __init__(self, lookup: Lookup, policy: OutboundPolicy) -> None:
        self._lookup = lookup
        self._policy = policy

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # judged whole, whatever is wanted of it
    ) -> list[ResolveResult]:
        """The addresses; raises DestinationRefused, OSError."""
        addresses = list(dict.fromkeys(await self._lookup(host)))
        if not addresses:
            raise OSError(f"{host} has no address")
        require_public(addresses, self._policy)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


def guarded_url(url: str, policy: OutboundPolicy) -> URL:
    """The URL for aiohttp; raises InvalidUrl, DestinationRefused.

    A literal address is judged here, because aiohttp asks no resolver for it. Two parsers that read a URL differently
    are a way in, so the host must be the same to both.
    """
    judged = destination(url, policy)
    try:
        parsed = URL(url, encoded=True)
        read = (parsed.scheme.lower(), (parsed.raw_host or "").lower(), parsed.port)
    except ValueError as error:
        raise InvalidUrl(f"the address cannot be read: {error}") from error
    if read != (judged.scheme, judged.host, judged.port):
        raise DestinationRefused("the address can be read in two ways")
    return parsed
