"""Commits a fan-out in chunks while its pipeline adapter is still at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from application.engine.availability import until_available
from application.engine.emissions import Emitter
from application.engine.ports import EnginePorts
from application.ports.pipeline_adapter import Emission
from domain.message import Claim, Message

CHUNK = 256


class ClaimLost(Exception):
    """The claim no longer holds, or its execution has ended: what is emitted counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingFanOut:
    """Reads one attempt's emissions as they come. Each chunk is fenced by the claim; chunks wait for room."""

    ports: EnginePorts
    claim: Claim
    emitter: Emitter
    publish: Callable[[Sequence[Message]], Awaitable[None]]
    wait_for_room: Callable[[], Awaitable[None]]

    async def last_chunk(self, emissions: AsyncIterator[Emission]) -> Sequence[Message]:
        """Commit all chunks but the last, which is to go with the settlement. Raises ClaimLost.

        The time limit of a pipeline adapter holds for each emission, not for all of them together.
        """
        chunk: list[tuple[int, Emission]] = []
        position = 0
        async with aclosing(_closable(emissions)) as iterator:
            while (emission := await self._next(iterator)) is not None:
                if len(chunk) == CHUNK:
                    await self._commit(self.emitter.children(chunk))
                    chunk = []
                chunk.append((position, emission))
                position += 1
        return self.emitter.children(chunk)

    async def _next(self, iterator: AsyncIterator[Emission]) -> Emission | None:
        async with asyncio.timeout(self.ports.settings.adapter_timeout):
            return await anext(iterator, None)

    async def _commit(self, children: Sequence[Message]) -> None:
        claim, now = self.claim, self.ports.clock.now()
        holds = await until_available(
            lambda: self.ports.ledger.extend(claim.message.id, claim.token, children, now=now),
            self.ports.clock.sleep,
        )
        if not holds:
            raise ClaimLost
        await self.publish(children)
        await self.wait_for_room()


async def _closable(emissions: AsyncIterator[Emission]) -> AsyncGenerator[Emission, None]:
    try:
        async for emission in emissions:
            yield emission
    finally:
        if isinstance(emissions, AsyncGenerator):
            await emissions.aclose()
