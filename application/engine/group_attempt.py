"""One attempt at a group of messages: from their claims to their settlements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from application.engine.adapter_chain import AdapterFailed
from application.engine.attempt import Attempt, settlement_of
from application.engine.claim_check import AT_ONCE, checked_out
from application.engine.collecting_step import CollectingStep
from domain.errors import FactflowError
from domain.message import Claim, Outcome, Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    """The settlements of a group, in the order of its claims.

    ``are_one``: they are to be settled together or not at all. Without settlements each message is to be tried alone.
    """

    settlements: Sequence[Settlement]
    are_one: bool = False


TAKEN_APART = GroupOutcome(settlements=())


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAttempt:
    """Attempts of one route whose first pipeline adapter collects."""

    attempt: Attempt
    step: CollectingStep

    async def outcome(self, claims: Sequence[Claim]) -> GroupOutcome:
        """Process a group; whatever its pipeline adapters raise is in the outcome."""
        for claim in claims:
            self.attempt.tell_begun(claim)
        try:
            claims = await self._checked_out(claims)
        except FactflowError as error:
            return self._failed(claims, self.attempt.failed(claims[0], error, None, objects=()))
        lead = min(claims, key=lambda claim: claim.message.id)
        try:
            begun = await self.step.run(claims)
        except AdapterFailed as failed:
            settlement = self.attempt.failed(lead, failed.cause, failed.index, objects=failed.objects)
            return self._failed(claims, settlement)
        settlement = await self.attempt.settlement(lead, begun)
        if settlement.outcome in {Outcome.DONE, Outcome.SKIPPED}:
            return GroupOutcome(settlements=_of_all(claims, settlement), are_one=True)
        return self._failed(claims, settlement)

    async def _checked_out(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        read = list(claims)
        for begin in range(0, len(read), AT_ONCE):
            part = read[begin : begin + AT_ONCE]
            messages = await asyncio.gather(
                *(checked_out(self.attempt.ports.storage, claim.message) for claim in part)
            )
            read[begin : begin + AT_ONCE] = [
                replace(claim, message=message) for claim, message in zip(part, messages, strict=True)
            ]
        return read

    def _failed(self, claims: Sequence[Claim], settlement: Settlement) -> GroupOutcome:
        """What becomes of the others is what becomes of one, as long as none of them has come to its end with that."""
        most = self.attempt.route.error_handling.max_retries
        is_the_end = settlement.outcome is Outcome.DEAD or (
            settlement.outcome is Outcome.RETRY and any(claim.retries >= most for claim in claims)
        )
        if is_the_end and len(claims) > 1:
            return TAKEN_APART
        return GroupOutcome(settlements=_of_all(claims, settlement))


def _of_all(claims: Sequence[Claim], settlement: Settlement) -> Sequence[Settlement]:
    return [
        settlement
        if claim.message.id == settlement.message_id
        else settlement_of(
            claim,
            settlement.outcome,
            error=settlement.error and {**settlement.error, "attempts": claim.attempt},
            not_before=settlement.not_before,
        )
        for claim in claims
    ]
