"""Runs the messages alone that processes may have died of, and settles as dead those that are guilty."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from uuid import UUID

from application.engine.engine import Engine
from application.engine.quarantine import NotQuiet
from application.engine.route_gate import QUARANTINE
from application.engine.route_processor import RouteProcessor
from domain.crash import Suspect

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100
FIRST_REST_SECONDS = 30.0
LONGEST_REST_SECONDS = 600.0


@dataclass(slots=True, kw_only=True)
class Suspects:
    """Takes the suspects of the executions of this process while nothing else is at work in it.

    A process that is killed makes suspects of all that it had claimed, most of them innocent. So those of one route that
    another death would not yet convict go together, as many as the route works on at once; a death then leaves so many
    to be taken one at a time, and whoever is convicted was alone the last time.

    What is at work and does not come to an end keeps them waiting, and they keep the others waiting no longer than
    half of the time: the rests between two tries grow.
    """

    engine: Engine
    _rest_seconds: float = FIRST_REST_SECONDS
    _not_before: float = -inf

    async def look(self) -> int:
        """Deal with the suspects there are now, if there are any; returns how many. Raises Unavailable.

        Those of a paused route wait until it is resumed, and all of them for another time when what is at work does
        not come to an end.
        """
        if self.engine.ports.clock.monotonic() < self._not_before:
            return 0
        suspects = await self._free()
        if not suspects:
            return 0
        try:
            async with self.engine.quarantine.alone(is_wanted=self._are_there):
                self._rest_seconds = FIRST_REST_SECONDS
                for group in self._groups(suspects):
                    dealt_with = [self._deal_with(suspect) for suspect in group]
                    for outcome in await asyncio.gather(*dealt_with, return_exceptions=True):
                        if isinstance(outcome, BaseException):
                            raise outcome
        except NotQuiet as reason:
            self._put_off(len(suspects), reason)
            return 0
        return len(suspects)

    def _groups(self, suspects: Sequence[Suspect]) -> Sequence[Sequence[Suspect]]:
        groups: list[list[Suspect]] = []
        open_groups: dict[tuple[UUID, str], list[Suspect]] = {}
        for suspect in suspects:
            processor = self._taker(suspect)
            place = suspect.execution_id, suspect.route_id
            if processor is None or not suspect.may_have_company(processor.route.error_handling.max_retries):
                groups.append([suspect])
                continue
            group = open_groups.get(place)
            if group is None or len(group) >= processor.route.inbound.concurrency:
                group = open_groups[place] = []
                groups.append(group)
            group.append(suspect)
        return groups

    async def _are_there(self) -> bool:
        return bool(await self._free())

    async def _free(self) -> Sequence[Suspect]:
        running, ports = self.engine.running, self.engine.ports
        if not running:
            return []
        found = await ports.executions.suspects(running, limit=MOST_AT_ONCE, now=ports.clock.now())
        return [one for one in found if self._taker(one) is not None]

    def _put_off(self, suspects: int, reason: NotQuiet) -> None:
        log.warning(
            "%d messages must run alone and wait for %g seconds more: %s",
            suspects,
            self._rest_seconds,
            reason,
        )
        self._not_before = self.engine.ports.clock.monotonic() + self._rest_seconds
        self._rest_seconds = min(2 * self._rest_seconds, LONGEST_REST_SECONDS)

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
