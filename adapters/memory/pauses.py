"""Pauses in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from adapters.memory.ledger import MemoryLedger
from domain.execution import Execution, ExecutionNotFound
from domain.pause import Pause, PauseNotAllowed, PauseScope


class MemoryPauses:
    """The ``Pauses`` port over the executions of a ledger in memory and a dictionary of routes."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._routes: dict[PauseScope, datetime] = {}

    async def pause(self, scope: PauseScope, *, now: datetime) -> bool:
        """See the port."""
        execution = self._going_on(scope)
        if execution is not None and scope.route_id is None:
            if execution.paused_at is not None:
                return False
            self._ledger.executions[execution.id] = replace(execution, paused_at=now)
            return True
        if scope in self._routes:
            return False
        self._routes[scope] = now
        return True

    async def resume(self, scope: PauseScope) -> bool:
        """See the port."""
        execution = self._going_on(scope)
        if execution is not None and scope.route_id is None:
            self._ledger.executions[execution.id] = replace(execution, paused_at=None)
            return execution.paused_at is not None
        return self._routes.pop(scope, None) is not None

    async def in_force(self, execution_ids: Sequence[UUID] | None = None) -> Sequence[Pause]:
        """See the port."""
        going_on = {one.id: one for one in self._ledger.executions.values() if not one.status.is_terminal}
        if execution_ids is not None:
            going_on = {one: going_on[one] for one in execution_ids if one in going_on}
        whole = [
            Pause(scope=PauseScope(execution_id=one.id), paused_at=one.paused_at)
            for one in going_on.values()
            if one.paused_at is not None
        ]
        routes = [
            Pause(scope=scope, paused_at=at)
            for scope, at in self._routes.items()
            if scope.execution_id is None or scope.execution_id in going_on
        ]
        return sorted(whole + routes, key=lambda pause: pause.paused_at)

    def _going_on(self, scope: PauseScope) -> Execution | None:
        if scope.execution_id is None:
            return None
        execution = self._ledger.executions.get(scope.execution_id)
        if execution is None:
            raise ExecutionNotFound
        if execution.status.is_terminal:
            raise PauseNotAllowed(f"the execution has ended: it is {execution.status}")
        return execution
