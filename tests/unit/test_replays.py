"""Replays through the use-cases: what they run, what they refuse, and what they leave when they are cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from application.engine.recovery import Recovery
from application.engine.snapshot import SnapshotNotRunnable
from application.ports.lineage import LineageQuery
from application.ports.pipeline_adapter import (
    AdapterResult,
    CollectedMessage,
    Emission,
    GroupContext,
    PipelineContext,
)
from application.replay_plan import Caution, ReplayPlan
from domain.dead_letter import DeadLetterFilter
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    InvalidTag,
    TagTaken,
    TooManyConcurrentExecutions,
)
from domain.message import MessageTooLarge
from domain.pipeline_config import ConfigNotFound
from domain.replay import (
    ReplayRequest,
    ReplayRouteNeeded,
    ReplayRouteUnfit,
    ReplayRouteUnknown,
    ReplaySource,
    ReplaySourceEmpty,
    ReplaySourceGone,
    ReplayStageAmbiguous,
    ReplayStageUnknown,
    replay_of,
)
from domain.storage import InvalidKey
from tests.databases import fresh_database
from tests.unit.collecting import Collector, grouping
from tests.unit.engines import Act
from tests.unit.replaying import YAML, Shelf, Stores, as_if_gone, memory_stores, postgres_stores, shelf

PARTS = sorted(f"item {n} {part}" for n in range(3) for part in "ab")
CUT = ReplayRequest(from_stage="cut")
KEPT = ReplayRequest(from_stage="kept")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    """Each kind of stores, empty."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield memory_stores()
            return
        url = request.getfixturevalue("postgres_url")
        yield await postgres_stores(stack, await stack.enter_async_context(fresh_database(url)))


async def replayed(on: Shelf, parent: Execution, request: ReplayRequest) -> Execution:
    """The replay once it is over, after its dry run."""
    plan = await on.replays.plan(str(parent.id), request)
    assert plan.obstacles == []
    on.ended_with.clear()
    started, made = await on.replays.start(str(parent.id), request)
    assert (plan.survey, plan.destination, plan.origin) == (made.survey, made.destination, made.origin)
    return await on.over(started.id)


async def test_a_stage_runs_again_through_the_routes_that_follow(stores: Stores) -> None:
    """In an execution of its own that is linked to its parent; what comes before the stage stays as it was."""
    async with shelf(stores) as on:
        parent = await on.run()
        assert on.texts() == PARTS
        again = await replayed(on, parent, KEPT)
        assert on.texts() == PARTS
        assert (again.status, again.counts.dead) == (ExecutionStatus.COMPLETED, 0)
        assert (again.parent_execution_id, again.replay_source) == (parent.id, "storage")
        assert await on.keys(again.id, "kept") == []
        assert len(await on.keys(again.id, "cut")) == 3
        assert ([one.id for one in (await on.replays.of(str(parent.id)))[0]]) == [again.id]


async def test_what_was_kept_in_the_middle_of_a_route_goes_through_the_rest_of_it(stores: Stores) -> None:
    """By itself, and when the route that follows is named; nothing is done twice."""
    async with shelf(stores) as on:
        parent = await on.run()
        for request in (CUT, ReplayRequest(from_stage="use/cut", to_route="end")):
            plan = await on.replays.plan(str(parent.id), request)
            assert [code for code, _ in plan.cautions] == [Caution.REST_OF_ROUTE]
            assert plan.to_queue == "use"
            again = await replayed(on, parent, request)
            assert (again.status, again.counts.dead) == (ExecutionStatus.COMPLETED, 0)
            assert on.texts() == PARTS
            assert await on.keys(again.id, "cut") == []


async def test_a_replay_can_be_replayed(stores: Stores) -> None:
    """From a stage that it kept itself."""
    async with shelf(stores) as on:
        first = await replayed(on, await on.run(), KEPT)
        second = await replayed(on, first, CUT)
        assert on.texts() == PARTS
        assert second.parent_execution_id == first.id
        with pytest.raises(ReplayStageUnknown):
            await on.replays.start(str(first.id), KEPT)


async def test_every_message_belongs_to_the_batch_and_says_where_it_came_from(stores: Stores) -> None:
    """In its metadata, all the way to the end."""
    async with shelf(stores) as on:
        parent = await on.run()
        again = await replayed(on, parent, KEPT)
        batch = str(replay_of(again.config_snapshot["replay"]).batch_id)
        kept = await on.keys(parent.id, "kept")
        for _, metadata in on.ended_with:
            assert metadata["replay_batch_id"] == batch
            assert metadata["execution_id"] == str(parent.id)
            assert metadata["original_object_key"] in kept
            assert str(metadata["title"]).startswith("T")
            assert str(metadata["url"]).startswith("https://")
        assert "fingerprint" not in on.ended_with[0][1]


async def test_lineage_leads_from_the_seed_to_every_message(stores: Stores) -> None:
    """One root, and everything else below it."""
    async with shelf(stores) as on:
        again = await replayed(on, await on.run(), KEPT)
        entries, _ = await stores.reader.list(LineageQuery(execution_id=again.id, limit=1000))
        roots = [entry for entry in entries if entry.parent_id is None]
        assert [(root.id, root.route_id) for root in roots] == [(again.root_correlation_id, "~replay")]
        below = await stores.reader.descendants(roots[0].id)
        assert len(below) == len(entries) - 1


async def test_lineage_finds_the_messages_of_a_batch(stores: Stores) -> None:
    """All of the replay, and nothing of its parent or of another replay."""
    async with shelf(stores) as on:
        parent = await on.run()
        for again in (await replayed(on, parent, KEPT), await replayed(on, parent, CUT)):
            batch = replay_of(again.config_snapshot["replay"]).batch_id
            of_batch, _ = await stores.reader.list(LineageQuery(replay_batch_id=batch, limit=1000))
            of_run, _ = await stores.reader.list(LineageQuery(execution_id=again.id, limit=1000))
            assert {entry.id for entry in of_batch} == {entry.id for entry in of_run} != set()


async def test_a_path_narrows_what_is_replayed(stores: Stores) -> None:
    async with shelf(stores) as on:
        parent = await on.run()
        key = (await on.keys(parent.id, "kept"))[1]
        name = key.rpartition("/")[2]
        again = await replayed(on, parent, ReplayRequest(from_stage="kept", from_path=name[:20]))
        assert (len(on.texts()), again.counts.done) == (2, 4)


async def test_a_stage_whose_name_goes_on_is_another_stage(stores: Stores) -> None:
    """Its objects are not replayed with those of the shorter name, unless a path asks for them."""
    async with shelf(stores) as on:
        parent = await on.run()
        nested = f"executions/{parent.id}/keep/kept/more/{uuid4()}.json"
        await stores.storage.write(nested, b'{"text": "more"}', metadata={"stage": "kept/more"})
        assert (await on.replays.plan(str(parent.id), KEPT)).survey.found == 3
        for request in (
            ReplayRequest(from_stage="kept", from_path="more/", to_route="use"),
            ReplayRequest(from_stage="kept/more", to_route="use"),
        ):
            await replayed(on, parent, request)
            assert on.texts() == ["more a", "more b"]


async def test_another_config_runs_in_its_present_version(stores: Stores) -> None:
    """The snapshot of the replay is of that config; the parent says only what was kept."""
    async with shelf(stores) as on:
        parent = await on.run(tag="nightly")
        other = (await on.executions.configs.create(name="other", yaml=OTHER)).config
        request = ReplayRequest(
            from_stage="kept", to_route="mine", config_id=other.id, metadata={"why": "try"}
        )
        again = await replayed(on, parent, request)
        assert on.texts() == ["item 0", "item 1", "item 2"]
        assert (again.config_id, again.config_snapshot["name"]) == (other.id, "other")
        assert (again.parent_execution_id, again.metadata) == (parent.id, {"why": "try"})


OTHER = """
version: "1.0"
routes:
  mine:
    inbound: {queue: mine}
    adapters: [{type: load}, {type: end}]
"""


async def test_a_route_that_listens_to_a_topic_is_sent_to_alone(stores: Stores) -> None:
    """Nobody else hears of it: no other execution, and no other route."""
    listening = OTHER.replace("queue: mine", "queue: /topic/mine")
    async with shelf(stores, further={"wait": waiting}) as on:
        parent = await on.run()
        config = (await on.executions.configs.create(name="listening", yaml=listening)).config
        other = (await on.executions.configs.create(name="other", yaml=listening + ALSO)).config
        bystander = await on.executions.start(other.id)
        request = ReplayRequest(from_stage="kept", to_route="mine", config_id=config.id)
        again = await replayed(on, parent, request)
        assert (again.status, on.texts()) == (ExecutionStatus.COMPLETED, ["item 0", "item 1", "item 2"])
        assert (await on.executions.get(str(bystander.id))).counts.total == 1


ALSO = """
  busy:
    inbound: {queue: busy}
    adapters: [{type: wait}]
init_message: {route: busy}
"""


async def test_an_edit_of_the_config_does_not_touch_a_replay(stores: Stores) -> None:
    """It runs what the parent ran."""
    async with shelf(stores) as on:
        parent = await on.run()
        edited = YAML.replace("outbound: use", "outbound: nowhere").replace("outbound: end", "outbound: lost")
        await on.executions.configs.update(parent.config_id, yaml=edited)
        await on.executions.configs.deactivate(parent.config_id)
        await replayed(on, parent, KEPT)
        assert on.texts() == PARTS


async def test_messages_run_again_from_lineage(stores: Stores) -> None:
    """With the payloads that the ledger has, by stage, by pipeline adapter or by route."""
    async with shelf(stores) as on:
        parent = await on.run()
        for stage in ("kept", "keep/kept", "keep"):
            again = await replayed(on, parent, ReplayRequest(source=ReplaySource.LINEAGE, from_stage=stage))
            assert (on.texts(), again.replay_source) == (PARTS, "lineage")
            assert len(await on.keys(again.id, "kept")) == 3
        await replayed(on, parent, ReplayRequest(source=ReplaySource.LINEAGE, from_stage="end"))
        assert on.texts() == PARTS


COLLECTING = """
version: "1.0"
routes:
  make:
    inbound: {queue: make}
    adapters: [{type: make}]
    outbound: gather
  gather:
    inbound: {queue: gather, concurrency: 2}
    adapters: [{type: gather}, {type: pass}]
    outbound: use
  use:
    inbound: {queue: use}
    adapters: [{type: load}, {type: end}]
init_message: {route: make, payload: {n: 3}}
"""


async def test_what_is_replayed_is_collected_as_the_rest_is(stores: Stores) -> None:
    """All that comes of the seed is one group; what was kept of a group goes on behind it."""

    async def joined(messages: Sequence[CollectedMessage], context: GroupContext) -> AdapterResult:
        text = f"joined {sorted(str(one.message['n']) for one in messages)}"
        content = json.dumps({"text": text}).encode()
        key = await context.stage.keep("joined", content, extension=".json")
        return AdapterResult(message={"object_key": key}, stage="joined")

    gather = Collector(grouping=grouping(), first=joined)
    async with shelf(stores, collectors={"gather": gather}, further={"pass": passing}) as on:
        parent = await on.run(COLLECTING)
        once = ["joined ['0', '1', '2']"]
        assert on.texts() == once
        again = await replayed(
            on, parent, ReplayRequest(source=ReplaySource.LINEAGE, from_stage="gather/joined")
        )
        assert (on.texts(), again.status) == (once, ExecutionStatus.COMPLETED)
        assert len(gather.groups) == 2
        again = await replayed(on, parent, ReplayRequest(from_stage="joined"))
        assert (on.texts(), again.status) == (once, ExecutionStatus.COMPLETED)
        assert len(gather.groups) == 2


async def test_what_the_ledger_has_lost_cannot_be_replayed_from_lineage(stores: Stores) -> None:
    """But from storage it can: that is the source of truth."""
    async with shelf(stores) as on:
        parent = await on.run()
    async with shelf(as_if_gone(stores)) as on:
        with pytest.raises(ReplaySourceGone, match="replay from storage"):
            await on.replays.start(
                str(parent.id), ReplayRequest(source=ReplaySource.LINEAGE, from_stage="keep")
            )
        await replayed(on, parent, KEPT)
        assert on.texts() == PARTS


async def test_a_purged_dead_letter_is_not_replayed_as_an_empty_message(stores: Stores) -> None:
    """A replay from lineage is refused, by the dry run too; before the purge it could be made."""

    async def choosy(context: PipelineContext) -> AdapterResult:
        if context.message["n"] == 1:
            raise InvalidKey
        return AdapterResult(message={"text": context.message["n"]})

    request = ReplayRequest(source=ReplaySource.LINEAGE, from_stage="choosy")
    async with shelf(stores, further={"choosy": choosy}) as on:
        parent = await on.run(
            YAML.replace("type: keep", "type: choosy").replace("outbound: use", "outbound: end")
        )
        assert (await on.replays.plan(str(parent.id), request)).survey.found == 3
        wanted = DeadLetterFilter(execution_id=parent.id)
        purged = await stores.letters.purge(wanted, limit=10, now=on.engine.ports.clock.now())
        assert purged == 1
        kind, plan = await refusal(on, parent.id, request)
    assert kind is ReplaySourceGone
    assert "forgotten or purged" in plan.obstacles[0].message


async def test_a_dry_run_looks_whether_large_payloads_are_still_there(stores: Stores) -> None:
    """Each message counts once, however many payloads are gone, and nothing is read for it."""

    async def make(context: PipelineContext) -> AdapterResult:
        made = [Emission(payload={"n": n, "text": "x" * 100_000}) for n in range(40)]
        return AdapterResult(message={}, emitted=made)

    request = ReplayRequest(source=ReplaySource.LINEAGE, from_stage="end")
    async with shelf(stores, further={"make": make}) as on:
        parent = await on.run(YAML.replace("outbound: keep", "outbound: end"))
        assert (await on.replays.plan(str(parent.id), request)).obstacles == []
        kept = [stored.key async for stored in stores.storage.list("payloads/")]
        assert len(kept) == 40
        for key in kept[7:9]:
            await stores.storage.delete(key)
        kind, plan = await refusal(on, parent.id, request)
    assert kind is ReplaySourceGone
    assert "the payloads of 2 of 40 messages are not in storage any more" in plan.obstacles[0].message
    assert set(plan.survey.lost) == {key.split("/")[2] for key in kept[7:9]}


async def test_what_somebody_gives_runs_into_the_route_that_is_named(stores: Stores) -> None:
    """Keys and payloads, keys once each."""
    async with shelf(stores) as on:
        parent = await on.run()
        keys = await on.keys(parent.id, "kept")
        source = ReplaySource.MANUAL
        await replayed(
            on, parent, ReplayRequest(source=source, object_keys=[*keys[:2], keys[0]], to_route="use")
        )
        assert len(on.texts()) == 4
        given = [{"text": "mine"}, {"text": "mine"}]
        await replayed(on, parent, ReplayRequest(source=source, payloads=given, to_route="end"))
        assert on.texts() == ["mine", "mine"]


async def refusal(on: Shelf, parent: object, request: ReplayRequest) -> tuple[type[Exception], ReplayPlan]:
    """The error that starting raises; the dry run must have it as its first finding, and nothing be written."""
    plan = await on.replays.plan(str(parent), request)
    _, before = await on.executions.list()
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the caller says which)
        await on.replays.start(str(parent), request)
    assert (plan.findings[0].code, plan.findings[0].message) == (
        getattr(raised.value, "code", None),
        str(raised.value),
    )
    _, after = await on.executions.list()
    assert before == after
    return raised.type, plan


async def test_what_cannot_be_replayed_says_why(stores: Stores) -> None:
    """Before an execution is made, and the dry run says the same."""
    async with shelf(stores) as on:
        parent = await on.run(tag="taken")
        wanted: Sequence[tuple[ReplayRequest, type[Exception]]] = [
            (ReplayRequest(from_stage="nothing"), ReplayStageUnknown),
            (ReplayRequest(from_stage="keep/nothing"), ReplayStageUnknown),
            (ReplayRequest(from_stage="kept", from_path="nothing"), ReplaySourceEmpty),
            (ReplayRequest(from_stage="kept", to_route="nowhere"), ReplayRouteUnknown),
            (ReplayRequest(from_stage="kept", to_route="end"), ReplayRouteUnfit),
            (ReplayRequest(from_stage="kept", config_id=uuid4()), ConfigNotFound),
            (ReplayRequest(from_stage="kept", tag="taken"), TagTaken),
            (ReplayRequest(from_stage="kept", tag="a/b"), InvalidTag),
            (ReplayRequest(from_stage="../.."), InvalidKey),
            (ReplayRequest(from_stage="kept", from_path="../../keep"), InvalidKey),
            (ReplayRequest(from_stage="nothing", source=ReplaySource.LINEAGE), ReplayStageUnknown),
            (manual(object_keys=["a/../b"], to_route="use"), InvalidKey),
            (manual(object_keys=["uploads/gone"], to_route="use"), ReplaySourceGone),
            (manual(object_keys=["uploads/gone"]), ReplayRouteNeeded),
            (manual(payloads=[{"a": "x" * 1_100_000}], to_route="end"), MessageTooLarge),
        ]
        for request, expected in wanted:
            kind, _ = await refusal(on, parent.id, request)
            assert kind is expected, request
        assert (await refusal(on, uuid4(), KEPT))[0] is ExecutionNotFound
        assert (await refusal(on, "no-such-tag", KEPT))[0] is ExecutionNotFound


def manual(**fields: object) -> ReplayRequest:
    return ReplayRequest(source=ReplaySource.MANUAL, **fields)  # type: ignore[arg-type]


async def test_everything_in_the_way_is_told_at_once(stores: Stores) -> None:
    async with shelf(stores) as on:
        parent = await on.run(tag="taken")
        plan = await on.replays.plan(
            "taken", ReplayRequest(from_stage="nothing", tag="taken", config_id=uuid4())
        )
        assert [finding.code for finding in plan.findings] == [
            "config_not_found",
            "replay_stage_unknown",
            "tag_taken",
        ]
        assert plan.parent == parent


async def test_an_unknown_stage_is_answered_with_those_there_are(stores: Stores) -> None:
    async with shelf(stores) as on:
        parent = await on.run()
        plan = await on.replays.plan(str(parent.id), ReplayRequest(from_stage="segments"))
        assert "it has keep/kept" in plan.findings[0].message


async def test_a_pipeline_adapter_that_kept_nothing_is_no_stage_to_begin_at(stores: Stores) -> None:
    """Its messages can be run again from lineage."""
    async with shelf(stores) as on:
        parent = await on.run()
        kind, plan = await refusal(on, parent.id, ReplayRequest(from_stage="load"))
        assert kind is ReplaySourceEmpty
        assert "lineage" in plan.findings[0].message


async def test_a_stage_of_several_routes_needs_its_route(stores: Stores) -> None:
    """The error says how to name each."""
    async with shelf(stores) as on:
        parent = await on.run()
        await stores.storage.write(f"executions/{parent.id}/use/kept/x.json", b'{"text": "x"}')
        kind, plan = await refusal(on, parent.id, KEPT)
        assert kind is ReplayStageAmbiguous
        assert "keep/kept, use/kept" in plan.findings[0].message
        await replayed(on, parent, ReplayRequest(from_stage="keep/kept/"))
        assert on.texts() == PARTS


async def test_objects_that_are_gone_are_told_before_anything_begins(stores: Stores) -> None:
    """Lineage knows that they were there."""
    async with shelf(stores) as on:
        parent = await on.run()
        for key in await on.keys(parent.id, "kept"):
            await stores.storage.delete(key)
        assert (await refusal(on, parent.id, KEPT))[0] is ReplaySourceGone


async def test_an_object_that_vanishes_before_it_is_read_ends_as_a_dead_message(stores: Stores) -> None:
    """With its key in the reason, while the others go on."""
    async with shelf(stores) as on:
        parent = await on.run()
        gone = (await on.keys(parent.id, "kept"))[0]
        load = on.acts["load"]

        async def too_late(context: PipelineContext) -> AdapterResult | None:
            await stores.storage.delete(gone)
            return await load(context)

        on.acts["load"] = too_late
        started, _ = await on.replays.start(str(parent.id), KEPT)
        again = await on.over(started.id)
        assert (again.status, again.counts.dead) == (ExecutionStatus.COMPLETED, 1)
        page = await stores.letters.list(DeadLetterFilter(execution_id=again.id), limit=10)
        (dead,) = page.letters
        assert gone in str(dead.error["message"])


async def test_objects_that_vanish_before_they_are_sent_fail_the_run(stores: Stores) -> None:
    """It was to replay three, and says how many are left."""
    async with shelf(stores) as on:
        parent = await on.run()
        plan = await on.replays.plan(str(parent.id), KEPT)
        await stores.storage.delete((await on.keys(parent.id, "kept"))[0])
        again = await on.over((await started_by(on, plan)).id)
        assert (again.status, again.counts.done) == (ExecutionStatus.FAILED, 0)
        assert again.error_info is not None
        assert again.error_info["code"] == "replay_source_gone"


async def started_by(on: Shelf, plan: ReplayPlan) -> Execution:
    """The replay of a plan that was made earlier."""
    assert plan.replay is not None
    assert plan.target is not None
    return await on.replays._start(plan, plan.target, replace(plan.replay, found=plan.survey.found))


async def test_a_changed_pipeline_adapter_is_told_like_at_recovery(stores: Stores) -> None:
    """The same config in its present version can still be given what the parent kept."""
    async with shelf(stores) as on:
        parent = await on.run()
    async with shelf(stores, versions="2") as on:
        kind, plan = await refusal(on, parent.id, KEPT)
        assert kind is SnapshotNotRunnable
        assert "was version" in plan.findings[0].message
        again = await replayed(on, parent, ReplayRequest(from_stage="kept", config_id=parent.config_id))
        assert (again.status, on.texts()) == (ExecutionStatus.COMPLETED, PARTS)


async def test_the_limit_of_executions_holds_for_replays(stores: Stores) -> None:
    async with shelf(stores, limit=1, further={"wait": waiting}) as on:
        parent = await on.run()
        config = (
            await on.executions.configs.create(name="w", yaml=YAML.replace("type: make", "type: wait"))
        ).config
        await on.executions.start(config.id)
        assert (await refusal(on, parent.id, KEPT))[0] is TooManyConcurrentExecutions


async def waiting(context: PipelineContext) -> AdapterResult:
    """Never come to an end."""
    await asyncio.Event().wait()
    return AdapterResult(message=context.message)


async def test_a_parent_that_was_cancelled_or_still_runs_can_be_replayed(stores: Stores) -> None:
    """As far as it had come; of a running one the dry run says that there may be more."""
    async with shelf(stores) as on:
        end = on.acts["end"]
        on.acts["end"] = waiting
        checked = await on.executions.configs.create(name="shelf", yaml=YAML)
        parent = await on.executions.start(checked.config.id)
        while len(await on.keys(parent.id, "cut")) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        plan = await on.replays.plan(str(parent.id), KEPT)
        assert Caution.PARENT_UNFINISHED in [code for code, _ in plan.cautions]
        await on.executions.change_status(str(parent.id), ExecutionStatus.CANCELLED)
        on.acts["end"] = end
        await replayed(on, parent, KEPT)
        assert on.texts() == PARTS


async def test_two_replays_at_once_do_not_disturb_each_other(stores: Stores) -> None:
    """Each has messages of its own; of two with one tag one is refused."""
    async with shelf(stores) as on:
        parent = await on.run()
        on.ended_with.clear()
        started = await asyncio.gather(*(on.replays.start(str(parent.id), KEPT) for _ in range(3)))
        for execution, _ in started:
            again = await on.over(execution.id)
            assert (again.counts.done, again.counts.dead) == (10, 0)
        assert on.texts() == sorted(PARTS * 3)
        tagged = ReplayRequest(from_stage="kept", tag="mine")
        both = await asyncio.gather(
            *(on.replays.start(str(parent.id), tagged) for _ in range(2)), return_exceptions=True
        )
        assert [isinstance(one, TagTaken) for one in both].count(True) == 1


async def test_a_replay_is_cancelled_like_any_run(stores: Stores) -> None:
    """What was not sent yet is never sent."""
    async with shelf(stores) as on:
        parent = await on.run()
        on.ended_with.clear()
        on.acts["load"] = waiting
        started, _ = await on.replays.start(str(parent.id), KEPT)
        await on.executions.change_status(str(started.id), ExecutionStatus.CANCELLED)
        again = await on.over(started.id)
        assert (again.status, again.counts.outstanding) == (ExecutionStatus.CANCELLED, 0)
        assert on.ended_with == []


async def test_a_replay_that_is_cut_off_goes_on_where_it_was(stores: Stores) -> None:
    """The server stops while the messages are being sent; another sends the rest, and none twice."""
    number = 600
    async with shelf(stores, further=PLAIN) as on:
        parent = await on.run(n=number)
        on.ended_with.clear()
        plan = await on.replays.plan(str(parent.id), KEPT)
        stores.storage.hangs_after = 400
        started = await started_by(on, plan)
        await asyncio.wait_for(stores.storage.is_hanging.wait(), 20)
        async with asyncio.timeout(20):
            # The first chunk is committed while the stream is read on.
            while (counts := (await on.executions.get(str(started.id))).counts).total == 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert 1 < counts.total <= number
    stores.storage.hangs_after = None
    before = on.texts()
    async with shelf(stores, further=PLAIN) as on:
        async with Recovery(engine=on.engine, leases=MemoryLeases(), is_alone=True):
            again = await on.over(started.id)
        assert (again.status, again.counts.dead) == (ExecutionStatus.COMPLETED, 0)
        assert again.counts.done == 1 + 2 * number
        assert len({*before, *on.texts()}) == number


async def passing(context: PipelineContext) -> AdapterResult:
    """Hand on what it was given."""
    return AdapterResult(message=context.message)


async def passing_text(context: PipelineContext) -> AdapterResult:
    """Hand on the text alone."""
    return AdapterResult(message={"text": context.message["text"]})


PLAIN: dict[str, Act] = {"cut": passing, "part": passing_text}
"""So that each object leads to one message at the end."""


@pytest.mark.slow
@pytest.mark.parametrize("many", [1500, pytest.param(5000, marks=pytest.mark.soak)])
async def test_thousands_of_objects_are_replayed(many: int, stores: Stores) -> None:
    """More than a page of what there is to replay, and more than a window of what is in hand."""
    async with shelf(stores, further=PLAIN) as on:
        parent = await on.run(n=many)
        on.ended_with.clear()
        again = await replayed(on, parent, KEPT)
        assert (again.status, again.counts.done, again.counts.dead) == (
            ExecutionStatus.COMPLETED,
            2 * many + 1,
            0,
        )
        assert len(set(on.texts())) == many
