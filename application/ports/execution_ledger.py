"""The executions' side of the ledger: their beginning, their end, and what remains when owners die."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.crash import Suspect
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a sweep did to one execution: messages queued again, and whether it is interrupted since.

    ``by_route`` names those messages.
    """

    execution_id: UUID
    messages: int
    is_interrupted: bool = False
    by_route: Mapping[str, Sequence[UUID]] = field(default_factory=dict, compare=False)


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

        Only an interrupted one becomes running: one that has ended has nothing to run until it is redriven.
        Raises ExecutionNotFound, StatusChangeNotAllowed.
        """
        ...

    async def discard_queued(self, execution_id: UUID, *, limit: int, now: datetime) -> int:
        """Settle up to ``limit`` queued messages of a terminal execution as cancelled; returns how many.

        None of one that is not terminal, or not any more: a redrive may have reopened it.
        """
        ...

    async def sweep(
        self,
        *,
        live_owners: Sequence[UUID],
        now: datetime,
        kept: Collection[UUID] | None = None,
        begun_by: datetime | None = None,
    ) -> Sequence[Recovered]:
        """Give back to the queue what is claimed by owners that are not among the living, each with one crash more.

        What they had claimed of an execution that has ended is settled as cancelled instead. With ``kept``, running
        executions that are not among them and began at ``begun_by`` (or ``now``) or before become interrupted.
        """
        ...

    async def suspects(
        self, execution_ids: Sequence[UUID], *, limit: int, now: datetime
    ) -> Sequence[Suspect]:
        """Queued messages of those executions that are due and have ``SUSPECT_FROM`` crashes or more, the oldest first.

        Nobody else hands them out: ``Ledger.waiting`` leaves them out, and ``Ledger.claim`` unless asked for them alone.
        """
        ...

    async def unfinished(self) -> Sequence[Execution]:
        """Executions with something left to do, the oldest first.

        They are running or interrupted, or have ended with messages behind them that are not yet settled.
        """
        ...
