"""One attempt at a message: its pipeline adapters, its children, and how it is to be settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from application.engine.adapter_chain import AdapterChain, AdapterFailed, Progress
from application.engine.claim_check import checked_in, checked_out
from application.engine.emissions import Emitter
from application.engine.failures import FailedStep, described, failure_of
from application.engine.group_emissions import numbered_of_group
from application.engine.panics import failure_by
from application.engine.ports import EnginePorts
from application.engine.route_gate import RouteGate
from application.engine.streaming import PART_CHARACTERS, ClaimLost, StreamingFanOut
from application.engine.topics import Broadcasts
from application.engine.weight import born_weight
from application.ports.ledger import Settled
from application.ports.pipeline_adapter import Emission
from domain.broadcast import Broadcast
from domain.claim_check import REFERENCE
from domain.digest import digest
from domain.errors import FactflowError
from domain.event import Event
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from domain.message import Claim, Message, Outcome, PayloadRejected, Settlement
from domain.pipeline import Outbound, Route
from domain.storage import StageObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Attempts of one route in one execution.

    ``destinations`` pairs the route's outbounds with the routes that consume them; ``topics`` are its other outbounds.
    """

    ports: EnginePorts
    route: Route
    gate: RouteGate
    chain: AdapterChain
    destinations: tuple[tuple[Outbound, str], ...]
    topics: tuple[Outbound, ...]
    fan_out: Callable[[Claim, Emitter], StreamingFanOut]
    broadcasts: Broadcasts
    _unsaid: dict[UUID, Sequence[Broadcast]] = field(default_factory=dict)

    async def settlement(self, claim: Claim, begun: Progress | None = None) -> Settlement:
        """Process a message; whatever its pipeline adapters raise is in the settlement.

        ``begun`` is how far it has come already, if it stands for a group.
        """
        if begun is None:
            self.tell_begun(claim)
        if REFERENCE in claim.message.payload:
            try:
                claim = replace(claim, message=await checked_out(self.ports.storage, claim.message))
            except FactflowError as error:
                return self.failed(claim, error, None, objects=())
        try:
            progress = await self.chain.run(claim, begun)
        except AdapterFailed as failed:
            return self.failed(claim, failed.cause, failed.index, objects=failed.objects)
        if progress.is_skipped:
            self.chain.ended(progress, None)
            return settlement_of(claim, Outcome.SKIPPED, objects=progress.objects)
        try:
            children, output_hash = await self._children(claim, progress)
        except ClaimLost:
            self.chain.cancelled(progress)
            return settlement_of(claim, Outcome.RELEASE)
        except BaseException as raised:  # noqa: BLE001 (whatever an adapter's emissions raise settles their message)
            return self._broken_off(claim, progress, raised)
        self.chain.ended(progress, output_hash)
        return settlement_of(claim, Outcome.DONE, children=children, objects=progress.objects)

    def _broken_off(self, claim: Claim, progress: Progress, raised: BaseException) -> Settlement:
        """The settlement of a message whose emissions could not be read to their end."""
        try:
            error = failure_by(raised)
        except asyncio.CancelledError:
            self.chain.cancelled(progress)
            raise
        self.chain.failed(progress, error)
        index = progress.last.index if progress.last else None
        return self.failed(claim, error, index, progress.stage, objects=progress.objects)

    def refused(self, claim: Claim, error: Exception) -> Settlement | None:
        """The settlement of a message whose settlement the ledger refuses; None when that is not the message's fault."""
        self.say_nothing(claim)
        if not isinstance(error, FactflowError):
            return None
        return settlement_of(claim, Outcome.DEAD, error=described(error))

    def say_nothing(self, claim: Claim) -> None:
        """Forget what a message had to say on topics: its attempt counts for nothing."""
        self._unsaid.pop(claim.message.id, None)

    def say(self, claim: Claim, settled: Settled) -> None:
        """Say on topics what a settled message had to say, unless its execution was stopped meanwhile."""
        unsaid = self._unsaid.pop(claim.message.id, ()) if self._unsaid else ()
        if unsaid and settled.accepted and settled.finished in {None, ExecutionStatus.COMPLETED}:
            self.broadcasts.say(unsaid)

    def tell_begun(self, claim: Claim) -> None:
        """Tell whoever listens that a message is taken up."""
        self._tell("message.initiated", claim)

    def tell_settled(self, claim: Claim, settlement: Settlement) -> None:
        """Tell whoever listens how a message has ended."""
        kind = "message.failed" if settlement.outcome is Outcome.DEAD else "message.completed"
        self._tell(kind, claim, outcome=settlement.outcome.value, error=settlement.error)

    async def _children(self, claim: Claim, progress: Progress) -> tuple[Sequence[Message], str]:
        """The children, and the hash of the message as it leaves the route."""
        emitted = progress.emitted
        emitter = Emitter(
            parent=claim.message,
            metadata=progress.metadata,
            correlation_id=progress.correlation_id,
            destinations=self.destinations,
            topics=self.topics,
            group_id=progress.group_id,
        )
        numbered: Sequence[tuple[int, Emission]] = ()
        if isinstance(emitted, AsyncIterator):
            fan_out = self.fan_out(claim, emitter)
            numbered = await (fan_out.whole(emitted) if progress.group_id else fan_out.last_chunk(emitted))
        elif emitted is not None:
            numbered = numbered_of_group(emitted) if progress.group_id else list(enumerate(emitted))
        elif self.destinations or self.topics:
            numbered = [(0, Emission(payload=progress.message))]
        children = emitter.children(numbered)
        if emitted is None and children and children[0].encoded:
            output_hash = children[0].encoded.hash
        else:
            output_hash = _hash_of(progress.message)
        kept = await checked_in(self.ports.storage, children)
        if not progress.group_id and len(kept) > 1 and born_weight(kept) > PART_CHARACTERS:
            kept = await self.fan_out(claim, emitter).last_part(kept)
        if self.topics:
            # Last: an attempt that fails says nothing.
            self._unsaid[claim.message.id] = emitter.broadcasts(numbered)
        return kept, output_hash

    def failed(
        self,
        claim: Claim,
        error: Exception,
        index: int | None,
        stage: str | None = None,
        *,
        objects: Sequence[StageObject],
    ) -> Settlement:
        """The settlement of a message whose attempt failed, at the route's n-th pipeline adapter if at one."""
        spared_until = self.gate.spared_until(error)
        failure = failure_of(
            error,
            claim,
            self.route.error_handling,
            now=self.ports.clock.now(),
            randomness=self.ports.ids.randomness(),
            at=None if index is None else self._step(index, stage),
        )
        outcome, not_before = failure.outcome, failure.not_before
        if spared_until is not None:
            outcome, not_before = Outcome.RELEASE, spared_until
        return settlement_of(claim, outcome, error=failure.error, not_before=not_before, objects=objects)

    def _step(self, index: int, stage: str | None) -> FailedStep:
        name = self.route.adapters[index].type
        return FailedStep(adapter_name=name, adapter_index=index, stage_name=stage or name)

    def _tell(self, kind: str, claim: Claim, **data: object) -> None:
        message = claim.message
        if not self.ports.events.is_followed(message.execution_id):
            return
        about: JsonObject = {
            "message_id": str(message.id),
            "route_id": self.route.id,
            "attempt": claim.attempt,
            **data,  # type: ignore[dict-item]  # they are JSON
        }
        self.ports.events.publish(
            Event(
                id=self.ports.ids.new_id(),
                type=kind,
                execution_id=message.execution_id,
                at=self.ports.clock.now(),
                data=about,
            )
        )


def _hash_of(message: JsonObject) -> str:
    try:
        return digest(message).hash
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadRejected(f"the message that leaves the route is not JSON: {error}") from error


def settlement_of(
    claim: Claim,
    outcome: Outcome,
    *,
    children: Sequence[Message] = (),
    error: JsonObject | None = None,
    not_before: datetime | None = None,
    objects: Sequence[StageObject] = (),
) -> Settlement:
    """The settlement of a claim."""
    return Settlement(
        message_id=claim.message.id,
        execution_id=claim.message.execution_id,
        token=claim.token,
        outcome=outcome,
        children=children,
        error=error,
        not_before=not_before,
        objects=objects,
    )
