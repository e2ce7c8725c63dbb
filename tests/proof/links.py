"""A line to a server over loopback that can be cut: before, after or instead of an answer; fall silent; or be slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CHUNK_BYTES = 1 << 16


@dataclass(slots=True, kw_only=True)
class Link:
    """Forwards connections to a server's Unix socket, or to a port of this machine.

    ``cut_at``: when a client sends this for the ``passing``-th time, it is forwarded, and as soon as the server has
    answered all connections are cut without the answer. While ``is_down`` connections are cut as they come.
    While ``is_silent`` what either side says is lost, though nothing is closed; ``fall_silent`` makes it so for good
    for the connections there are: they are half open. Each piece is ``latency`` seconds late, and each direction of a
    connection passes ``bytes_per_second``.
    """

    socket: str | int
    url: str = ""
    cut_at: bytes | None = None
    passing: int = 1
    cuts: int = 0
    is_down: bool = False
    is_silent: bool = False
    latency: float = 0.0
    bytes_per_second: float = inf
    _mutes: set[asyncio.Event] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _connections: list[asyncio.Task[None] | None] = field(default_factory=list)

    def cut(self) -> None:
        """Break every connection there is."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def fall_silent(self) -> None:
        """Let nothing more pass on any connection there is, nor on new ones while ``is_silent``."""
        self.is_silent = True
        for mute in self._mutes:
            mute.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._connections.append(asyncio.current_task())
        if self.is_down:
            await _closed(writer)
            return
        try:
            server_reader, server_writer = await self._connected()
        except OSError:
            await _closed(writer)
            return
        ends = {writer, server_writer}
        self._writers |= ends
        is_last, mute = asyncio.Event(), asyncio.Event()
        self._mutes.add(mute)
        if self.is_silent:
            mute.set()
        try:
            async with asyncio.TaskGroup() as group:
                there = group.create_task(
                    self._forward(reader, server_writer, is_last, mute, is_answer=False)
                )
                back = group.create_task(self._forward(server_reader, writer, is_last, mute, is_answer=True))
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
                there.cancel()
                back.cancel()
        finally:
            self._mutes.discard(mute)
            self._writers -= ends
            for end in ends:
                await _closed(end)

    def _most(self) -> int:
        """How many bytes pass at once: on a slow line no more than it takes a tenth of a second for."""
        return int(max(min(CHUNK_BYTES, self.bytes_per_second / 10), 1))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.socket, int):
            return await asyncio.open_connection("127.0.0.1", self.socket)
        return await asyncio.open_unix_connection(self.socket)

    async def closed(self) -> None:
        """Cut everything, and return when nothing of it is left."""
        self.is_down = True
        self.cut()
        await asyncio.gather(*filter(None, self._connections), return_exceptions=True)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_last: asyncio.Event,
        mute: asyncio.Event,
        *,
        is_answer: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(self._most()):
                if self.is_silent or mute.is_set():
                    continue
                if is_answer and is_last.is_set():
                    self.cut()
                    return
                if not is_answer and self.cut_at is not None and self.cut_at in data:
                    self.passing -= 1
                    if not self.passing:
                        is_last.set()
                await asyncio.sleep(self.latency)
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(len(data) / self.bytes_per_second)


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    """A link to the database of an address with a Unix socket."""
    given = conninfo_to_dict(url)
    port = given.get("port") or 5432
    link = Link(socket=f"{given['host']}/.s.PGSQL.{port}")
    async with await asyncio.start_server(link.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        link.url = make_conninfo(url, host=host, port=port, sslmode="disable", gssencmode="disable")
        try:
            yield link
        finally:
            await link.closed()


@asynccontextmanager
async def linked_port(port: int) -> AsyncIterator[tuple[Link, int]]:
    """A link to a port of this machine, and the port to connect to instead."""
    link = Link(socket=port)
    async with await asyncio.start_server(link.serve, "127.0.0.1", 0) as server:
        try:
            yield link, server.sockets[0].getsockname()[1]
        finally:
            await link.closed()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
