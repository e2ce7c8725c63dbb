"""A ledger whose answers come late, or get lost on their way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from application.ports.ledger import ClaimRequest, Handover, Settled
from domain.message import Claim, Message, Settlement

Hook: TypeAlias = Callable[[object], Awaitable[None]]


async def at_once(_: object) -> None:
    """Let an answer pass."""


@dataclass(slots=True, kw_only=True)
class LateLedger:
    """A ledger in memory; each hook is given what was asked when it is done, and before the answer is.

    ``settling`` is given it before anything is done.
    """

    inner: MemoryLedger = field(default_factory=MemoryLedger)
    claimed: Hook = at_once
    settling: Hook = at_once
    settled: Hook = at_once
    extended: Hook = at_once
    looked: Hook = at_once

    async def claim(self, requests: Sequence[ClaimRequest], *, owner: UUID, now: datetime) -> Sequence[Claim]:
        claims = await self.inner.claim(requests, owner=owner, now=now)
        await self.claimed(claims)
        return claims

    async def settle(
        self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
    ) -> Sequence[Settled]:
        await self.settling(settlements)
        answers = await self.inner.settle(settlements, now=now, handover=handover)
        await self.settled(settlements)
        return answers

    async def extend(
        self,
        message_id: UUID,
        token: UUID,
        children: Sequence[Message],
        *,
        now: datetime,
        handover: Handover | None = None,
    ) -> Settled:
        answer = await self.inner.extend(message_id, token, children, now=now, handover=handover)
        await self.extended(children)
        return answer

    async def admit(self, message: Message, *, now: datetime) -> bool:
        return await self.inner.admit(message, now=now)

    async def waiting(
        self, execution_id: UUID, route_id: str, *, limit: int, now: datetime
    ) -> Sequence[UUID]:
        waiting = await self.inner.waiting(execution_id, route_id, limit=limit, now=now)
        await self.looked(waiting)
        return waiting

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        return await self.inner.next_due(execution_id, route_id, after=after)
