"""Thinks a replay through: for a dry run, and for the run itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from application.engine.emissions import require_within_limit
from application.engine.replay_sources import ReplaySources, given_of
from application.engine.snapshot import frozen_pipeline_of, snapshot_of
from application.executions import Executions
from application.replay_origins import ReplayOrigins
from application.replay_plan import Caution, ReplayPlan, Survey, Target
from domain.errors import FactflowError, Unavailable
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    TagTaken,
    TooManyConcurrentExecutions,
    require_valid_tag,
)
from domain.replay import (
    Destination,
    Replay,
    ReplayRequest,
    ReplaySource,
    ReplaySourceEmpty,
    ReplaySourceGone,
    require_valid_path,
    stage_prefix,
)
from domain.replay_destination import Routing
from domain.replayed_message import ReplayedMessage
from domain.storage import ObjectNotFound

EXACT_FOUND = 10_000
FIRST_KEYS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlanning:
    """Collects everything that is in the way rather than stopping at the first; Unavailable alone is raised."""

    executions: Executions
    sources: ReplaySources
    needing_content: Collection[str]

    async def plan(self, parent: str, request: ReplayRequest) -> ReplayPlan:
        """The plan of a replay of an execution, named by its id or tag."""
        plan = ReplayPlan(request=request, given=given_of(request.object_keys, request.payloads))
        with _noting(plan):
            plan.parent = await self.executions.get(parent)
        if plan.parent is not None:
            await self._find(plan, plan.parent)
            self._lead(plan, plan.parent)
            await self._survey(plan)
        with _noting(plan):
            await self._require_free_tag(request.tag)
        with _noting(plan):
            await self._require_place()
        return plan

    async def _find(self, plan: ReplayPlan, parent: Execution) -> None:
        request = plan.request
        ports = self.executions.engine.ports
        origins = ReplayOrigins(storage=ports.storage, history=self.sources.history)
        with _noting(plan):
            plan.target = await self._target(parent, request)
        with _noting(plan):
            plan.origin = await origins.find(parent, request)

    def _lead(self, plan: ReplayPlan, parent: Execution) -> None:
        has_source = plan.origin is not None or plan.request.source is ReplaySource.MANUAL
        if plan.target is not None and (has_source or plan.request.to_route is not None):
            with _noting(plan):
                plan.destination = destination = self._destination(plan, plan.target)
                plan.replay = self._replay(plan, parent, destination) if has_source else None
        _caution(plan, parent)

    async def _target(self, parent: Execution, request: ReplayRequest) -> Target:
        registry = self.executions.engine.ports.registry
        if request.config_id is not None:
            config, pipeline, value = await self.executions.configs.runnable(request.config_id)
            snapshot = snapshot_of(config, pipeline, value, registry)
            return Target(config_id=config.id, snapshot=snapshot, pipeline=pipeline)
        frozen = {name: value for name, value in parent.config_snapshot.items() if name != "replay"}
        pipeline = frozen_pipeline_of(parent, registry)
        return Target(config_id=parent.config_id, snapshot=frozen, pipeline=pipeline)

    def _destination(self, plan: ReplayPlan, target: Target) -> Destination:
        request = plan.request
        gives_keys = request.source is ReplaySource.STORAGE or bool(request.object_keys)
        routing = Routing(
            pipeline=target.pipeline,
            collects=self.executions.engine.ports.registry.collects,
            needing_content=self.needing_content,
        )
        return routing.destination(request.source, plan.origin, request.to_route, gives_keys=gives_keys)

    def _replay(self, plan: ReplayPlan, parent: Execution, destination: Destination) -> Replay:
        origin, path = plan.origin, plan.request.from_path
        if origin is not None and origin.stage is not None:
            path = require_valid_path(stage_prefix(parent.id, origin.route_id, origin.stage), path)
        return Replay(
            source=plan.request.source,
            parent_id=parent.id,
            batch_id=self.executions.engine.ports.ids.new_id(),
            origin=origin,
            from_path=path,
            destination=destination,
            found=0,
        )

    async def _survey(self, plan: ReplayPlan) -> None:
        if plan.replay is None:
            return
        with _noting(plan):
            require_within_limit(plan.given)
            await self._require_given_objects(plan.request)
            plan.survey = await _surveyed(self.sources.messages(plan.replay, plan.given, with_payloads=False))
            if not plan.survey.found:
                raise ReplaySourceEmpty
            _require_payloads(plan.survey)

    async def _require_given_objects(self, request: ReplayRequest) -> None:
        gone = [key for key in request.object_keys if not await self._is_there(key)]
        if gone:
            more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
            raise ReplaySourceGone(f"there is no stored object {gone[0]!r}{more}")

    async def _is_there(self, key: str) -> bool:
        try:
            await self.sources.storage.head(key)
        except ObjectNotFound:
            return False
        return True

    async def _require_free_tag(self, tag: str | None) -> None:
        if tag is None:
            return
        require_valid_tag(tag)
        try:
            await self.executions.get(tag)
        except ExecutionNotFound:
            return
        raise TagTaken(f"another execution already has the tag {tag!r}")

    async def _require_place(self) -> None:
        limit = self.executions.limit
        _, running = await self.executions.list(status=ExecutionStatus.RUNNING, limit=1)
        if running >= limit:
            raise TooManyConcurrentExecutions(f"{running} executions are running, and {limit} is the limit")


@contextmanager
def _noting(plan: ReplayPlan) -> Iterator[None]:
    try:
        yield
    except Unavailable:
        raise
    except FactflowError as error:
        plan.obstacles.append(error)


async def _surveyed(messages: AsyncIterator[ReplayedMessage]) -> Survey:
    """Counts up to ``EXACT_FOUND``. A message that comes twice, as it may from lineage, counts once."""
    found: dict[str, ReplayedMessage] = {}
    try:
        async for message in messages:
            if len(found) == EXACT_FOUND and message.key not in found:
                return _survey(found.values(), is_exact=False)
            # Payloads may be large, and nobody asks for them here.
            found[message.key] = replace(message, payload={}, metadata={})
    finally:
        if isinstance(messages, AsyncGenerator):
            await messages.aclose()
    return _survey(found.values(), is_exact=True)


def _survey(found: Collection[ReplayedMessage], *, is_exact: bool) -> Survey:
    return Survey(
        found=len(found),
        is_exact=is_exact,
        size=sum(message.size for message in found),
        first_keys=[message.key for message in found][:FIRST_KEYS],
        lost=[message.key for message in found if message.is_lost],
    )


def _require_payloads(survey: Survey) -> None:
    if survey.lost:
        count = f"{len(survey.lost):,} of {survey.found:,}" + ("" if survey.is_exact else " or more")
        raise ReplaySourceGone(
            f"the payloads of {count} messages are not in storage any more, that of {survey.lost[0]} among them"
        )


def _caution(plan: ReplayPlan, parent: Execution) -> None:
    if not parent.status.is_terminal and plan.request.source is not ReplaySource.MANUAL:
        what = f"the execution is {parent.status}: what it keeps from now on may be left out"
        plan.cautions.append((Caution.PARENT_UNFINISHED, what))
    to = plan.destination
    if to is not None and to.after_step is not None:
        what = f"the stage was kept in the middle of the route {to.enters}: the rest of that route runs first"
        plan.cautions.append((Caution.REST_OF_ROUTE, what))
