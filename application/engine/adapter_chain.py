"""Runs a route's pipeline adapters on one message, in order, recording each in lineage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.engine.failures import described
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an attempt has come: the message and provenance so far, and the entry of the adapter that ran last."""

    message: JsonObject
    metadata: JsonObject
    correlation_id: UUID | None
    emitted: Sequence[Emission] | AsyncIterator[Emission] | None = None
    entry: LineageEntry | None = None
    is_skipped: bool = False


class AdapterFailed(Exception):
    """A pipeline adapter raised; the cause says what."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class WorkCancelled(Exception):
    """The pipeline adapter's own work was cancelled, by nobody who asked for the message to stop."""


@contextmanager
def own_cancellation_only() -> Iterator[None]:
    """Let a CancelledError through only when this task was cancelled; one that an adapter brings along is its failure."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            raise WorkCancelled(WorkCancelled.__doc__) from error
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterChain:
    """The pipeline adapters of one route in one execution."""

    route_id: str
    steps: Sequence[tuple[AdapterStep, PipelineAdapter]]
    storage: ObjectStorage
    lineage: LineageSink
    clock: Clock
    timeout_seconds: float

    async def run(self, claim: Claim) -> Progress:
        """Take one message through the adapters; raises AdapterFailed. A false condition skips its adapter alone."""
        message = claim.message
        progress = Progress(
            message=message.payload, metadata=message.metadata, correlation_id=message.parent_correlation_id
        )
        for index, (step, adapter) in enumerate(self.steps):
            if step.condition is not None and not holds(step.condition, progress.message):
                continue
            progress = await self._step(claim, index, step.type, adapter, progress)
            if progress.is_skipped:
                break
        return progress

    async def _step(
        self, claim: Claim, index: int, name: str, adapter: PipelineAdapter, before: Progress
    ) -> Progress:
        entry = self._begun(claim, index, name, before)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                with own_cancellation_only():
                    result = await adapter.process(self._context(claim, entry, before))
            return self._after(entry, before, result, is_last=index == len(self.steps) - 1)
        except asyncio.CancelledError:
            self._record(entry, StageStatus.CANCELLED)
            raise
        except Exception as error:
            self.failed(entry, error)
            raise AdapterFailed(error) from error

    def failed(self, entry: LineageEntry, error: Exception) -> None:
        """Record that an adapter failed, also when that shows only while its emissions are read."""
        self._record(replace(entry, error=described(error)), StageStatus.FAILED)

    def _begun(self, claim: Claim, index: int, name: str, before: Progress) -> LineageEntry:
        return LineageEntry(
            id=correlation_id(claim.message.id, index, claim.attempt),
            parent_id=before.correlation_id,
            execution_id=claim.message.execution_id,
            message_id=claim.message.id,
            route_id=self.route_id,
            adapter_name=name,
            adapter_index=index,
            attempt=claim.attempt,
            stage_name=name,
            status=StageStatus.PROCESSING,
            started_at=self.clock.now(),
            # What passes from adapter to adapter in memory is never stored, and hashing all of it would cost more than
            # everything else the engine does for a message: hashes are taken where a message enters and leaves.
            input_hash=None if before.entry else digest(before.message).hash,
            metadata=before.metadata,
        )

    def _context(self, claim: Claim, entry: LineageEntry, before: Progress) -> PipelineContext:
        message = claim.message
        return PipelineContext(
            message=before.message,
            metadata=before.metadata,
            execution_id=message.execution_id,
            route_id=self.route_id,
            message_id=message.id,
            correlation_id=entry.id,
            attempt=claim.attempt,
            stage=MessageStage(
                storage=self.storage,
                execution_id=message.execution_id,
                route_id=self.route_id,
                message_id=message.id,
                adapter_name=entry.adapter_name,
                correlation_id=entry.id,
                at=entry.started_at,
                provenance=before.metadata,
            ),
        )

    def _after(
        self, entry: LineageEntry, before: Progress, result: AdapterResult | None, *, is_last: bool
    ) -> Progress:
        if result is None:
            self._record(entry, StageStatus.COMPLETED)
            return replace(before, correlation_id=entry.id, emitted=(), entry=entry, is_skipped=True)
        metadata = {**before.metadata, **result.metadata}
        completed = self._record(
            replace(
                entry,
                metadata=metadata,
                stage_name=result.stage or entry.stage_name,
                output_hash=digest(result.message).hash if is_last else None,
            ),
            StageStatus.COMPLETED,
        )
        return Progress(
            message=result.message,
            metadata=metadata,
            correlation_id=entry.id,
            emitted=result.emitted,
            entry=completed,
        )

    def _record(self, entry: LineageEntry, status: StageStatus) -> LineageEntry:
        ended: datetime = self.clock.now()
        settled = replace(entry, status=status, completed_at=ended)
        self.lineage.record(settled)
        return settled
