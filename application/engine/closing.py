"""Stops a run in this process, puts back what it had claimed, and clears up behind one that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from application.engine.availability import until_available
from application.engine.commits import Commits
from application.engine.execution_run import ExecutionRun, scoped_queue
from application.engine.ports import EnginePorts
from application.engine.quarantine import Quarantine
from application.engine.route_gates import RouteGates
from application.engine.snapshot import SnapshotNotRunnable, readable_pipeline_of
from application.ports.ledger import ClaimRequest
from domain.execution import Execution
from domain.pipeline import Route

DISCARD_BATCH = 1000
LEAVING_SECONDS = 0.25


async def close_run(
    run: ExecutionRun,
    *,
    ports: EnginePorts,
    commits: Commits,
    gates: RouteGates,
    quarantine: Quarantine,
) -> None:
    """Stop the processors, and hand back what they hold."""
    handed_back = await run.close()
    gates.forget(run.execution_id)
    if handed_back:
        # Claims are committed in order: when this one has been answered, none of theirs is still to come.
        await commits.claims.ask(ClaimRequest(message_id=run.execution_id, token=ports.ids.new_id()))
        # Settlements are not: what has been processed is settled as such before it is put back, which then changes nothing.
        await commits.settlements.drained()
        await commits.together.drained()
    await asyncio.gather(*map(commits.settlements.ask, handed_back), return_exceptions=True)
    quarantine.leave(len(handed_back))
    # Children that were born claimed for this run meanwhile have been handed back behind these.
    await commits.settlements.drained()


async def delete_queues(ports: EnginePorts, execution_id: UUID, routes: Sequence[Route]) -> None:
    """Delete the queues of an execution that has ended, and runs here no more.

    On a shared queue whoever learns that an execution has ended does so, also when another process has done it: what
    was published last may have brought a queue back. And it waits a moment, for a consumer that loses its queue sets
    it up again.
    """
    if not ports.queue.is_private:
        await ports.clock.sleep(LEAVING_SECONDS)
    for route in routes:
        await ports.queue.delete(scoped_queue(execution_id, route))


async def delete_left_queues(ports: EnginePorts, execution: Execution) -> None:
    """Delete the queues of an execution that has ended and did not run here: nobody may be alive who would.

    They stay when its config cannot be read any more, until the broker has had enough of them.
    """
    if ports.queue.is_private:
        return
    with suppress(SnapshotNotRunnable):
        pipeline = readable_pipeline_of(execution, ports.registry)
        await delete_queues(ports, execution.id, list(pipeline.routes.values()))


async def discard_left(ports: EnginePorts, execution_id: UUID) -> None:
    """Settle as cancelled whatever an execution that has ended has left, in batches."""
    while await until_available(
        lambda: ports.executions.discard_queued(execution_id, limit=DISCARD_BATCH, now=ports.clock.now()),
        ports.clock.sleep,
    ):
        pass


async def clear_left(ports: EnginePorts, execution: Execution) -> None:
    """Settle what an execution that has ended and did not run here has left, and delete its queues."""
    await discard_left(ports, execution.id)
    await delete_left_queues(ports, execution)
