"""Lets the groups of a route go whose time is up, and all of them when nothing more can come."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from application.engine.availability import until_available
from application.engine.collecting_processor import CollectingProcessor
from domain.pipeline import Pipeline, Route

FIRST_LOOK_SECONDS = 0.05
LONGEST_LOOK_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Flushing:
    """Of one route that collects, in one process. ``apart_from`` are the routes from which no message leads to it.

    Nothing more can come when no message is unsettled that may lead to one here: none on a route that leads here, none
    queued on this one, and none claimed on it by this process but those that are held. What other processes hold of the
    route is theirs to flush.
    """

    processor: CollectingProcessor
    apart_from: Collection[str]

    async def run(self) -> None:
        """Look after the groups until cancelled."""
        inbox, clock = self.processor.inbox, self.processor.ports.clock
        pause = FIRST_LOOK_SECONDS
        while True:
            if not inbox.is_holding.is_set():
                await inbox.is_holding.wait()
                pause = FIRST_LOOK_SECONDS
            due = inbox.groups.next_due
            await clock.sleep(pause if due is None else max(0.0, min(pause, due - clock.monotonic())))
            self.processor.flush_due()
            pause = min(2 * pause, LONGEST_LOOK_SECONDS)
            if await self._is_all_there():
                self.processor.flush()

    async def _is_all_there(self) -> bool:
        inbox, ports = self.processor.inbox, self.processor.ports
        held = inbox.groups.messages
        if not held or not inbox.is_all_forming:
            return False
        execution_id, route_id = self.processor.gate.execution_id, self.processor.route.id
        coming = await until_available(
            lambda: ports.groups.still_to_come(
                execution_id, route_id, owner=ports.owner, apart_from=self.apart_from, limit=held + 1
            ),
            ports.clock.sleep,
        )
        # Those that were held when it was asked, and nothing else.
        return coming <= held


def leading_elsewhere(pipeline: Pipeline, route: Route) -> Sequence[str]:
    """The routes whose messages, and whose dead letters, cannot come to a route by queues."""
    leading = {route.id}
    while more := {one.id for one in pipeline.routes.values() if _feeds(pipeline, one) & leading} - leading:
        leading |= more
    return [one for one in pipeline.routes if one not in leading]


def _feeds(pipeline: Pipeline, route: Route) -> set[str]:
    queues = [out.queue for out in route.outbound]
    if route.error_handling.dead_letter_queue is not None:
        queues.append(route.error_handling.dead_letter_queue)
    return {target.id for queue in queues if (target := pipeline.route_of_queue(queue)) is not None}
