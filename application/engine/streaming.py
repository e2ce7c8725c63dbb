"""Commits a fan-out in chunks while its pipeline adapter is still at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from application.engine.availability import until_available
from application.engine.claim_check import checked_in
from application.engine.deadlines import Deadlines
from application.engine.emissions import Emitter
from application.engine.group_emissions import GroupEmissions
from application.engine.handovers import Reservation
from application.engine.panics import failure_by
from application.engine.ports import EnginePorts
from application.engine.weight import weight_of
from application.ports.pipeline_adapter import Emission
from domain.broadcast import Broadcast
from domain.message import Claim, Message

CHUNK = 256
PART_CHARACTERS = 8 << 20
"""Of payloads that are committed at once, as far as they are of one fan-out and more than one."""
LONGEST_WAIT_SECONDS = 0.25
"""After which a chunk is committed that is not full, so that a slow fan-out keeps nothing to itself."""


@dataclass(slots=True, kw_only=True)
class GrowingChunk:
    """The emissions that wait to be committed, numbered by position: one side appends, the other takes them all."""

    sleep: Callable[[float], Awaitable[None]]
    _position: int = 0
    _emissions: list[tuple[int, Emission]] = field(default_factory=list)
    _is_over: bool = False
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_full(self) -> bool:
        """Whether it is time to take it, and nothing more should be appended until then."""
        return len(self._emissions) >= CHUNK

    def append(self, emission: Emission) -> None:
        """Take one emission in."""
        self._emissions.append((self._position, emission))
        self._position += 1
        if len(self._emissions) in {1, CHUNK}:
            self._stir()

    def take(self) -> Sequence[tuple[int, Emission]]:
        """All of them."""
        emissions, self._emissions = self._emissions, []
        self._stir()
        return emissions

    def end(self) -> None:
        """Nothing more comes, or nobody takes any more."""
        self._is_over = True
        self._stir()

    async def taken(self) -> None:
        """Return when it is not full any more, or over."""
        while self.is_full and not self._is_over:
            await self._change.wait()

    async def is_due(self) -> bool:
        """Return True when it is full or has waited long enough; False when it is over."""
        while not self._emissions and not self._is_over:
            await self._change.wait()
        if not self.is_full and not self._is_over:
            await self._filled_or_late()
        return not self._is_over

    async def _filled_or_late(self) -> None:
        late = asyncio.ensure_future(self.sleep(LONGEST_WAIT_SECONDS))
        try:
            while not (self.is_full or self._is_over or late.done()):
                change = asyncio.ensure_future(self._change.wait())
                try:
                    await asyncio.wait([late, change], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
        finally:
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)

    def _stir(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


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

    async def last_chunk(self, emissions: AsyncIterator[Emission | None]) -> Sequence[tuple[int, Emission]]:
        """Commit all chunks but the last, which is to go with the settlement. Raises ClaimLost.

        The next chunk is read while one is committed, and one that does not fill up is committed before long.
        The time limit of a pipeline adapter holds for each step, not for all of them together; None is a step without
        an emission.
        """
        chunk = GrowingChunk(sleep=self.ports.clock.sleep)
        async with aclosing(_closable(emissions)) as iterator:
            committing = asyncio.create_task(self._commit_chunks(chunk), name="streaming fan-out")
            try:
                await self._read(iterator, chunk, committing)
            except asyncio.CancelledError:
                committing.cancel()
                raise
            except Exception:
                # What is being committed may end in peace; the rest of a failed attempt comes with the next one.
                chunk.take()
                raise
            finally:
                chunk.end()
                await committing
        return chunk.take()

    async def last_part(self, children: Sequence[Message]) -> Sequence[Message]:
        """Commit all that is more than may go with the settlement, and return the rest. Raises ClaimLost."""
        begin = weight = 0
        for place, child in enumerate(children):
            weight += weight_of(child)
            if weight > PART_CHARACTERS and place > begin:
                await self._commit(children[begin:place])
                begin, weight = place, weight_of(child)
        return children[begin:]

    async def whole(self, emissions: AsyncIterator[Emission | None]) -> Sequence[tuple[int, Emission]]:
        """All of them, to go with the settlement; raises what ``GroupEmissions.append`` does.

        What a group of messages emits must not be there before the group is settled: after a crash its messages may
        form other groups, and what came of the first one would count beside what comes of those.
        """
        gathered = GroupEmissions()
        async with aclosing(_closable(emissions)) as iterator:
            while True:
                try:
                    emission = await self.deadlines.keep(anext(iterator))
                except StopAsyncIteration:
                    return gathered.numbered
                if emission is not None:
                    gathered.append(emission)

    async def _read(
        self, iterator: AsyncIterator[Emission | None], chunk: GrowingChunk, committing: asyncio.Task[None]
    ) -> None:
        while True:
            try:
                emission = await self.deadlines.keep(anext(iterator))
            except StopAsyncIteration:
                return
            if chunk.is_full:
                await chunk.taken()
            if committing.done():
                return
            if emission is not None:
                chunk.append(emission)

    async def _commit_chunks(self, chunk: GrowingChunk) -> None:
        try:
            while await chunk.is_due():
                numbered = chunk.take()
                await self._commit(await checked_in(self.ports.storage, self.emitter.children(numbered)))
                self.say(self.emitter.broadcasts(numbered))
        except Exception:
            raise
        except BaseException as raised:
            # Of a task, which would take the event loop along.
            raise failure_by(raised) from raised
        finally:
            chunk.end()

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


def _closable(emissions: AsyncIterator[Emission | None]) -> AsyncGenerator[Emission | None, None]:
    return emissions if isinstance(emissions, AsyncGenerator) else _generated(emissions)


async def _generated(emissions: AsyncIterator[Emission | None]) -> AsyncGenerator[Emission | None, None]:
    async for emission in emissions:
        yield emission
