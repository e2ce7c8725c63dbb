"""What a sweep over the ledger in memory does when owners are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from application.ports.execution_ledger import Recovered
from domain.crash import SUSPECT_FROM, Suspect
from domain.execution import ExecutionStatus
from domain.message import MessageState

if TYPE_CHECKING:
    from adapters.memory.ledger import MemoryLedger


def sweep(
    ledger: MemoryLedger,
    *,
    live_owners: Sequence[UUID],
    kept: Collection[UUID] | None,
    begun_by: datetime,
    now: datetime,
) -> Sequence[Recovered]:
    """Give back what the dead had claimed, then interrupt the executions that nobody keeps (None: all are kept)."""
    returned: dict[UUID, dict[str, list[UUID]]] = {}
    for row in ledger._rows.values():  # noqa: SLF001 (one double in several files)
        if row.state is not MessageState.CLAIMED or row.owner in live_owners:
            continue
        execution_id = row.message.execution_id
        has_ended = ledger.executions[execution_id].status.is_terminal
        ledger._move(row, MessageState.CANCELLED if has_ended else MessageState.QUEUED)  # noqa: SLF001
        row.token, row.owner, row.settled_at = None, None, now if has_ended else None
        row.crashes += 1
        if not has_ended:
            by_route = returned.setdefault(execution_id, {})
            by_route.setdefault(row.message.route_id, []).append(row.message.id)
    interrupted = set() if kept is None else _interrupt(ledger, kept, begun_by)
    return [
        Recovered(
            execution_id=one,
            messages=sum(map(len, returned.get(one, {}).values())),
            is_interrupted=one in interrupted,
            by_route=returned.get(one, {}),
        )
        for one in sorted(returned.keys() | interrupted)
    ]


def _interrupt(ledger: MemoryLedger, kept: Collection[UUID], begun_by: datetime) -> set[UUID]:
    interrupted = {
        one.id
        for one in ledger.executions.values()
        if one.status is ExecutionStatus.RUNNING and one.started_at <= begun_by and one.id not in kept
    }
    for execution_id in interrupted:
        execution = ledger.executions[execution_id]
        ledger.executions[execution_id] = execution.becoming(ExecutionStatus.INTERRUPTED, at=begun_by)
    return interrupted


def suspects(
    ledger: MemoryLedger, execution_ids: Sequence[UUID], *, limit: int, now: datetime
) -> Sequence[Suspect]:
    """The suspects among what waits of some executions, in the order in which they came."""
    found = [
        row
        for row in ledger._rows.values()  # noqa: SLF001
        if row.crashes >= SUSPECT_FROM and row.is_due(now) and row.message.execution_id in execution_ids
    ]
    return [
        Suspect(
            message_id=row.message.id,
            execution_id=row.message.execution_id,
            route_id=row.message.route_id,
            crashes=row.crashes,
        )
        for row in sorted(found, key=lambda row: row.position)[:limit]
    ]
