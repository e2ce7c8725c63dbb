"""A link in a thread of its own, for tests that themselves wait for processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.proof.links import Link, linked_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A line to a port of this machine that can be disturbed, and the port at its other end."""

    port: int
    _link: Link
    _loop: asyncio.AbstractEventLoop

    def disturb(self, how: Callable[[Link], None]) -> None:
        """Do that to the link; returns when it is done."""
        done = threading.Event()

        def act() -> None:
            how(self._link)
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(10), "the link does not answer"


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy for a port, gone with all its connections at the end."""
    started: list[Proxy] = []
    is_ready, ends = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with linked_port(port) as (link, at):
            started.append(Proxy(port=at, _link=link, _loop=asyncio.get_running_loop()))
            is_ready.set()
            await ends.wait()

    thread = threading.Thread(target=asyncio.run, args=[run()], name="proxy", daemon=True)
    thread.start()
    assert is_ready.wait(10), "the proxy does not start"
    (proxy,) = started
    try:
        yield proxy
    finally:
        proxy.disturb(lambda _: ends.set())
        thread.join(10)
