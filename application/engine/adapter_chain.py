"""Runs a route's pipeline adapters on one message, in order, recording each in lineage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from application.engine.deadlines import Deadlines
from application.engine.failures import described
from application.engine.nonsense import AdapterResultInvalid, require_result
from application.engine.panics import failure_by
from application.engine.stage import MessageStage
from application.ports.clock import Clock
from application.ports.lineage import LineageSink
from application.ports.object_storage import ObjectStorage
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineAdapter, PipelineContext
from domain.conditions import holds
from domain.digest import digest
from domain.json import JsonObject
from domain.lineage import LineageEntry, StageStatus
from domain.message import Claim, correlation_id
from domain.pipeline import AdapterStep
from domain.replayed_message import batch_of
from domain.storage import StageObject


# Made several times for every message, and a frozen value costs three times as much to make.
@dataclass(slots=True, kw_only=True)
class Handling:
    """One pipeline adapter's handling of a message: what its lineage entry will be made of."""

    claim: Claim
    index: int
    adapter_name: str
    correlation_id: UUID
    parent_id: UUID | None
    started_at: datetime
    input_hash: str | None
    collected_into: UUID | None = None


HANDLING: ContextVar[Handling | None] = ContextVar("handling", default=None)
"""What the pipeline adapter at work in this task handles; None outside of one. Log records take from it where they belong."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far an attempt has come: the message, provenance and stored objects so far, and the handling that came last.

    ``group_id`` is that of the group for which the message stands, if it stands for one.
    """

    message: JsonObject
    metadata: JsonObject
    correlation_id: UUID | None
    emitted: Sequence[Emission] | AsyncIterator[Emission | None] | None = None
    stage: str | None = None
    last: Handling | None = None
    is_skipped: bool = False
    objects: list[StageObject] = field(default_factory=list)
    group_id: UUID | None = None


class AdapterFailed(Exception):
    """A pipeline adapter raised; the cause says what, ``index`` which step of the route it was.

    ``objects`` are what the attempt had kept by then.
    """

    def __init__(self, cause: Exception, index: int, objects: Sequence[StageObject]) -> None:
        super().__init__(cause)
        self.cause = cause
        self.index = index
        self.objects = objects


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterChain:
    """The pipeline adapters of one route in one execution.

    An adapter's lineage entry is recorded when it has ended; the last one's only by ``ended`` or ``failed``, when its
    emissions have been read too. ``first`` is the place of the first step in the route: 1 behind a pipeline adapter that
    collects. ``observe`` is told how each adapter fared, by its place, ``announce`` of every object
    that one has kept.
    """

    route_id: str
    steps: Sequence[tuple[AdapterStep, PipelineAdapter]]
    storage: ObjectStorage
    lineage: LineageSink
    clock: Clock
    deadlines: Deadlines
    observe: Callable[[int, BaseException | None], None]
    announce: Callable[[StageObject], None]
    first: int = 0

    async def run(self, claim: Claim, begun: Progress | None = None) -> Progress:
        """Take one message through the adapters; raises AdapterFailed. A false condition skips its adapter alone.

        ``begun`` is how far it has come before the first of them, unless it is as it was claimed.
        """
        message = claim.message
        progress = begun or Progress(
            message=message.payload, metadata=message.metadata, correlation_id=message.parent_correlation_id
        )
        for index, (step, adapter) in enumerate(self.steps, self.first):
            if progress.is_skipped:
                break
            if step.condition is not None and not self._holds(claim, index, step, progress):
                continue
            self._go_on(progress)
            progress = await self._step(self.begun(claim, index, step.type, progress), adapter, progress)
        return progress

    def _holds(self, claim: Claim, index: int, step: AdapterStep, progress: Progress) -> bool:
        """Whether a step's condition holds. What an adapter leaves in memory may be no JSON, and raise when compared."""
        try:
            return step.condition is None or holds(step.condition, progress.message)
        except BaseException as raised:
            error = failure_by(raised)
            self._go_on(progress)
            self.record(
                self.begun(claim, index, step.type, progress), progress, StageStatus.FAILED, error=error
            )
            raise AdapterFailed(error, index, progress.objects) from raised

    def _go_on(self, progress: Progress) -> None:
        """Record that the adapter before has done its work, now that another one comes."""
        if progress.last is not None:
            self._require_nothing_emitted(progress)
            self.record(progress.last, progress, StageStatus.COMPLETED)
            self.observe(progress.last.index, None)

    async def _step(self, handling: Handling, adapter: PipelineAdapter, before: Progress) -> Progress:
        token = HANDLING.set(handling)
        try:
            result = await self.deadlines.keep(_processed(adapter, self._context(handling, before)))
            progress = after(handling, before, result)
        except asyncio.CancelledError:
            self.record(handling, before, StageStatus.CANCELLED)
            raise
        except Exception as error:
            self.record(handling, before, StageStatus.FAILED, error=error)
            self.observe(handling.index, error)
            raise AdapterFailed(error, handling.index, before.objects) from error
        finally:
            HANDLING.reset(token)
        return progress

    def _require_nothing_emitted(self, progress: Progress) -> None:
        """What an adapter before the last one emits would go nowhere, so it is an error and no silence."""
        if progress.emitted is None or progress.last is None:
            return
        error = AdapterResultInvalid(
            f"the pipeline adapter {progress.last.adapter_name} emits and is not the last of its route"
        )
        self.record(progress.last, progress, StageStatus.FAILED, error=error)
        raise AdapterFailed(error, progress.last.index, progress.objects)

    def ended(self, progress: Progress, output_hash: str | None) -> None:
        """Record that the last adapter's work is done; ``output_hash`` is that of the message that leaves the route."""
        if progress.last is not None:
            self.record(progress.last, progress, StageStatus.COMPLETED, output_hash=output_hash)
            self.observe(progress.last.index, None)

    def failed(self, progress: Progress, error: Exception) -> None:
        """Record that the last adapter failed, when that shows only while its emissions are read."""
        if progress.last is not None:
            self.record(progress.last, progress, StageStatus.FAILED, error=error)
            self.observe(progress.last.index, error)

    def cancelled(self, progress: Progress) -> None:
        """Record that the message was cancelled while the last adapter's emissions were read."""
        if progress.last is not None:
            self.record(progress.last, progress, StageStatus.CANCELLED)

    def begun(self, claim: Claim, index: int, name: str, before: Progress) -> Handling:
        """The handling of a message by the route's adapter at a place, which begins now."""
        return Handling(
            claim=claim,
            index=index,
            adapter_name=name,
            correlation_id=correlation_id(claim.message.id, index, claim.attempt),
            parent_id=before.correlation_id,
            started_at=self.clock.now(),
            # What passes from adapter to adapter in memory is never stored, and hashing all of it would cost more than
            # everything else the engine does for a message: hashes are taken where a message enters and leaves.
            input_hash=None if before.last else _input_hash(claim),
        )

    def _context(self, handling: Handling, before: Progress) -> PipelineContext:
        message = handling.claim.message
        return PipelineContext(
            message=before.message,
            metadata=before.metadata,
            execution_id=message.execution_id,
            route_id=self.route_id,
            message_id=before.group_id or message.id,
            correlation_id=handling.correlation_id,
            attempt=handling.claim.attempt,
            adapter_type=handling.adapter_name,
            stage=self.stage(handling, before),
        )

    def stage(self, handling: Handling, before: Progress) -> MessageStage:
        """The place in storage of what an adapter makes of a message, or of the group for which it stands."""
        message = handling.claim.message
        return MessageStage(
            storage=self.storage,
            execution_id=message.execution_id,
            route_id=self.route_id,
            message_id=before.group_id or message.id,
            attempt=handling.claim.attempt,
            adapter_name=handling.adapter_name,
            correlation_id=handling.correlation_id,
            at=handling.started_at,
            provenance=before.metadata,
            objects=before.objects,
            announce=self.announce,
        )

    def record(
        self,
        handling: Handling,
        progress: Progress,
        status: StageStatus,
        *,
        output_hash: str | None = None,
        error: Exception | None = None,
    ) -> None:
        """Record in lineage how a handling has ended."""
        message = handling.claim.message
        self.lineage.record(
            LineageEntry(
                id=handling.correlation_id,
                parent_id=handling.parent_id,
                execution_id=message.execution_id,
                message_id=message.id,
                route_id=self.route_id,
                adapter_name=handling.adapter_name,
                adapter_index=handling.index,
                attempt=handling.claim.attempt,
                stage_name=progress.stage or handling.adapter_name,
                status=status,
                started_at=handling.started_at,
                completed_at=self.clock.now(),
                input_hash=handling.input_hash,
                output_hash=output_hash,
                replay_batch_id=batch_of(progress.metadata),
                metadata=progress.metadata,
                error=None if error is None else described(error),
                collected_into=handling.collected_into,
            )
        )


async def _processed(adapter: PipelineAdapter, context: PipelineContext) -> AdapterResult | None:
    """What ``process`` returns; a plain function is called in here too, so that what it raises is seen to alike."""
    return await adapter.process(context)


def after(handling: Handling, before: Progress, result: AdapterResult | None) -> Progress:
    """How far it has come with what an adapter returned; raises AdapterResultInvalid."""
    if result is None:
        return replace(
            before,
            correlation_id=handling.correlation_id,
            emitted=(),
            stage=None,
            last=handling,
            is_skipped=True,
        )
    require_result(result, handling.adapter_name)
    return Progress(
        message=result.message,
        metadata={**before.metadata, **result.metadata} if result.metadata else before.metadata,
        correlation_id=handling.correlation_id,
        emitted=result.emitted,
        stage=result.stage,
        last=handling,
        objects=before.objects,
        group_id=before.group_id,
    )


def _input_hash(claim: Claim) -> str:
    encoded = claim.message.encoded
    return encoded.hash if encoded else digest(claim.message.payload).hash
