"""Replays: running again what an execution kept, in a new execution that is linked to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.engine.replay_route import seed_message, with_seeding
from application.engine.replay_sources import ReplaySources
from application.executions import Executions
from application.ports.message_history import MessageHistory
from application.replay_plan import ReplayPlan, Target
from application.replay_planning import ReplayPlanning
from domain.execution import Execution, ExecutionStatus, ExecutionSummary
from domain.message import correlation_id
from domain.replay import InvalidReplay, Replay, ReplayRequest, replay_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayBatch:
    """A replay that was started: which messages of which execution went where, and the execution that they are in."""

    replay: Replay
    execution: Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """What can be done with replays. Executions are named by id or tag.

    ``needing_content`` are the types of pipeline adapters that need more in a message than a stored object's key.
    """

    executions: Executions
    history: MessageHistory
    needing_content: Collection[str] = ()

    async def plan(self, parent: str, request: ReplayRequest) -> ReplayPlan:
        """What ``start`` would do, or everything that keeps it from being done; nothing is written."""
        sources = ReplaySources(storage=self.executions.engine.ports.storage, history=self.history)
        planning = ReplayPlanning(
            executions=self.executions, sources=sources, needing_content=self.needing_content
        )
        return await planning.plan(parent, request)

    async def start(self, parent: str, request: ReplayRequest) -> tuple[Execution, ReplayPlan]:
        """Begin the execution that replays another; returns when it is in the ledger with the message that seeds it.

        Raises what a plan has as obstacles: ExecutionNotFound, SnapshotNotRunnable, ConfigNotFound, ConfigInactive,
        ConfigNotRunnable, InvalidKey, every error of ``domain.replay``, InvalidTag, TagTaken,
        TooManyConcurrentExecutions; and MessageTooLarge, PayloadRejected for what was given.
        """
        plan = await self.plan(parent, request)
        if plan.obstacles:
            raise plan.obstacles[0]
        if plan.replay is None or plan.target is None:
            raise InvalidReplay
        replay = replace(plan.replay, found=plan.survey.found)
        return await self._start(plan, plan.target, replay), plan

    async def _start(self, plan: ReplayPlan, target: Target, replay: Replay) -> Execution:
        engine = self.executions.engine
        execution_id = engine.ports.ids.new_id()
        seed = seed_message(execution_id, target.pipeline, replay, plan.given)
        execution = Execution(
            id=execution_id,
            config_id=target.config_id,
            config_snapshot={**target.snapshot, "replay": replay.as_json()},
            started_at=engine.ports.clock.now(),
            parent_execution_id=replay.parent_id,
            replay_source=replay.source.value,
            tag=plan.request.tag,
            metadata=plan.request.metadata,
            root_correlation_id=correlation_id(seed.id, 0, 1),
        )
        pipeline = with_seeding(target.pipeline, replay)
        return await engine.start(execution, pipeline, seed, limit=self.executions.limit)

    async def of(
        self, parent: str, *, limit: int = 100, offset: int = 0, before: UUID | None = None
    ) -> tuple[Sequence[ExecutionSummary], int]:
        """A page of the replays of an execution, the latest first, and how many there are; raises ExecutionNotFound."""
        execution = await self.executions.get(parent)
        return await self.executions.summaries(
            parent_execution_id=execution.id, limit=limit, offset=offset, before=before
        )

    async def batch(self, batch_id: UUID) -> ReplayBatch:
        """One replay by the id that its lineage entries name; raises ReplayBatchNotFound."""
        async with self.executions.work.reading() as repositories:
            return _batch(await repositories.executions.by_replay_batch(batch_id))

    async def batches(
        self,
        *,
        parent: str | None = None,
        status: ExecutionStatus | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> tuple[Sequence[ReplayBatch], int]:
        """A page of replays, of one execution or of all, the latest first, and how many there are in all.

        With ``before`` it begins behind the replay in that execution. Raises ExecutionNotFound.
        """
        parent_id = None if parent is None else (await self.executions.get(parent)).id
        async with self.executions.work.reading() as repositories:
            page, total = await repositories.executions.replays(
                status=status, parent_execution_id=parent_id, limit=limit, before=before
            )
        return [_batch(execution) for execution in page], total


def _batch(execution: Execution) -> ReplayBatch:
    return ReplayBatch(replay=replay_of(execution.config_snapshot.get("replay")), execution=execution)
