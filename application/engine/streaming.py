"""Commits a fan-out in chunks while its pipeline adapter is still at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from application.engine.availability import until_available
from application.engine.deadlines import Deadlines
from application.engine.emissions import Emitter
from application.engine.handovers import Reservation
from application.engine.ports import EnginePorts
from application.ports.pipeline_adapter import Emission
from domain.broadcast import Broadcast
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
    deadlines: Deadlines
    reserve: Callable[[Sequence[Message]], Reservation]
    publish: Callable[[Sequence[Message]], Awaitable[None]]
    say: Callable[[Sequence[Broadcast]], None]
    wait_for_room: Callable[[int], Awaitable[None]]

    async def last_chunk(self, emissions: AsyncIterator[Emission]) -> Sequence[tuple[int, Emission]]:
        """Commit all chunks but the last, which is to go with the settlement. Raises ClaimLost.

        The time limit of a pipeline adapter holds for each emission, not for all of them together.
        """
        chunk: list[tuple[int, Emission]] = []
        position = 0
        async with aclosing(_closable(emissions)) as iterator:
            while (emission := await self.deadlines.keep(anext(iterator, None))) is not None:
                if len(chunk) == CHUNK:
                    await self._commit(self.emitter.children(chunk))
                    self.say(self.emitter.broadcasts(chunk))
                    chunk = []
                chunk.append((position, emission))
                position += 1
        return chunk

    async def _commit(self, children: Sequence[Message]) -> None:
        await self.wait_for_room(len(children))
        claim, now = self.claim, self.ports.clock.now()
        reservation = self.reserve(children)
        handover = reservation.handover(self.ports.owner)
        try:
            settled = await until_available(
                lambda: self.ports.ledger.extend(
                    claim.message.id, claim.token, children, now=now, handover=handover
                ),
                self.ports.clock.sleep,
            )
        except asyncio.CancelledError:
            reservation.abandon(claim.message.execution_id, claim.token)
            raise
        except BaseException:
            reservation.cancel()
            raise
        if not settled.accepted:
            reservation.cancel()
            raise ClaimLost
        self.ports.at("chunk_committed")
        reservation.fulfil([(settled, claim.token)])
        await self.publish(settled.published)


def _closable(emissions: AsyncIterator[Emission]) -> AsyncGenerator[Emission, None]:
    return emissions if isinstance(emissions, AsyncGenerator) else _generated(emissions)


async def _generated(emissions: AsyncIterator[Emission]) -> AsyncGenerator[Emission, None]:
    async for emission in emissions:
        yield emission
