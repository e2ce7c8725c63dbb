"""Processes one route of one execution: delivery, claim, pipeline adapters, settlement, children, acknowledgement."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.engine.adapter_chain import AdapterChain, AdapterFailed, Progress, own_cancellation_only
from application.engine.emissions import Emitter
from application.engine.failures import described, failure_of
from application.engine.group_commit import GroupCommit
from application.engine.ports import EnginePorts
from application.engine.route_feed import RouteFeed
from application.engine.streaming import ClaimLost, StreamingFanOut
from application.ports.ledger import ClaimRequest, Settled
from application.ports.message_queue import Delivery, Envelope
from application.ports.pipeline_adapter import Emission
from domain.errors import FactflowError
from domain.event import Event
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from domain.message import Claim, Message, Outcome, Settlement
from domain.pipeline import Outbound, Route


@dataclass(slots=True, kw_only=True)
class RouteProcessor:
    """Takes a route's messages as they come, up to ``concurrency`` at a time, and settles each.

    ``destinations`` pairs the outbounds with the routes that consume them; ``leading_back`` names the
    routes from which messages can come back to this one: waiting for room there could be waiting for ourselves.
    ``finished`` is told when a settlement ends the execution.
    """

    ports: EnginePorts
    route: Route
    chain: AdapterChain
    feeds: Mapping[str, RouteFeed]
    destinations: tuple[tuple[Outbound, str], ...]
    leading_back: frozenset[str]
    claims: GroupCommit[ClaimRequest, Claim | None]
    settlements: GroupCommit[Settlement, Settled]
    finished: Callable[[UUID, ExecutionStatus], None]
    held: dict[UUID, Envelope] = field(default_factory=dict)
    is_subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Process until cancelled."""
        inbound = self.route.inbound
        slots = asyncio.Semaphore(inbound.concurrency)
        name = self.feeds[self.route.id].queue_name
        prefetch = max(inbound.prefetch, inbound.concurrency)
        async with (
            self.ports.queue.subscribe(name, prefetch=prefetch) as subscription,
            asyncio.TaskGroup() as group,
        ):
            self.is_subscribed.set()
            while True:
                await slots.acquire()
                delivery = await subscription.receive()
                task = group.create_task(self._handle(delivery))
                task.add_done_callback(lambda _: slots.release())

    async def _handle(self, delivery: Delivery) -> None:
        envelope, token = delivery.envelope, self.ports.ids.new_id()
        # Noted before it is asked for: a claim may be committed while its asker is being cancelled.
        self.held[token] = envelope
        claim = await self.claims.ask(ClaimRequest(message_id=envelope.message_id, token=token))
        returns_at = None if claim is None else await self._process(claim)
        del self.held[token]
        await delivery.acknowledge()
        feed = self.feeds[self.route.id]
        feed.consumed(envelope.message_id)
        if returns_at is not None:
            # Only now: a queue that still counts the message as out would not take it again.
            feed.expect(returns_at)

    async def _process(self, claim: Claim) -> datetime | None:
        """Settle one message; returns the moment from which it waits again, if it does."""
        self._tell("message.initiated", claim, {})
        settlement = await self._attempt(claim)
        settlement, settled = await self._settle(claim, settlement)
        await self._publish(settled.published)
        goes_back = settlement.outcome in {Outcome.RETRY, Outcome.RELEASE}
        if settled.accepted and not goes_back:
            kind = "message.failed" if settlement.outcome is Outcome.DEAD else "message.completed"
            self._tell(kind, claim, {"outcome": settlement.outcome.value, "error": settlement.error})
        if settled.finished is not None:
            self.finished(claim.message.execution_id, settled.finished)
        return (settlement.not_before or self.ports.clock.now()) if goes_back else None

    async def _settle(self, claim: Claim, settlement: Settlement) -> tuple[Settlement, Settled]:
        try:
            return settlement, await self.settlements.ask(settlement)
        except FactflowError as error:
            dead = _settlement(claim, Outcome.DEAD, error=described(error))
            return dead, await self.settlements.ask(dead)

    async def _attempt(self, claim: Claim) -> Settlement:
        try:
            progress = await self.chain.run(claim)
        except AdapterFailed as failed:
            return self._failed(claim, failed.cause)
        if progress.is_skipped:
            return _settlement(claim, Outcome.SKIPPED)
        try:
            with own_cancellation_only():
                children = await self._children(claim, progress)
        except ClaimLost:
            return _settlement(claim, Outcome.RELEASE)
        except Exception as error:  # noqa: BLE001 (whatever an adapter's emissions raise settles their message)
            if progress.entry is not None:
                self.chain.failed(progress.entry, error)
            return self._failed(claim, error)
        return _settlement(claim, Outcome.DONE, children=children)

    def _failed(self, claim: Claim, error: Exception) -> Settlement:
        failure = failure_of(
            error,
            claim,
            self.route.error_handling,
            now=self.ports.clock.now(),
            randomness=self.ports.ids.randomness(),
        )
        return _settlement(claim, failure.outcome, error=failure.error, not_before=failure.not_before)

    async def _children(self, claim: Claim, progress: Progress) -> Sequence[Message]:
        emitted = progress.emitted
        emitter = Emitter(
            parent=claim.message,
            metadata=progress.metadata,
            correlation_id=progress.correlation_id,
            destinations=self.destinations,
        )
        if emitted is None and self.destinations:
            return emitter.children([(0, Emission(payload=progress.message))])
        if isinstance(emitted, AsyncIterator):
            fan_out = StreamingFanOut(
                ports=self.ports,
                claim=claim,
                emitter=emitter,
                publish=self._publish,
                wait_for_room=self._wait_for_room,
            )
            return await fan_out.last_chunk(emitted)
        return emitter.children(enumerate(emitted or ()))

    async def _publish(self, messages: Sequence[Message]) -> None:
        by_route: defaultdict[str, list[UUID]] = defaultdict(list)
        for message in messages:
            by_route[message.route_id].append(message.id)
        for route_id, message_ids in by_route.items():
            await self.feeds[route_id].offer(message_ids)

    async def _wait_for_room(self) -> None:
        for _, route_id in self.destinations:
            if route_id not in self.leading_back:
                await self.feeds[route_id].wait_for_room()

    def _tell(self, kind: str, claim: Claim, data: JsonObject) -> None:
        message = claim.message
        about = {"message_id": str(message.id), "route_id": self.route.id, "attempt": claim.attempt, **data}
        self.ports.events.publish(
            Event(
                id=self.ports.ids.new_id(),
                type=kind,
                execution_id=message.execution_id,
                at=self.ports.clock.now(),
                data=about,
            )
        )


def released(token: UUID, envelope: Envelope) -> Settlement:
    """The settlement that hands a message back which may have been claimed under a token."""
    return Settlement(
        message_id=envelope.message_id,
        execution_id=envelope.execution_id,
        token=token,
        outcome=Outcome.RELEASE,
    )


def _settlement(
    claim: Claim,
    outcome: Outcome,
    *,
    children: Sequence[Message] = (),
    error: JsonObject | None = None,
    not_before: datetime | None = None,
) -> Settlement:
    return Settlement(
        message_id=claim.message.id,
        execution_id=claim.message.execution_id,
        token=claim.token,
        outcome=outcome,
        children=children,
        error=error,
        not_before=not_before,
    )
