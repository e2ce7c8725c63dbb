"""The claims and settlements of all runs of a process, committed in groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from application.engine.availability import until_available
from application.engine.group_commit import GroupCommit
from application.engine.handovers import reserve
from application.engine.ports import EnginePorts
from application.engine.route_processor import RouteProcessor
from application.engine.weight import born_weight
from application.ports.ledger import ClaimRequest, Settled
from domain.message import Claim, Message, Settlement

SETTLING_LANES = 2
"""Groups of settlements that are with the ledger at once, when there is that much to settle."""


@dataclass(slots=True, kw_only=True)
class Commits:
    """Three groups, at work while ``async with`` lasts; ``together`` settles what was collected, each item in a
    transaction of its own. ``taker`` names who may be handed a child as it is born.
    """

    ports: EnginePorts
    taker: Callable[[Message], RouteProcessor | None]
    claims: GroupCommit[ClaimRequest, Claim | None] = field(init=False)
    settlements: GroupCommit[Settlement, Settled] = field(init=False)
    together: GroupCommit[Sequence[Settlement], Sequence[Settled]] = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        settings, sleep = self.ports.settings, self.ports.clock.sleep
        self.claims = GroupCommit(
            commit=self._claim,
            sleep=sleep,
            linger_seconds=settings.group_commit_linger,
            largest=settings.group_commit_largest,
        )
        self.settlements = GroupCommit(
            commit=self._settle,
            sleep=sleep,
            linger_seconds=settings.group_commit_linger,
            largest=settings.group_commit_largest,
            lanes=SETTLING_LANES,
            weight=lambda settlement: born_weight(settlement.children),
        )
        self.together = GroupCommit(
            commit=self._settle_together, sleep=sleep, linger_seconds=0.0, largest=1, lanes=SETTLING_LANES
        )

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.claims)
        await self._stack.enter_async_context(self.settlements)
        await self._stack.enter_async_context(self.together)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _claim(self, requests: Sequence[ClaimRequest]) -> Sequence[Claim | None]:
        claims = await self.ports.ledger.claim(requests, owner=self.ports.owner, now=self.ports.clock.now())
        by_token = {claim.token: claim for claim in claims}
        return [by_token.get(request.token) for request in requests]

    async def _settle_together(self, groups: Sequence[Sequence[Settlement]]) -> Sequence[Sequence[Settled]]:
        self.ports.at("settling")
        answers = [
            await self.ports.groups.settle_together(group, now=self.ports.clock.now()) for group in groups
        ]
        self.ports.at("settled")
        return answers

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        self.ports.at("settling")
        born = (child for settlement in settlements for child in settlement.children)
        reservation = reserve(born, self.taker)
        handover = reservation.handover(self.ports.owner)
        try:
            # Tried again here and not by the group: after an unknown outcome the same children must be named, for
            # one that was born claimed and is not named again would be published, and nobody could claim it.
            answers = await until_available(
                lambda: self.ports.ledger.settle(settlements, now=self.ports.clock.now(), handover=handover),
                self.ports.clock.sleep,
            )
        except BaseException:
            reservation.cancel()
            raise
        self.ports.at("settled")
        tokens = (settlement.token for settlement in settlements)
        reservation.fulfil(zip(answers, tokens, strict=True))
        return answers
