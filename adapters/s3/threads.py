"""Runs what blocks in a bounded number of threads, and sees to it that nothing is still at work when that matters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from adapters.s3.translation import S3Unavailable, translating

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most ``count`` threads. What they run raises our errors only."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._clearing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take work from now on."""
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="s3")

    async def stop(self) -> None:
        """Take no more, and wait for what is at work."""
        if self._clearing:
            await asyncio.wait(self._clearing)
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Have a thread run it; raises S3Unavailable when the storage is not open."""
        if self._pool is None:
            raise S3Unavailable("the S3 storage is not open")
        call = partial(_translated, partial(function, *args, **kwargs))
        return asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Its result. Whoever is cancelled does not wait for it."""
        return await self.submit(function, *args, **kwargs)

    async def settled(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Its result. Whoever is cancelled waits until it has ended, so that nothing of it happens later."""
        future = self.submit(function, *args, **kwargs)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # asyncio would report it as never looked at
            raise

    async def cleared(self, clearing: Coroutine[None, None, None]) -> None:
        """Wait for what clears away; it goes on to its end even if nobody waits any more."""
        task = asyncio.create_task(clearing)
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)
        await asyncio.shield(task)


def _translated(call: Callable[[], T]) -> T:
    with translating():
        return call()
