"""Routes that collect, when they are stopped while they hold messages: by a breaker, or with their run."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.ledger import MemoryLedger
from application.engine.route_gate import BREAKER
from application.ports.ledger import Settled
from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    Emission,
    GroupContext,
    PipelineContext,
)
from domain.circuit_breaker import BreakerRules
from domain.execution import ExecutionStatus
from domain.message import PayloadRejected, Settlement
from tests.unit.collecting import Collector, End, gathering, grouping, numbered, until
from tests.unit.engines import ended_well, route

ROUTES = (route("a", "fan", to="b"), route("b", "gather", to="c"), route("c", "end"))


@dataclass(slots=True)
class RefusingLate:
    """A ledger in memory that refuses a group, and only when told to."""

    inner: MemoryLedger
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle_together(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        self.is_asked.set()
        await self.may_answer.wait()
        raise PayloadRejected("not storable")

    async def still_to_come(
        self, execution_id: UUID, route_id: str, *, owner: UUID, apart_from: Collection[str], limit: int
    ) -> int:
        return await MemoryGroupLedger(self.inner).still_to_come(
            execution_id, route_id, owner=owner, apart_from=apart_from, limit=limit
        )


async def test_a_group_that_is_refused_after_its_run_has_been_stopped_is_let_be() -> None:
    """Its messages have been put back, and nobody is left to try them one by one."""
    ledger = MemoryLedger()
    groups = RefusingLate(ledger)
    gather = Collector(grouping=grouping(max_messages=2))
    acts = {"fan": numbered(2), "end": End()}
    async with gathering(acts, {"gather": gather}, ledger=ledger, executions=ledger, groups=groups) as on:
        execution = await on.start(*ROUTES)
        async with asyncio.timeout(5):
            await groups.is_asked.wait()
        processor = on.engine.processor(execution.id, "b")
        assert processor is not None
        await on.ledger.conclude(execution.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(execution.id, ExecutionStatus.CANCELLED)
        await until(lambda: processor.inbox.is_closed)
        groups.may_answer.set()
        async with asyncio.timeout(5):
            await processor.together.drained()  # type: ignore[attr-defined]
        assert len(processor.inbox) == 0
        ended = await on.ended(execution.id)
    assert (ended.counts.done, ended.counts.cancelled) == (1, 2)
    assert [len(group) for group in gather.groups] == [2]


async def test_what_is_held_goes_back_when_a_breaker_opens_and_comes_again_when_it_closes() -> None:
    """What was held has had no attempt by then, and the group that failed has used up no retry."""

    async def fan(context: PipelineContext) -> AdapterResult:
        emitted = [Emission(payload={"number": n, "of": of}) for n, of in enumerate("yxx")]
        return AdapterResult(message=context.message, emitted=emitted)

    async def away_at_first(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        if len(gather.groups) == 1:
            raise ConnectionError

    gather = Collector(grouping=grouping(max_messages=2, key="of"), first=away_at_first)
    end, rules = End(), BreakerRules(window=4, least_results=1, open_seconds=0.5)
    routes = (ROUTES[0], route("b", "gather", to="c", max_retries=0), ROUTES[2])
    async with gathering({"fan": fan, "end": end}, {"gather": gather}, breaker=rules) as on:
        execution = await on.start(*routes)
        await until(lambda: bool(gather.groups))
        processor = on.engine.processor(execution.id, "b")
        assert processor is not None
        await until(lambda: processor.gate.status().paused_by == [BREAKER])
        await until(lambda: not processor.inbox.held)
        assert (len(processor.inbox), gather.groups) == (0, [[1, 2]])
        assert ended_well(await on.ended(execution.id))
    assert sorted(gather.groups) == [[0], [1, 2], [1, 2]]
    attempts = {
        tuple(group): context.attempt for group, context in zip(gather.groups, gather.contexts, strict=True)
    }
    assert attempts == {(0,): 1, (1, 2): 2}
    assert end.numbers == [0, 1, 2]
