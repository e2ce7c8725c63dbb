"""Gives groups of messages to the pipeline adapter of a route that collects, recording each message in lineage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from application.engine.adapter_chain import HANDLING, AdapterChain, AdapterFailed, Handling, Progress, after
from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    CollectingAdapter,
    GroupContext,
)
from domain.conditions import value_at
from domain.grouping import group_id
from domain.json import Json, JsonObject
from domain.lineage import StageStatus
from domain.message import Claim
from domain.pipeline import AdapterStep


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectingStep:
    """The first step of a route. The ``chain`` is the rest of it, and takes on one message that stands for the group.

    That one is the first by id: the group's lineage goes on from its entry, into which the others are collected.
    """

    step: AdapterStep
    adapter: CollectingAdapter
    chain: AdapterChain

    async def run(self, claims: Sequence[Claim]) -> Progress:
        """How far the group has come when it is collected; raises AdapterFailed.

        The claims have their payloads, in the order in which they came. The entry of the one that stands for the group
        is the chain's to record, unless this fails.
        """
        handlings = [self._begun(claim) for claim in claims]
        lead = min(handlings, key=lambda handling: handling.claim.message.id)
        others = [handling for handling in handlings if handling is not lead]
        before = self._before(claims, lead)
        token = HANDLING.set(lead)
        try:
            work = self._collected(claims, lead, before)
            progress = after(lead, before, await self.chain.deadlines.keep(work))
        except asyncio.CancelledError:
            self._record(handlings, StageStatus.CANCELLED)
            raise
        except Exception as error:
            self._record(handlings, StageStatus.FAILED, error)
            self.chain.observe(0, error)
            raise AdapterFailed(error, 0, before.objects) from error
        finally:
            HANDLING.reset(token)
        for handling in others:
            handling.collected_into = lead.correlation_id
        self._record(others, StageStatus.COMPLETED, stage=progress.stage)
        return progress

    async def _collected(
        self, claims: Sequence[Claim], lead: Handling, before: Progress
    ) -> AdapterResult | None:
        return await self.adapter.collect(_messages(claims), self._context(claims, lead, before))

    def _begun(self, claim: Claim) -> Handling:
        return self.chain.begun(claim, 0, self.step.type, _as_claimed(claim))

    def _before(self, claims: Sequence[Claim], lead: Handling) -> Progress:
        return Progress(
            message={},
            metadata=_in_common([claim.message.metadata for claim in claims]),
            correlation_id=lead.parent_id,
            group_id=group_id(claim.message.id for claim in claims),
        )

    def _context(self, claims: Sequence[Claim], lead: Handling, before: Progress) -> GroupContext:
        message = lead.claim.message
        return GroupContext(
            execution_id=message.execution_id,
            route_id=self.chain.route_id,
            group_id=before.group_id or message.id,
            key=key_of(self.adapter, claims[0].message.payload),
            metadata=before.metadata,
            correlation_id=lead.correlation_id,
            attempt=max(claim.attempt for claim in claims),
            stage=self.chain.stage(lead, before),
            adapter_type=self.step.type,
        )

    def _record(
        self,
        handlings: Sequence[Handling],
        status: StageStatus,
        error: Exception | None = None,
        *,
        stage: str | None = None,
    ) -> None:
        for handling in handlings:
            progress = replace(_as_claimed(handling.claim), stage=stage)
            self.chain.record(handling, progress, status, error=error)


def key_of(adapter: CollectingAdapter, payload: JsonObject) -> Json:
    """The value by which a message is put into a group; None where there is none."""
    path = adapter.grouping.key
    return None if path is None else value_at(path, payload)


def _as_claimed(claim: Claim) -> Progress:
    message = claim.message
    return Progress(
        message=message.payload, metadata=message.metadata, correlation_id=message.parent_correlation_id
    )


def _messages(claims: Sequence[Claim]) -> Sequence[CollectedMessage]:
    return [
        CollectedMessage(
            message=claim.message.payload, metadata=claim.message.metadata, message_id=claim.message.id
        )
        for claim in claims
    ]


def _in_common(all_metadata: Sequence[JsonObject]) -> JsonObject:
    first, *others = all_metadata
    return {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }
