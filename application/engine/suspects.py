"""Runs the messages alone that processes may have died of, and settles as dead those that are guilty."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from application.engine.quarantine import NotQuiet, Quarantine
from application.ports.clock import Clock
from application.ports.execution_ledger import ExecutionLedger
from domain.crash import Suspect

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100


@dataclass(slots=True, kw_only=True)
class Suspects:
    """Takes the suspects of the executions of this process, one at a time, while nothing else is at work in it.

    ``running``: those executions. ``max_retries``: of a route of one of them, None when its messages may not be taken
    now, because its gate is closed for another reason than QUARANTINE or its run is ending. ``run``: claims a message, processes and settles it.
    ``condemn``: claims it and settles it as dead with the verdict. Both pass over a message that somebody else has taken.
    """

    executions: ExecutionLedger
    clock: Clock
    quarantine: Quarantine
    running: Callable[[], Sequence[UUID]]
    max_retries: Callable[[UUID, str], int | None]
    run: Callable[[Suspect], Awaitable[None]]
    condemn: Callable[[Suspect], Awaitable[None]]

    async def look(self) -> int:
        """Deal with the suspects there are now, if there are any; returns how many. Raises Unavailable.

        When what is at work does not come to an end, they are left for another time.
        """
        suspects = [one for one in await self._found() if self._may_be_taken(one)]
        if not suspects:
            return 0
        try:
            async with self.quarantine.alone():
                for suspect in suspects:
                    await self._deal_with(suspect)
        except NotQuiet as reason:
            log.warning("%d messages must run alone and have to wait: %s", len(suspects), reason)
            return 0
        return len(suspects)

    async def _found(self) -> Sequence[Suspect]:
        running = self.running()
        if not running:
            return []
        return await self.executions.suspects(running, limit=MOST_AT_ONCE, now=self.clock.now())

    def _may_be_taken(self, suspect: Suspect) -> bool:
        return self.max_retries(suspect.execution_id, suspect.route_id) is not None

    async def _deal_with(self, suspect: Suspect) -> None:
        # Asked again: a pause may have come while the others were at work.
        allowed = self.max_retries(suspect.execution_id, suspect.route_id)
        if allowed is None:
            return
        if suspect.is_guilty(allowed):
            log.error("message %s is dead: %s", suspect.message_id, suspect.verdict)
            await self.condemn(suspect)
        else:
            log.warning(
                "message %s runs alone: %d processes died with it", suspect.message_id, suspect.crashes
            )
            await self.run(suspect)
