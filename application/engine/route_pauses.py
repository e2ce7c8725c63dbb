"""Brings the durable pauses to the gates of the routes that this process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.route_gates import RouteGates
from application.ports.pauses import Pauses
from domain.pause import PAUSE_REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePauses:
    """Reads which pauses are in force, and closes and opens gates accordingly; other reasons of a gate stay.

    To be called for a run before its routes subscribe, and for all runs after a change and now and then, because
    another process may have made one.
    """

    pauses: Pauses
    gates: RouteGates
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _for_good: set[str] = field(default_factory=set)

    @property
    def for_good(self) -> AbstractSet[str]:
        """For which reasons every gate of this process is closed and stays so."""
        return self._for_good

    def close_all(self, reason: str) -> None:
        """Close every gate for a reason that is never lifted, those of runs to come too."""
        self._for_good.add(reason)
        for gate in self.gates:
            gate.pause(reason)

    async def apply(self, execution_ids: Sequence[UUID]) -> None:
        """Let the gates of those executions be as their pauses say now. Raises Unavailable, and then changes nothing."""
        # In turn, because of two that read at different moments the later must have the last word.
        async with self._turn:
            in_force = [pause.scope for pause in await self.pauses.in_force(execution_ids)]
            for execution_id in execution_ids:
                for route_id, gate in self.gates.of(execution_id).items():
                    for reason in self._for_good:
                        gate.pause(reason)
                    reasons = {scope.reason for scope in in_force if scope.covers(execution_id, route_id)}
                    for reason in PAUSE_REASONS:
                        if reason in reasons:
                            gate.pause(reason)
                        else:
                            gate.resume(reason)
