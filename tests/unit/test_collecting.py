"""Routes that collect: when a group is complete, and that its messages settle as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from adapters.memory.group_ledger import MemoryGroupLedger
from adapters.memory.ledger import MemoryLedger
from application.engine import group_emissions, streaming
from application.engine.draining import drain
from application.engine.flushing import leading_elsewhere
from application.ports.ledger import Settled
from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    Emission,
    GroupContext,
    PipelineContext,
)
from domain.errors import Unavailable
from domain.execution import ExecutionStatus
from domain.grouping import group_id
from domain.json import JsonObject
from domain.message import Outcome, Settlement, child_id, init_message_id
from domain.pipeline import ErrorHandling
from tests.unit.collecting import Collector, End, gathering, grouping, numbered, streamed, until, until_held
from tests.unit.engines import ended_well, pipeline, route

ROUTES = (route("a", "fan", to="b"), route("b", "gather", to="c"), route("c", "end"))


async def test_a_group_is_complete_when_it_has_its_messages() -> None:
    """The rest is let go when nothing more can come; every message is counted once."""
    end, gather = End(), Collector(grouping=grouping(max_messages=3))
    async with gathering({"fan": numbered(7), "end": end}, {"gather": gather}) as on:
        ended = await on.run(*ROUTES)
    assert ended_well(ended)
    assert (ended.counts.done, ended.counts.outstanding) == (1 + 7 + 3, 0)
    assert [len(group) for group in end.groups] == [3, 3, 1]
    assert end.numbers == list(range(7))


async def test_a_group_is_complete_when_it_has_its_bytes() -> None:
    end, gather = End(), Collector(grouping=grouping(max_bytes=40))
    async with gathering({"fan": numbered(4, text="ab"), "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*ROUTES))
    assert [len(group) for group in end.groups] == [1, 1, 1, 1]


async def test_a_group_is_complete_when_its_time_is_up() -> None:
    """Though there is more to come: what the first route has not done yet is not waited for."""
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 2:
            await go.wait()
        return AdapterResult(message=context.message)

    end, gather = End(), Collector(grouping=grouping(flush_seconds=0.05))
    acts = {"fan": numbered(3), "slow": slow, "end": end}
    async with gathering(acts, {"gather": gather}) as on:
        routes = (route("a", "fan", to="s"), route("s", "slow", to="b"), *ROUTES[1:])
        execution = await on.start(*routes)
        await until(lambda: end.numbers == [0, 1])
        go.set()
        assert ended_well(await on.ended(execution.id))
    assert end.numbers == [0, 1, 2]


async def test_all_of_a_run_is_one_group_if_it_may_be() -> None:
    """However long the time of a group is: when nothing more can come, it is complete."""
    end, gather = End(), Collector(grouping=grouping())
    acts = {"fan": streamed(600), "end": end}
    routes = (route("a", "fan", to="s"), route("s", "pass", to="b"), *ROUTES[1:])
    async with gathering(acts, {"gather": gather}) as on:
        ended = await on.run(*routes)
    assert ended_well(ended)
    assert end.groups == [list(range(600))] or [sorted(group) for group in end.groups] == [list(range(600))]


async def test_more_is_collected_than_a_window_or_the_concurrency_holds() -> None:
    """Even with one slot, a short queue, and a fan-out that waits for room on the way."""
    end, gather = End(), Collector(grouping=grouping(max_messages=3000))
    acts = {"fan": streamed(2500), "end": end}
    routes = (ROUTES[0], route("b", "gather", to="c", concurrency=1), ROUTES[2])
    async with gathering(acts, {"gather": gather}, capacity=64) as on:
        execution = await on.start(*routes)
        assert ended_well(await on.ended(execution.id, within=60))
    assert [len(group) for group in end.groups] == [2500]


async def test_one_collector_behind_another_waits_for_it() -> None:
    end = End()
    first, second = Collector(grouping=grouping(max_messages=2)), Collector(grouping=grouping())
    routes = (
        ROUTES[0],
        route("b", "gather", to="d"),
        route("d", "again", to="c"),
        ROUTES[2],
    )
    async with gathering({"fan": numbered(5), "end": end}, {"gather": first, "again": second}) as on:
        assert ended_well(await on.run(*routes))
    assert sorted(map(len, first.groups)) == [1, 2, 2]
    assert [len(group) for group in second.groups] == [3]


async def test_what_leads_elsewhere_is_not_waited_for() -> None:
    """A message of a route that does not lead to the collector may take as long as it likes."""
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> None:
        await go.wait()

    end, gather = End(), Collector(grouping=grouping())
    routes = (route("a", "fan", to=("b", "z")), *ROUTES[1:], route("z", "slow"))
    async with gathering({"fan": numbered(3), "end": end, "slow": slow}, {"gather": gather}) as on:
        execution = await on.start(*routes)
        await until(lambda: bool(end.came))
        go.set()
        assert ended_well(await on.ended(execution.id))
    assert end.numbers == [0, 1, 2]


async def test_each_value_of_the_key_has_its_groups() -> None:
    """Wherever the payload is kept; messages without the field belong together too."""

    async def fan(context: PipelineContext) -> AdapterResult:
        payloads: list[JsonObject] = [
            {"number": 0, "of": {"site": "x"}},
            {"number": 1, "of": {"site": "y"}},
            {"number": 2, "of": {"site": "x"}, "text": "long " * 20_000},
            {"number": 3},
            {"number": 4, "of": {"site": None}},
        ]
        return AdapterResult(message=context.message, emitted=[Emission(payload=one) for one in payloads])

    end, gather = End(), Collector(grouping=grouping(key="of.site", max_bytes=1 << 20))
    async with gathering({"fan": fan, "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*ROUTES))
    assert sorted(sorted(group) for group in end.groups) == [[0, 2], [1], [3, 4]]
    keys = {str(context.key) for context in gather.contexts}
    assert keys == {"x", "y", "None"}


async def test_payloads_in_storage_come_whole_and_leave_whole() -> None:
    text = "x" * 100_000

    async def join(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult:
        return AdapterResult(message={"numbers": [0], "texts": [one.message["text"] for one in messages]})

    end, gather = End(), Collector(grouping=grouping(max_bytes=1 << 20), first=join)
    async with gathering({"fan": numbered(3, text=text), "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*ROUTES))
    assert [one["texts"] for one in end.came] == [[text] * 3]


async def test_the_rest_of_the_route_takes_what_the_group_has_become() -> None:
    """As one message, and the last of it may emit many."""

    async def split(context: PipelineContext) -> AdapterResult:
        numbers: list[Any] = list(context.message["numbers"])  # type: ignore[arg-type]
        emitted = [Emission(payload={"numbers": [number]}) for number in numbers]
        return AdapterResult(message=context.message, emitted=emitted)

    end, gather = End(), Collector(grouping=grouping(max_messages=2))
    routes = (ROUTES[0], route("b", "gather", "pass", "split", to="c"), ROUTES[2])
    async with gathering({"fan": numbered(4), "split": split, "end": end}, {"gather": gather}) as on:
        ended = await on.run(*routes)
    assert ended_well(ended)
    assert ended.counts.done == 1 + 4 + 4
    assert end.numbers == [0, 1, 2, 3]


async def test_what_a_group_emits_one_by_one_is_there_when_it_is_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not before. There may not be any number of them: nothing of it can be committed meanwhile."""

    async def emit(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult:
        async def emissions() -> AsyncIterator[Emission | None]:
            for number in range(5 * len(messages)):
                yield None  # Still at it.
                yield Emission(payload={"numbers": [number]})

        return AdapterResult(message={}, emitted=emissions())

    end, gather = End(), Collector(grouping=grouping(), first=emit)
    monkeypatch.setattr(streaming, "CHUNK", 2)
    monkeypatch.setattr(group_emissions, "MOST_MESSAGES", 10)
    async with gathering({"fan": numbered(2), "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*ROUTES))
        assert end.numbers == list(range(10))
        monkeypatch.setattr(group_emissions, "MOST_MESSAGES", 9)
        ended = await on.run(*ROUTES)
        # Two are too many, and then each is tried by itself.
        assert ended_well(ended)
        assert sorted(map(len, gather.groups)) == [1, 1, 2, 2]


@pytest.mark.parametrize("limits", [(9, 1 << 20), (10_000, 149)])
async def test_what_a_group_emits_at_once_is_bounded_by_number_and_by_size(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int]
) -> None:
    """Ten emissions of 15 characters are one too many; those of one message alone are not."""

    async def emit(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult:
        return AdapterResult(
            message={},
            emitted=[Emission(payload={"numbers": [0]}, key=str(n)) for n in range(5 * len(messages))],
        )

    end, gather = End(), Collector(grouping=grouping(), first=emit)
    monkeypatch.setattr(group_emissions, "MOST_MESSAGES", limits[0])
    monkeypatch.setattr(group_emissions, "MOST_CHARACTERS", limits[1])
    async with gathering({"fan": numbered(2), "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*ROUTES))
        assert sorted(map(len, gather.groups)) == [1, 1, 2]
        assert len(end.numbers) == 10


async def test_a_group_may_end_its_messages_way() -> None:
    async def nothing(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult | None:
        raise AssertionError

    class Skipping(Collector):
        async def collect(
            self, messages: Sequence[CollectedMessage], context: GroupContext
        ) -> AdapterResult | None:
            self.groups.append([])
            return None

    end, gather = End(), Skipping(grouping=grouping(), first=nothing)
    async with gathering({"fan": numbered(3), "end": end}, {"gather": gather}) as on:
        ended = await on.run(*ROUTES)
    assert ended_well(ended)
    assert (ended.counts.done, ended.counts.skipped, len(gather.groups)) == (1, 3, 1)


async def test_a_group_that_fails_is_tried_again_whole() -> None:
    """With an attempt and a retry counted for each of its messages."""
    attempts: list[int] = []

    async def failing(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        attempts.append(context.attempt)
        if len(attempts) < 3:
            raise RuntimeError("not now")

    end, gather = End(), Collector(grouping=grouping(), first=failing)
    async with gathering({"fan": numbered(4), "end": end}, {"gather": gather}) as on:
        ended = await on.run(*ROUTES)
    assert ended_well(ended)
    assert attempts == [1, 2, 3]
    assert [len(group) for group in end.groups] == [4]


async def test_an_outage_uses_up_no_retries() -> None:
    calls = 0

    async def away(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise Unavailable("away")

    end, gather = End(), Collector(grouping=grouping(), first=away)
    routes = (ROUTES[0], route("b", "gather", to="c", max_retries=0), ROUTES[2])
    async with gathering({"fan": numbered(3), "end": end}, {"gather": gather}) as on:
        execution = await on.start(*routes)
        ended = await on.ended(execution.id, within=30)
    assert ended_well(ended)
    assert [len(group) for group in end.groups] == [3]


@pytest.mark.parametrize("error", [ValueError, NotImplementedError])
async def test_one_bad_message_dies_alone(error: type[Exception]) -> None:
    """Whether its error is terminal or has used up the retries: each of its group is tried by itself then."""

    async def choosy(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        if any(one.message["number"] == 2 for one in messages):
            raise error("two")

    end, gather = End(), Collector(grouping=grouping(), first=choosy)
    routes = (ROUTES[0], route("b", "gather", to="c", max_retries=1), ROUTES[2])
    async with gathering({"fan": numbered(5), "end": end}, {"gather": gather}) as on:
        ended = await on.run(*routes)
        (dead,) = await on.dead(ended.id)
    assert ended.status is ExecutionStatus.COMPLETED
    assert (ended.counts.done, ended.counts.dead) == (1 + 4 + 4, 1)
    assert end.numbers == [0, 1, 3, 4]
    assert dead.message.payload == {"number": 2}
    assert dead.error["message"] == "two"
    assert dead.error["adapter_name"] == "gather"


async def test_a_failure_behind_the_collector_is_the_groups() -> None:
    tries = 0

    async def failing(context: PipelineContext) -> AdapterResult:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("once")
        return AdapterResult(message=context.message)

    end, gather = End(), Collector(grouping=grouping())
    routes = (ROUTES[0], route("b", "gather", "fails", to="c"), ROUTES[2])
    async with gathering({"fan": numbered(3), "fails": failing, "end": end}, {"gather": gather}) as on:
        ended = await on.run(*routes)
    assert ended_well(ended)
    assert [len(group) for group in end.groups] == [3]


async def test_what_is_held_goes_back_when_the_route_is_paused_and_comes_again() -> None:
    """No attempt is counted, for none was begun."""
    end, gather = End(), Collector(grouping=grouping(max_messages=4))
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> AdapterResult:
        if context.message["number"] == 3:
            await go.wait()
        return AdapterResult(message=context.message)

    routes = (route("a", "fan", to="s"), route("s", "slow", to="b"), *ROUTES[1:])
    async with gathering({"fan": numbered(4), "slow": slow, "end": end}, {"gather": gather}) as on:
        execution = await on.start(*routes)
        await until_held(on, execution, "b", 3)
        gate = on.engine.gates.of(execution.id)["b"]
        gate.pause("test")
        processor = on.engine.processor(execution.id, "b")
        assert processor is not None
        await until(lambda: not processor.inbox.held, within=1)
        ports = on.engine.ports
        waiting = await ports.ledger.waiting(execution.id, "b", limit=10, now=ports.clock.now())
        assert len(waiting) == 3
        assert gather.groups == []
        go.set()
        gate.resume("test")
        assert ended_well(await on.ended(execution.id))
    assert [len(group) for group in end.groups] == [4]
    assert [context.attempt for context in gather.contexts] == [1]


async def held_forever(on: object) -> None:
    """Never."""
    await asyncio.Event().wait()


async def test_what_is_held_is_cancelled_with_its_run() -> None:
    gather = Collector(grouping=grouping())
    routes = (route("a", "fan", to=("b", "s")), route("s", "stuck", to="b"), *ROUTES[1:])
    acts = {"fan": numbered(3), "stuck": held_forever, "end": End()}
    async with gathering(acts, {"gather": gather}) as on:
        execution = await on.start(*routes)
        await until_held(on, execution, "b", 3)
        await on.ledger.conclude(execution.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(execution.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(execution.id, within=1)
    assert ended.status is ExecutionStatus.CANCELLED
    assert (ended.counts.done, ended.counts.cancelled) == (1, 6)
    assert gather.groups == []


async def test_a_group_at_work_is_cancelled_with_its_run() -> None:
    begun = asyncio.Event()

    async def stuck(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    gather = Collector(grouping=grouping(max_messages=3), first=stuck)
    async with gathering({"fan": numbered(3), "end": End()}, {"gather": gather}) as on:
        execution = await on.start(*ROUTES)
        async with asyncio.timeout(5):
            await begun.wait()
        await on.ledger.conclude(execution.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(execution.id, ExecutionStatus.CANCELLED)
        ended = await on.ended(execution.id, within=2)
        statuses = [one.status.value for one in on.lineage.of(execution.id) if one.route_id == "b"]
    assert (ended.counts.done, ended.counts.cancelled) == (1, 3)
    assert statuses == ["cancelled"] * 3


async def test_a_process_that_drains_gives_back_what_it_holds() -> None:
    """At once: what waits for company is not at work."""
    gather = Collector(grouping=grouping())
    routes = (
        route("a", "fan", to=("b", "s")),
        route("s", "pass", to="t"),
        route("t", "stuck", to="b"),
        *ROUTES[1:],
    )
    go = asyncio.Event()

    async def stuck(context: PipelineContext) -> None:
        await go.wait()

    acts = {"fan": numbered(3), "stuck": stuck, "end": End()}
    async with gathering(acts, {"gather": gather}) as on:
        execution = await on.start(*routes)
        await until_held(on, execution, "b", 3)
        go.set()
        async with asyncio.timeout(2):
            await drain(on.engine, 30)
        seen = await on.seen(execution.id)
        ports = on.engine.ports
        assert seen.status is ExecutionStatus.INTERRUPTED
        assert len(await ports.ledger.waiting(execution.id, "b", limit=10, now=ports.clock.now())) == 3
    assert gather.groups == []


@dataclass(slots=True)
class LosingGroups:
    """A ledger in memory in which one claim of the first group is lost just before that is settled."""

    inner: MemoryLedger
    refused: list[bool] = field(default_factory=list)

    async def settle_together(self, settlements: Sequence[Settlement], *, now: datetime) -> Sequence[Settled]:
        if not self.refused:
            await self.inner.settle([replace(settlements[1], outcome=Outcome.RELEASE, children=())], now=now)
        answers = await MemoryGroupLedger(self.inner).settle_together(settlements, now=now)
        self.refused += [not one.accepted for one in answers]
        return answers

    async def still_to_come(
        self, execution_id: UUID, route_id: str, *, owner: UUID, apart_from: Collection[str], limit: int
    ) -> int:
        return await MemoryGroupLedger(self.inner).still_to_come(
            execution_id, route_id, owner=owner, apart_from=apart_from, limit=limit
        )


async def test_when_a_claim_is_lost_the_group_counts_for_nothing_and_is_formed_anew() -> None:
    """One set of children, and each message done once."""
    ledger = MemoryLedger()
    groups = LosingGroups(ledger)
    end, gather = End(), Collector(grouping=grouping(max_messages=4))
    async with gathering(
        {"fan": numbered(4), "end": end},
        {"gather": gather},
        ledger=ledger,
        executions=ledger,
        groups=groups,
    ) as on:
        ended = await on.run(*ROUTES)
    assert groups.refused[:4] == [True] * 4
    assert ended_well(ended)
    assert end.numbers == [0, 1, 2, 3]
    assert ended.counts.done == 1 + 4 + len(end.came)


async def test_a_group_that_the_ledger_refuses_is_taken_apart() -> None:
    """A value that cannot be stored is one message's fault, and the others' children are stored."""

    async def with_text(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult:
        numbers = [one.message["number"] for one in messages]
        return AdapterResult(message={"numbers": numbers, "text": "\0" if 1 in numbers else ""})

    end, gather = End(), Collector(grouping=grouping(), first=with_text)
    async with gathering({"fan": numbered(3), "end": end}, {"gather": gather}) as on:
        ended = await on.run(*ROUTES)
        (dead,) = await on.dead(ended.id)
    assert end.numbers == [0, 2]
    assert dead.message.payload == {"number": 1}
    assert dead.error["code"] == "payload_rejected"


async def test_lineage_has_each_message_at_the_collector_and_leads_back_to_all_of_them() -> None:
    async def fan(context: PipelineContext) -> AdapterResult:
        emitted = [
            Emission(payload={"number": n}, metadata={"origin": "o", "title": str(n)}) for n in range(3)
        ]
        return AdapterResult(message=context.message, emitted=emitted)

    end, gather = End(), Collector(grouping=grouping())
    routes = (ROUTES[0], route("b", "gather", "pass", to="c"), ROUTES[2])
    async with gathering({"fan": fan, "end": end}, {"gather": gather}) as on:
        ended = await on.run(*routes)
        entries = on.lineage.of(ended.id)
        (last,) = [one for one in entries if one.route_id == "c"]
        ancestors = await on.lineage.ancestors(last.id)
        collected = [one for one in entries if one.adapter_name == "gather"]
        descendants = [await on.lineage.descendants(one.id) for one in collected]
    assert len(entries) == 1 + 3 + 1 + 1
    assert {one.status.value for one in entries} == {"completed"}
    assert {one.message_id for one in collected} == {
        child_id(init_message_id(ended.id), "b", f"#{n}") for n in range(3)
    }
    (lead,) = [one for one in collected if one.collected_into is None]
    assert lead.message_id == min(one.message_id for one in collected)
    assert {one.collected_into for one in collected if one is not lead} == {lead.id}
    assert {one.id for one in ancestors} == {one.id for one in entries if one is not last}
    assert all(last in found for found in descendants)
    ids = [child_id(init_message_id(ended.id), "b", f"#{n}") for n in range(3)]
    assert last.message_id == child_id(group_id(ids), "c", "#0")
    assert last.metadata["origin"] == "o"
    assert "title" not in last.metadata
    assert {one.metadata["title"] for one in collected if one is not lead} < {"0", "1", "2"}


async def test_what_is_kept_of_a_group_is_kept_under_its_own_id() -> None:
    """So that another group with the same first message does not find what this one has kept."""

    async def keep(messages: Sequence[CollectedMessage], context: GroupContext) -> None:
        kept = await context.stage.keep("batch", b"x")
        assert str(context.group_id) in kept
        assert context.group_id == group_id(one.message_id for one in messages)

    async def keep_too(context: PipelineContext) -> AdapterResult:
        kept = await context.stage.keep("later", b"y")
        assert str(context.message_id) in kept
        return AdapterResult(message=context.message)

    end, gather = End(), Collector(grouping=grouping(max_messages=2), first=keep)
    routes = (ROUTES[0], route("b", "gather", "keeps", to="c"), ROUTES[2])
    async with gathering({"fan": numbered(4), "keeps": keep_too, "end": end}, {"gather": gather}) as on:
        assert ended_well(await on.run(*routes))
        keys = {one.key.rsplit("/", 1)[1] async for one in on.storage.list("executions/")}
    assert keys == {str(context.group_id) for context in gather.contexts}


async def test_a_suspect_is_collected_alone() -> None:
    """Its process may have died of it, so it must have no company."""
    gather = Collector(grouping=grouping(max_messages=2))
    go = asyncio.Event()

    async def slow(context: PipelineContext) -> None:
        await go.wait()

    acts = {"fan": numbered(1), "slow": slow, "end": End()}
    routes = (route("a", "fan", to=("b", "z")), route("z", "slow", to="b"), *ROUTES[1:])
    async with gathering(acts, {"gather": gather}) as on:
        execution = await on.start(*routes)
        await until_held(on, execution, "b", 1)
        processor = on.engine.processor(execution.id, "b")
        assert processor is not None
        suspect = child_id(init_message_id(execution.id), "b", "#0")
        on.engine.gates.of(execution.id)["b"].pause("test")
        await until(lambda: not processor.inbox.held, within=1)
        await processor.take_alone(suspect)
        assert gather.groups == [[0]]
        on.engine.gates.of(execution.id)["b"].resume("test")
        go.set()
        assert ended_well(await on.ended(execution.id))


def test_routes_lead_to_a_collector_by_queues_and_by_dead_letters() -> None:
    """Any other is not waited for."""
    first = replace(route("a", "pass", to="z"), error_handling=ErrorHandling(dead_letter_queue="d"))
    routes = (
        first,
        route("d", "pass", to="b"),
        route("b", "gather", to="c"),
        route("c", "end"),
        route("z", "end"),
    )
    assert leading_elsewhere(pipeline(*routes), routes[2]) == ["c", "z"]
    circle = (route("a", "pass", to="b"), route("b", "gather", to="c"), route("c", "end", to="a"))
    assert leading_elsewhere(pipeline(*circle), circle[1]) == []
