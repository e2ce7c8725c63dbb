"""Does the work of many messages in flight together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar, cast

from domain.errors import FactflowError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result]
    weight: float


class Batcher(Generic[Item, Result]):
    """Gives ``work`` up to ``size`` items at a time, in the order they came; a result per item comes back.

    Where ``weigh`` says how heavy an item is, a batch is the one that has waited longest and those of the others that
    are next to it in weight: for work that takes as long as its heaviest item. Nobody is overtaken for ever.
    A lone item starts at once, and while ``lanes`` batches are at work the next one gathers; after a batch of several
    items it gathers ``pause`` seconds longer, unless it is full.
    An item whose submitter was cancelled is left out, or its result dropped; its neighbours do not notice.
    When a batch fails it is halved until the culprits are alone, unless the failure is Unavailable, which is
    everyone's. So ``work`` may be given the same item again. It belongs to no message and no request, as its items do
    to many. Nothing needs closing once nobody waits.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        size: int,
        lanes: int = 1,
        pause: float = 0.0,
        weigh: Callable[[Item], float] | None = None,
    ) -> None:
        self._work = work
        self._size = size
        self._lanes = lanes
        self._pause = pause
        self._weigh = weigh
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The result for this item; raises what ``work`` raised for it."""
        return await self.enter(item)

    async def submit_all(self, items: Iterable[Item]) -> Sequence[Result]:
        """The results for these items, which may be done in several batches; raises what the first to fail raised."""
        return await asyncio.gather(*map(self.enter, items))

    def enter(self, item: Item) -> asyncio.Future[Result]:
        """What ``submit`` waits for, without waiting."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, result, self._weigh(item) if self._weigh else 0.0))
        if len(self._running) < self._lanes:
            # A task begins with what its maker knows of a message or request, and this one works for others too.
            self._running.add(asyncio.create_task(self._run(), context=Context()))
        return result

    async def close(self) -> None:
        """Stop what runs and cancel whoever waits."""
        lanes = list(self._running)
        self._running.clear()
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().result.cancel()

    async def _run(self) -> None:
        try:
            while batch := self._next():
                await self._do(batch)
                if self._pause and len(batch) > 1 and len(self._waiting) < self._size:
                    await asyncio.sleep(self._pause)
        finally:
            # Here and not in a callback, which comes a turn later: an item submitted in between would wait for ever.
            self._running.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _do(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            await self._settle(batch)
        finally:
            for one in batch:
                one.result.cancel()

    def _next(self) -> Sequence[_Waiting[Item, Result]]:
        if self._weigh is not None and len(self._waiting) > self._size:
            self._bring_forward_alike()
        batch: list[_Waiting[Item, Result]] = []
        while self._waiting and len(batch) < self._size:
            one = self._waiting.popleft()
            if not one.result.done():
                batch.append(one)
        return batch

    def _bring_forward_alike(self) -> None:
        """Put the one that has waited longest first, with its next in weight; the rest stays in order."""
        waiting = [one for one in self._waiting if not one.result.done()]
        by_weight = sorted(range(len(waiting)), key=lambda place: waiting[place].weight)
        first = max(0, min(by_weight.index(0) - self._size // 2, len(waiting) - self._size)) if waiting else 0
        chosen = sorted(by_weight[first : first + self._size])
        rest = sorted(set(by_weight).difference(chosen))
        self._waiting = deque(waiting[place] for place in (*chosen, *rest))

    async def _settle(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._work([one.item for one in batch])
            if len(results) != len(batch):
                raise FactflowError(f"{len(results)} results came back for {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            await self._fail(batch, error)
            return
        for one, result in zip(batch, results, strict=True):
            if not one.result.done():
                one.result.set_result(result)

    async def _fail(self, batch: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, Unavailable):
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
            return
        for one in batch:
            if not one.result.done():
                one.result.set_exception(error)
