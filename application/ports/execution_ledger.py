"""The executions' side of the ledger: their beginning, their end, and what remains when owners die."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.ports.ledger import DeadMessage, Recovered
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Message


class ExecutionLedger(Protocol):
    """Begins and ends executions; each call is one transaction."""

    async def start(
        self, execution: Execution, init: Message | None, *, limit: int | None = None
    ) -> Execution:
        """Write the execution and its init message together; without a message it is completed at once.

        Returns the execution as it stands. Raises TagTaken, and TooManyConcurrentExecutions when ``limit`` or more
        executions are running. Starting the same execution id again changes nothing and returns what is there.
        """
        ...

    async def conclude(
        self,
        execution_id: UUID,
        status: ExecutionStatus,
        *,
        now: datetime,
        error_info: JsonObject | None = None,
    ) -> ExecutionStatus:
        """Set the status by compare-and-set on the state machine; returns the status before.

        Raises ExecutionNotFound, StatusChangeNotAllowed.
        """
        ...

    async def discard_queued(self, execution_id: UUID, *, limit: int, now: datetime) -> int:
        """Settle up to ``limit`` queued messages of a terminal execution as cancelled; returns how many."""
        ...

    async def sweep(self, *, live_owners: Sequence[UUID], now: datetime) -> Sequence[Recovered]:
        """Give back to the queue what is claimed by owners that are not among the living; per execution, how many."""
        ...

    async def unfinished(self) -> Sequence[Execution]:
        """Executions that are running or interrupted, the oldest first."""
        ...

    async def dead(self, execution_id: UUID, *, limit: int, offset: int = 0) -> Sequence[DeadMessage]:
        """The execution's dead messages, the earliest settled first."""
        ...
