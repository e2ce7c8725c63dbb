"""Topics: what is said beside the ledger, and what becomes of it where a route listens."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID

from application.engine.availability import until_available
from application.engine.claim_check import checked_in
from application.engine.ports import EnginePorts
from application.engine.weight import characters_of
from application.ports.message_queue import MessageQueue
from domain.broadcast import Broadcast, heard_in
from domain.errors import FactflowError
from domain.json import JsonObject
from domain.message import Message

log = logging.getLogger(__name__)

LINE = 10_000
LINE_CHARACTERS = 64 << 20
LONGEST_SAYING_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Broadcasts:
    """Says broadcasts in the order they come while ``async with`` lasts; who hands them in never waits and never fails.

    At most ``capacity`` wait to be said, with about 64 Mi characters: more are dropped, and counted with those that the
    queue could not take.
    """

    queue: MessageQueue
    capacity: int = LINE
    dropped: int = 0
    _line: deque[tuple[Broadcast, int]] = field(default_factory=deque)
    _characters: int = 0
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _speaker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._speaker = asyncio.create_task(self._run(), name="broadcasts")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._speaker is not None:
            self._speaker.cancel()
            await asyncio.gather(self._speaker, return_exceptions=True)

    def say(self, broadcasts: Sequence[Broadcast]) -> None:
        """Hand in what settled messages say."""
        self._drop(sum(not self._takes(one) for one in broadcasts), "too many wait")
        self._awake.set()

    def _takes(self, broadcast: Broadcast) -> bool:
        size = characters_of(broadcast.payload)
        if len(self._line) >= self.capacity or self._characters + size > LINE_CHARACTERS:
            return False
        self._line.append((broadcast, size))
        self._characters += size
        return True

    async def _run(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._line:
                broadcast, size = self._line.popleft()
                self._characters -= size
                await self._say(broadcast)

    async def _say(self, broadcast: Broadcast) -> None:
        try:
            async with asyncio.timeout(LONGEST_SAYING_SECONDS):
                await self.queue.broadcast(broadcast.topic, broadcast.as_json())
        except (FactflowError, TimeoutError) as error:
            self._drop(1, str(error) or "the queue does not answer")
        except Exception:
            # A defect is to be seen, and must not silence all that follows.
            log.exception("a broadcast on %s was dropped", broadcast.topic)
            self._drop(1, "a defect")

    def _drop(self, count: int, reason: str) -> None:
        if count:
            self.dropped += count
            log.warning("%d broadcasts were dropped: %s", count, reason)


@dataclass(slots=True, kw_only=True)
class TopicListener:
    """Turns what is said on a route's inbound topic into messages of its execution, while the execution is running.

    ``offer`` brings a message that is in the ledger to the route's queue. What is heard after the execution has ended
    is dropped, and so is what is no broadcast of ours.
    """

    ports: EnginePorts
    execution_id: UUID
    route_id: str
    topic: str
    offer: Callable[[Sequence[UUID]], Awaitable[None]]
    is_listening: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self.ports.queue.listen(self.topic) as heard:
            self.is_listening.set()
            await self._admit_all(heard)

    async def _admit_all(self, heard: AsyncIterator[JsonObject]) -> None:
        async for value in heard:
            broadcast = heard_in(value)
            if broadcast is None:
                log.warning("what was said on %s is no broadcast and was passed over", self.topic)
                continue
            try:
                await self._admit(broadcast.message_for(self.execution_id, self.route_id))
            except FactflowError as error:
                log.warning("what was said on %s could not be taken in: %s", self.topic, error)

    async def _admit(self, message: Message) -> None:
        async def admit() -> bool:
            (kept,) = await checked_in(self.ports.storage, [message])
            return await self.ports.ledger.admit(kept, now=self.ports.clock.now())

        if await until_available(admit, self.ports.clock.sleep):
            await self.offer([message.id])
