"""Groups of settlements that are with the store at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from application.engine.group_commit import GroupCommit
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.message import Settlement
from tests.unit.engines import bench, route
from tests.unit.late_ledgers import LateLedger
from tests.unit.test_engine import fanning


@dataclass(slots=True)
class SlowStore:
    """Echoes each group when it is let go; ``begun`` are the groups in the order in which they came."""

    begun: list[Sequence[int]] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)

    async def commit(self, items: Sequence[int]) -> Sequence[int]:
        self.begun.append(list(items))
        await self.gates.setdefault(items[0], asyncio.Event()).wait()
        return items

    def let_go(self, first: int) -> None:
        """Let the group that begins with an item be committed."""
        self.gates.setdefault(first, asyncio.Event()).set()


def group_commit(store: SlowStore) -> GroupCommit[int, int]:
    return GroupCommit[int, int](
        commit=store.commit, sleep=asyncio.sleep, linger_seconds=0.0, largest=2, lanes=2
    )


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_full_group_does_not_wait_for_the_one_before_it() -> None:
    """And a third does, because there are two lanes."""
    store, told = SlowStore(), list[int | Exception]()
    async with group_commit(store) as group:
        for item in range(6):
            group.hand_in(item, told.append)
        await settle_down()
        assert store.begun == [[0, 1], [2, 3]]
        store.let_go(0)
        await settle_down()
        assert (store.begun[2:], told) == ([[4, 5]], [0, 1])


async def test_what_comes_during_a_commit_is_one_group_unless_it_is_full() -> None:
    """Few messages do not cost a commit each."""
    store, told = SlowStore(), list[int | Exception]()
    async with group_commit(store) as group:
        group.hand_in(0, told.append)
        await settle_down()
        group.hand_in(1, told.append)
        await settle_down()
        assert store.begun == [[0]]
        store.let_go(0)
        await settle_down()
        assert store.begun == [[0], [1]]


async def test_groups_are_answered_in_the_order_in_which_they_were_formed() -> None:
    """Whichever the store commits first."""
    store, told = SlowStore(), list[int | Exception]()
    async with group_commit(store) as group:
        for item in range(4):
            group.hand_in(item, told.append)
        await settle_down()
        store.let_go(2)
        await settle_down()
        assert told == []
        store.let_go(0)
        await settle_down()
        assert told == [0, 1, 2, 3]


async def test_drained_waits_for_every_group_that_was_there_and_not_for_so_many_answers() -> None:
    """A later group may be committed before an earlier one."""
    store = SlowStore()
    async with group_commit(store) as group:
        for item in range(4):
            group.hand_in(item, lambda _: None)
        await settle_down()
        drained = asyncio.create_task(group.drained())
        store.let_go(2)
        await settle_down()
        assert not drained.done()
        store.let_go(0)
        await asyncio.wait_for(drained, 5)


async def test_the_end_tells_every_lane() -> None:
    """Of both groups it is not known what became of them."""
    store, told = SlowStore(), list[int | Exception]()
    async with group_commit(store) as group:
        for item in range(5):
            group.hand_in(item, told.append)
        await settle_down()
    assert [type(one).__name__ for one in told] == ["GroupClosed"] * 5


async def test_what_is_processed_is_done_before_it_is_put_back() -> None:
    """A run that closes puts back all that is not answered yet, and that must not overtake what is on its way."""
    ledger, held, is_let_go = LateLedger(), asyncio.Event(), asyncio.Event()

    async def hold_the_first_of_b(settlements: object) -> None:
        assert isinstance(settlements, Sequence)
        is_of_b = all(isinstance(one, Settlement) and not one.children for one in settlements)
        if is_of_b and not held.is_set():
            held.set()
            await is_let_go.wait()

    async def two_end(context: PipelineContext) -> AdapterResult:
        if int(str(context.message["number"])) >= 2:
            await asyncio.Event().wait()
        return AdapterResult(message=context.message)

    ledger.settling = hold_the_first_of_b
    acts = {"fan": fanning(4), "two": two_end}
    async with bench(acts, ledger=ledger, executions=ledger.inner, group_commit_largest=2) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "two"))
        await asyncio.wait_for(held.wait(), 5)
        leaving = asyncio.create_task(on.engine.leave_all())
        await asyncio.sleep(0.05)  # so that what is put back can overtake, if it does
        is_let_go.set()
        await asyncio.wait_for(leaving, 5)
        counts = (await on.seen(started.id)).counts
    assert (counts.done, counts.outstanding) == (3, 2)
