"""A connection that is kept: opened anew, here or at another host, whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiormq
from aio_pika.exceptions import ConnectionClosed
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from adapters.rabbitmq.timing import Timing
from adapters.rabbitmq.translation import RabbitAddressInvalid, RabbitUnavailable, translating
from domain.backoff import full_jitter

log = logging.getLogger(__name__)


class Line:
    """Keeps one connection while ``async with`` lasts, to the first of the hosts that answers.

    ``present`` is the connection, or None while there is none; ``trouble`` says why, and ``attempts`` how often it was
    tried since there was one.
    """

    def __init__(self, urls: Sequence[str], *, name: str, timing: Timing) -> None:
        self.name = name
        self.trouble: str | None = "the queue is not open"
        self.present: aiormq.abc.AbstractConnection | None = None
        self.attempts = 0
        self._urls = [_address(url, timing) for url in urls]
        if not self._urls:
            raise RabbitAddressInvalid("at least one address of a broker is needed")
        self._timing = timing
        self._transport: _Transport | None = None
        self._is_up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def host(self) -> str:
        """The host and port of the present connection."""
        url = self.present.url if self.present is not None else None
        return f"{url.host}:{url.port}" if url is not None else ""

    @property
    def is_reconnecting(self) -> bool:
        """Whether there is no connection, and one is tried for."""
        return self.present is None and self._keeper is not None and not self._keeper.done()

    async def __aenter__(self) -> Self:
        self.trouble = "no broker has answered yet"
        self._keeper = asyncio.create_task(self._keep(), name=f"rabbitmq {self.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.trouble = "the queue is not open"

    async def connection(self) -> aiormq.abc.AbstractConnection:
        """The present connection; waits for one."""
        if self._keeper is None or self._keeper.done():
            raise RabbitUnavailable("the queue is not open")
        while self.present is None:
            await self._is_up.wait()
        return self.present

    async def is_blocked(self) -> bool:
        """Whether the broker takes no messages over it at present; it says so when it is sent the first one."""
        if self.present is None:
            return False
        try:
            async with asyncio.timeout(0.01):
                await self.present.ready()
        except TimeoutError:
            return True
        return False

    def abort(self, reason: str) -> None:
        """Give up a connection over which nothing comes any more, without asking the other side."""
        if self._transport is not None and self.present is not None:
            log.warning("the connection to the broker (%s) is given up: %s", self.name, reason)
            self.trouble = reason
            self._transport.abort()

    async def _keep(self) -> None:
        tries = 0
        while True:
            for url in self._urls:
                began = asyncio.get_running_loop().time()
                await self._try(url)
                if (
                    asyncio.get_running_loop().time() - began
                    > self._timing.settled_after + self._timing.connect
                ):
                    tries = 0
            pause = full_jitter(self._timing.first_pause, tries, random.random())  # noqa: S311 - no secret
            tries += 1
            await asyncio.sleep(min(pause, self._timing.longest_pause))

    async def _try(self, url: URL) -> None:
        """Connect to one host, and return when that has failed or the connection is lost."""
        self.attempts += 1
        transport = _Transport()
        connection = aiormq.Connection(
            url,
            client_properties={"connection_name": f"factflow {self.name}"},
            transport_factory=transport,
        )
        try:
            with translating():
                async with asyncio.timeout(self._timing.connect):
                    await connection.connect()
        except asyncio.CancelledError:
            transport.abort()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be the end of trying
            transport.abort()
            self._note(f"{url.host}:{url.port}: {error}")
            return
        await self._hold(connection, transport)

    async def _hold(self, connection: aiormq.Connection, transport: _Transport) -> None:
        lost = connection.closing
        self.present, self._transport = connection, transport
        self.trouble = None
        self.attempts = 0
        self._is_up.set()
        log.info("connected to the broker at %s (%s)", self.host, self.name)
        try:
            await asyncio.wait([lost])
            self._note(f"{self.host}: {_reason(lost)}")
        finally:
            self.present, self._transport = None, None
            self._is_up.clear()
            await self._close(connection, transport)

    async def _close(self, connection: aiormq.Connection, transport: _Transport) -> None:
        try:
            with suppress(Exception):
                async with asyncio.timeout(self._timing.answer):
                    await connection.close(ConnectionClosed(0, "closed"))
        finally:
            transport.abort()

    def _note(self, trouble: str) -> None:
        self.trouble = trouble
        log.warning("no connection to the broker (%s): %s", self.name, trouble)


class _Transport(TransportFactory):
    """Opens the socket as aiormq would, and can cut it."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self._writer = await factory.create(url, **kwargs)
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


def _address(text: str, timing: Timing) -> URL:
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise RabbitAddressInvalid(f"{RabbitAddressInvalid.__doc__} ({error})") from error
    if url.scheme not in {"amqp", "amqps"} or not url.host:
        raise RabbitAddressInvalid("the broker's address begins with amqp:// or amqps:// and names a host")
    if not port:
        url = url.with_port(5671 if url.scheme == "amqps" else 5672)
    return url if "heartbeat" in url.query else url.update_query(heartbeat=str(timing.heartbeat))


def _reason(lost: asyncio.Future[Any]) -> str:
    error = None if lost.cancelled() else lost.exception()
    return str(error) or type(error).__name__ if error is not None else "the connection ended"


async def opened(lines: Sequence[Line], seconds: float) -> None:
    """Return when all of them are connected; raises RabbitUnavailable after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            for line in lines:
                await line.connection()
    except TimeoutError as error:
        trouble = next((line.trouble for line in lines if line.trouble), "no answer")
        raise RabbitUnavailable(f"no broker can be reached: {trouble}") from error
