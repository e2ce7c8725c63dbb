"""Runs the messages alone that processes may have died of, and settles as dead those that are guilty."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from application.engine.engine import Engine
from application.engine.quarantine import QUARANTINE, NotQuiet
from application.engine.route_processor import RouteProcessor
from domain.crash import Suspect

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Takes the suspects of the executions of this process, one at a time, while nothing else is at work in it."""

    engine: Engine

    async def look(self) -> int:
        """Deal with the suspects there are now, if there are any; returns how many. Raises Unavailable.

        Those of a paused route wait until it is resumed, and all of them for another time when what is at work does
        not come to an end.
        """
        suspects = [one for one in await self._found() if self._taker(one) is not None]
        if not suspects:
            return 0
        try:
            async with self.engine.quarantine.alone():
                for suspect in suspects:
                    await self._deal_with(suspect)
        except NotQuiet as reason:
            log.warning("%d messages must run alone and have to wait: %s", len(suspects), reason)
            return 0
        return len(suspects)

    async def _found(self) -> Sequence[Suspect]:
        running, ports = self.engine.running, self.engine.ports
        if not running:
            return []
        return await ports.executions.suspects(running, limit=MOST_AT_ONCE, now=ports.clock.now())

    def _taker(self, suspect: Suspect) -> RouteProcessor | None:
        processor = self.engine.processor(suspect.execution_id, suspect.route_id)
        is_free = processor is not None and set(processor.gate.status().paused_by) <= {QUARANTINE}
        return processor if is_free else None

    async def _deal_with(self, suspect: Suspect) -> None:
        # Asked again: a pause or an end may have come while the others were at work.
        processor = self._taker(suspect)
        if processor is None:
            return
        if suspect.is_guilty(processor.route.error_handling.max_retries):
            log.error("message %s is dead: %s", suspect.message_id, suspect.verdict)
            await processor.take_alone(suspect.message_id, verdict=suspect.verdict)
        else:
            log.warning(
                "message %s runs alone: %d processes died with it", suspect.message_id, suspect.crashes
            )
            await processor.take_alone(suspect.message_id)
