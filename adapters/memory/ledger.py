"""The message ledger in memory: the test double of the one in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory import sweeping, unsettled
from adapters.memory.message_row import MessageRow, with_children
from adapters.memory.storable import require_storable
from application.ports.execution_ledger import Recovered
from application.ports.ledger import ClaimRequest, Handover, Settled
from domain.crash import SUSPECT_FROM, Suspect
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    TagTaken,
    TooManyConcurrentExecutions,
    has_too_many_dead,
    too_many_dead,
)
from domain.json import JsonObject
from domain.message import Claim, EmissionChanged, Message, MessageState, Outcome, Settlement


class MemoryLedger:
    """The ports ``Ledger`` and ``ExecutionLedger`` over two dictionaries; nothing outlives the process."""

    def __init__(self) -> None:
        self.executions: dict[UUID, Execution] = {}
        self._rows: dict[UUID, MessageRow] = {}
        self._of: dict[UUID, dict[UUID, MessageRow]] = {}

    async def claim(self, requests: Sequence[ClaimRequest], *, owner: UUID, now: datetime) -> Sequence[Claim]:
        """See the port."""
        claims = []
        for request in requests:
            row = self._rows.get(request.message_id)
            if row is None:
                continue
            is_free = row.crashes < SUSPECT_FROM or request.alone
            if is_free and row.is_due(now) and not self._status(row).is_terminal:
                self._move(row, MessageState.CLAIMED)
                row.token, row.owner = request.token, owner
                row.attempt += 1
            if row.state is MessageState.CLAIMED and row.token == request.token:
                claims.append(
                    Claim(message=row.message, token=request.token, attempt=row.attempt, retries=row.retries)
                )
        return claims

    async def settle(
        self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
    ) -> Sequence[Settled]:
        """See the port."""
        for settlement in settlements:
            require_storable(settlement.error)
            self._require_same(settlement.children)
        return [self._settle_one(settlement, now, handover) for settlement in settlements]

    def _settle_one(self, settlement: Settlement, now: datetime, handover: Handover | None) -> Settled:
        row = self._rows.get(settlement.message_id)
        if row is None or row.token != settlement.token:
            return Settled(message_id=settlement.message_id, accepted=False)
        if row.state is MessageState.CLAIMED:
            self._write(row, settlement, now, handover)
        elif row.state is MessageState.QUEUED and _STATE[settlement.outcome].is_settled:
            return Settled(message_id=settlement.message_id, accepted=False)
        status = self._status(row)
        settled = Settled(
            message_id=settlement.message_id, accepted=True, finished=status if status.is_terminal else None
        )
        if row.state is MessageState.CANCELLED:
            return settled
        return with_children(settled, settlement.children, self._rows, settlement.token, handover)

    def _write(
        self, row: MessageRow, settlement: Settlement, now: datetime, handover: Handover | None
    ) -> None:
        has_ended = self._status(row).is_terminal
        state = MessageState.CANCELLED if has_ended else _STATE[settlement.outcome]
        self._move(row, state)
        row.retries += settlement.outcome is Outcome.RETRY
        row.attempt -= settlement.outcome is Outcome.HAND_BACK
        row.not_before, row.error = settlement.not_before, settlement.error
        row.settled_at = now if row.state.is_settled else None
        if not has_ended:
            self._insert(settlement.children, settlement.token, handover)
        execution_id = row.message.execution_id
        if row.state is MessageState.DEAD and (reason := self._failure(row)) is not None:
            failed = self.executions[execution_id].becoming(ExecutionStatus.FAILED, at=now, error_info=reason)
            self.executions[execution_id] = failed
        self._complete_if_settled(execution_id, now)

    def _failure(self, dead: MessageRow) -> JsonObject | None:
        """Why the execution of a message that has just died must fail, None when it goes on."""
        if dead.message.parent_id is None:
            return dead.error or {}
        execution = self.executions[dead.message.execution_id]
        most, count = execution.max_dead_letters, execution.counts.dead
        return too_many_dead(count, most) if most is not None and has_too_many_dead(count, most) else None

    async def extend(
        self,
        message_id: UUID,
        token: UUID,
        children: Sequence[Message],
        *,
        now: datetime,
        handover: Handover | None = None,
    ) -> Settled:
        """See the port."""
        del now
        row = self._rows.get(message_id)
        holds = row is not None and row.state is MessageState.CLAIMED and row.token == token
        if row is None or not holds or self._status(row).is_terminal:
            return Settled(message_id=message_id, accepted=False)
        self._require_same(children)
        self._insert(children, token, handover)
        settled = Settled(message_id=message_id, accepted=True)
        return with_children(settled, children, self._rows, token, handover)

    async def admit(self, message: Message, *, now: datetime) -> bool:
        """See the port."""
        del now
        execution = self.executions.get(message.execution_id)
        if execution is None or execution.status is not ExecutionStatus.RUNNING:
            return False
        self._require_same([message])
        self._insert([message])
        return True

    async def waiting(
        self, execution_id: UUID, route_id: str, *, limit: int, now: datetime
    ) -> Sequence[UUID]:
        """See the port."""
        execution = self.executions.get(execution_id)
        if execution is None or execution.status.is_terminal:
            return []
        return unsettled.waiting(self._of_route(execution_id, route_id), limit=limit, now=now)

    async def next_due(self, execution_id: UUID, route_id: str, *, after: datetime) -> datetime | None:
        """See the port."""
        return unsettled.next_due(self._of_route(execution_id, route_id), after=after)

    async def start(
        self, execution: Execution, init: Message | None, *, limit: int | None = None
    ) -> Execution:
        """See the port."""
        if execution.id in self.executions:
            return self.executions[execution.id]
        running = sum(one.status is ExecutionStatus.RUNNING for one in self.executions.values())
        if limit is not None and running >= limit:
            raise TooManyConcurrentExecutions(f"{running} executions are running, and {limit} is the limit")
        if execution.tag and any(one.tag == execution.tag for one in self.executions.values()):
            raise TagTaken(f"another execution already has the tag {execution.tag!r}")
        require_storable(execution.metadata)
        if init is not None:
            self._require_same([init])
        self.executions[execution.id] = execution
        if init is not None:
            self._insert([init])
        self._complete_if_settled(execution.id, execution.started_at)
        return self.executions[execution.id]

    async def conclude(
        self,
        execution_id: UUID,
        status: ExecutionStatus,
        *,
        now: datetime,
        error_info: JsonObject | None = None,
    ) -> ExecutionStatus:
        """See the port."""
        execution = self.executions.get(execution_id)
        if execution is None:
            raise ExecutionNotFound
        self.executions[execution_id] = execution.becoming(status, at=now, error_info=error_info)
        return execution.status

    async def discard_queued(self, execution_id: UUID, *, limit: int, now: datetime) -> int:
        """See the port."""
        if not self.executions[execution_id].status.is_terminal:
            return 0
        queued = [row for row in self._of_execution(execution_id) if row.state is MessageState.QUEUED]
        for row in queued[:limit]:
            self._move(row, MessageState.CANCELLED)
            row.settled_at = now
        return len(queued[:limit])

    async def sweep(
        self,
        *,
        live_owners: Sequence[UUID],
        now: datetime,
        kept: Collection[UUID] | None = None,
        begun_by: datetime | None = None,
    ) -> Sequence[Recovered]:
        """See the port."""
        return sweeping.sweep(self, live_owners=live_owners, kept=kept, begun_by=begun_by or now, now=now)

    async def suspects(
        self, execution_ids: Sequence[UUID], *, limit: int, now: datetime
    ) -> Sequence[Suspect]:
        """See the port."""
        return sweeping.suspects(self, execution_ids, limit=limit, now=now)

    async def unfinished(self) -> Sequence[Execution]:
        """See the port."""
        ordered = sorted(self.executions.values(), key=lambda one: one.id)
        return [one for one in ordered if not one.status.is_terminal or one.counts.outstanding]

    def _status(self, row: MessageRow) -> ExecutionStatus:
        return self.executions[row.message.execution_id].status

    def _of_execution(self, execution_id: UUID) -> Sequence[MessageRow]:
        return list(self._of.get(execution_id, {}).values())

    def _of_route(self, execution_id: UUID, route_id: str) -> list[MessageRow]:
        return [row for row in self._of_execution(execution_id) if row.message.route_id == route_id]

    def _require_same(self, messages: Sequence[Message]) -> None:
        payloads: dict[UUID, JsonObject] = {}
        for message in messages:
            require_storable(message.payload)
            require_storable(message.metadata)
            known = self._rows.get(message.id)
            before = known.message.payload if known else payloads.setdefault(message.id, message.payload)
            if before != message.payload:
                raise EmissionChanged(f"message {message.id} was emitted again with another payload")

    def _insert(
        self, messages: Sequence[Message], token: UUID | None = None, handover: Handover | None = None
    ) -> None:
        for message in messages:
            if message.id in self._rows:
                continue
            row = MessageRow(message=message, position=len(self._rows))
            self._rows[message.id] = row
            self._of.setdefault(message.execution_id, {})[message.id] = row
            self._count(message.execution_id, MessageState.QUEUED, 1)
            if handover and message.id in handover.message_ids:
                self._move(row, MessageState.CLAIMED)
                row.token, row.owner, row.attempt = token, handover.owner, 1

    def _complete_if_settled(self, execution_id: UUID, now: datetime) -> None:
        execution = self.executions[execution_id]
        if not execution.status.is_terminal and not execution.counts.outstanding:
            self.executions[execution_id] = execution.becoming(ExecutionStatus.COMPLETED, at=now)

    def _move(self, row: MessageRow, state: MessageState) -> None:
        self._count(row.message.execution_id, row.state, -1)
        self._count(row.message.execution_id, state, 1)
        row.state = state

    def _count(self, execution_id: UUID, state: MessageState, change: int) -> None:
        execution = self.executions[execution_id]
        counter = state.value if state.is_settled else "outstanding"
        counts = replace(execution.counts, **{counter: getattr(execution.counts, counter) + change})
        self.executions[execution_id] = replace(execution, counts=counts)


_STATE = {
    Outcome.DONE: MessageState.DONE,
    Outcome.SKIPPED: MessageState.SKIPPED,
    Outcome.DEAD: MessageState.DEAD,
    Outcome.RETRY: MessageState.QUEUED,
    Outcome.RELEASE: MessageState.QUEUED,
    Outcome.HAND_BACK: MessageState.QUEUED,
}
