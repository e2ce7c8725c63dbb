"""Repositories over dictionaries, with transactions that roll back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Unpack
from uuid import UUID

from adapters.memory.configs import MemoryPipelineConfigs, Versions
from adapters.memory.ledger import MemoryLedger
from application.ports.counting import COUNTED_EXACTLY
from application.ports.unit_of_work import Repositories, WantedExecutions
from domain.execution import Execution, ExecutionNotFound, ExecutionStatus, ExecutionSummary
from domain.replay import ReplayBatchNotFound


class MemoryExecutions:
    """The ``Executions`` repository over a ledger in memory."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def get(self, execution_id: UUID) -> Execution:
        """See the port."""
        execution = self._ledger.executions.get(execution_id)
        if execution is None:
            raise ExecutionNotFound(f"there is no execution {execution_id}")
        return execution

    async def by_tag(self, tag: str) -> Execution:
        """See the port."""
        for execution in self._ledger.executions.values():
            if execution.tag == tag:
                return execution
        raise ExecutionNotFound(f"there is no execution {tag}")

    async def list(
        self,
        *,
        status: ExecutionStatus | None = None,
        config_id: UUID | None = None,
        parent_execution_id: UUID | None = None,
        limit: int,
        offset: int = 0,
        before: UUID | None = None,
    ) -> tuple[Sequence[Execution], int]:
        """See the port."""
        found = [
            replace(execution, config_snapshot={})
            for execution in sorted(self._ledger.executions.values(), key=lambda one: one.id, reverse=True)
            if status in {None, execution.status}
            and config_id in {None, execution.config_id}
            and parent_execution_id in {None, execution.parent_execution_id}
        ]
        behind = [execution for execution in found if before is None or execution.id < before]
        return behind[offset : offset + limit], min(len(found), COUNTED_EXACTLY + 1)

    async def summaries(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[ExecutionSummary], int]:
        """See the port."""
        page, total = await self.list(**wanted)
        return [_summary(execution) for execution in page], total

    async def replays(
        self,
        *,
        status: ExecutionStatus | None = None,
        parent_execution_id: UUID | None = None,
        limit: int,
        before: UUID | None = None,
    ) -> tuple[Sequence[Execution], int]:
        """See the port."""
        found = [
            replace(execution, config_snapshot={"replay": execution.config_snapshot.get("replay")})
            for execution in sorted(self._ledger.executions.values(), key=lambda one: one.id, reverse=True)
            if execution.replay_source is not None
            and status in {None, execution.status}
            and parent_execution_id in {None, execution.parent_execution_id}
        ]
        behind = [execution for execution in found if before is None or execution.id < before]
        return behind[:limit], min(len(found), COUNTED_EXACTLY + 1)

    async def by_replay_batch(self, batch_id: UUID) -> Execution:
        """See the port."""
        for execution in self._ledger.executions.values():
            replay = execution.config_snapshot.get("replay")
            if isinstance(replay, Mapping) and replay.get("replay_batch_id") == str(batch_id):
                return execution
        raise ReplayBatchNotFound(f"there is no replay batch {batch_id}")


class MemoryUnitOfWork:
    """The ``UnitOfWork`` port over dictionaries: a transaction works on a copy and puts it in place at a clean exit."""

    def __init__(self, ledger: MemoryLedger | None = None) -> None:
        self._executions = MemoryExecutions(ledger or MemoryLedger())
        self._configs: dict[UUID, Versions] = {}

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Repositories]:
        """See the port."""
        before = self._configs
        copy = dict(before)
        yield Repositories(configs=MemoryPipelineConfigs(copy), executions=self._executions)
        # Only what this transaction changed, so that two of them do not undo each other.
        self._configs |= {key: value for key, value in copy.items() if before.get(key) is not value}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Repositories]:
        """See the port."""
        yield Repositories(configs=MemoryPipelineConfigs(dict(self._configs)), executions=self._executions)

    async def is_reachable(self) -> bool:
        """See the port."""
        return True


def _summary(execution: Execution) -> ExecutionSummary:
    counts = execution.counts
    return ExecutionSummary(
        id=execution.id,
        config_id=execution.config_id,
        status=execution.status,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        parent_execution_id=execution.parent_execution_id,
        replay_source=execution.replay_source,
        tag=execution.tag,
        outstanding=counts.outstanding,
        done=counts.done,
        skipped=counts.skipped,
        dead=counts.dead,
        cancelled=counts.cancelled,
        paused_at=execution.paused_at,
    )
