"""The event streams that are open, so that a server that stops can end them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import Unavailable

PLACE = "open_streams"
"""Where an app's state has them."""


class ServerStopping(Unavailable):
    """The server is stopping; a stream can be taken up again at the next one."""

    code = "server_stopping"


class OpenStreams:
    """Every event stream of an app while it is open. Without them a server would wait for readers who never leave."""

    def __init__(self) -> None:
        self._endings: set[asyncio.Future[None]] = set()
        self._is_over = False

    def __len__(self) -> int:
        return len(self._endings)

    @contextmanager
    def one(self) -> Iterator[asyncio.Future[None]]:
        """A future that is done when the stream is to end; at once when all have been told to."""
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._endings.add(ending)
        if self._is_over:
            ending.set_result(None)
        try:
            yield ending
        finally:
            self._endings.discard(ending)

    def end(self) -> None:
        """End those that are open and those that are still to come."""
        self._is_over = True
        for ending in self._endings:
            if not ending.done():
                ending.set_result(None)
