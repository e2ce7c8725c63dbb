"""The use-cases of executions, and what recovery makes of unfinished ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest

from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.engine.recovery import Recovery
from application.executions import Executions, NoInitMessage, StatusNotSettable
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.execution import (
    ExecutionNotFound,
    ExecutionStatus,
    InvalidTag,
    StatusChangeNotAllowed,
    TagTaken,
    TooManyConcurrentExecutions,
)
from domain.findings import ConfigNotRunnable
from domain.json import JsonObject
from domain.message import MessageTooLarge, PayloadRejected
from domain.pipeline_config import ConfigInactive, ConfigNotFound
from tests.unit.engines import Act, Bench, bench

YAML = """
version: "1.0"
routes:
  only:
    name: Only
    inbound: {queue: only, concurrency: 2}
    adapters: [{type: act}]
init_message: {route: only, payload: {a: 1, b: 2}}
"""


@dataclass(slots=True)
class Service:
    """The use-cases over an open engine."""

    on: Bench
    configs: Configs
    executions: Executions
    seen: list[dict[str, object]]


@asynccontextmanager
async def service(
    act: Act | None = None, *, limit: int = 10, ledger: MemoryLedger | None = None
) -> AsyncIterator[Service]:
    """The use-cases over memory; the only pipeline adapter there is notes what it is given unless one is."""
    seen: list[dict[str, object]] = []

    async def noting(context: PipelineContext) -> AdapterResult:
        seen.append(dict(context.message))
        return AdapterResult(message=context.message)

    ledger = ledger or MemoryLedger()
    async with bench({"act": act or noting}, ledger=ledger, executions=ledger) as on:
        work, ports = MemoryUnitOfWork(ledger), on.engine.ports
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        yield Service(
            on, configs, Executions(configs=configs, work=work, engine=on.engine, limit=limit), seen
        )


async def hanging(context: PipelineContext) -> AdapterResult:
    """Never come to an end."""
    await asyncio.Event().wait()
    return AdapterResult(message=context.message)


async def test_a_config_runs_with_its_init_payload_and_overrides() -> None:
    """The overrides replace keys; the others stay."""
    async with service() as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id, tag="mine", init_payload_overrides={"b": 3})
        ended = await given.on.ended(started.id)
        assert ended.status is ExecutionStatus.COMPLETED
        assert given.seen == [{"a": 1, "b": 3}]
        assert (await given.executions.get("mine")).id == started.id
        assert started.config_snapshot["config_hash"] == config.config_hash


async def test_overrides_are_merged_at_every_depth() -> None:
    """Lists and texts are replaced, and so is a mapping by anything else."""
    payload = "{filter: {lang: de, years: [1, 2], deep: {x: 1}}, a: {b: 1}}"
    overrides: JsonObject = {
        "filter": {"lang": "en", "years": [3], "deep": {"y": 2}},
        "a": None,
        "new": {"c": 1},
    }
    async with service() as given:
        yaml = YAML.replace("{a: 1, b: 2}", payload)
        config = (await given.configs.create(name="one", yaml=yaml)).config
        for _ in range(2):
            started = await given.executions.start(config.id, init_payload_overrides=overrides)
            await given.on.ended(started.id)
        merged = {
            "filter": {"lang": "en", "years": [3], "deep": {"x": 1, "y": 2}},
            "a": None,
            "new": {"c": 1},
        }
        assert given.seen == [merged, merged]


async def test_an_edit_does_not_touch_a_running_execution() -> None:
    """The snapshot is frozen."""
    async with service(hanging) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        await given.configs.update(config.id, yaml=YAML.replace("Only", "Other"))
        _, pipeline = await given.executions.pipeline(str(started.id))
        assert pipeline.routes["only"].name == "Only"


async def test_what_cannot_start_says_why() -> None:
    """And nothing is written."""
    async with service() as given:
        create, start = given.configs.create, given.executions.start
        broken = (
            await create(name="broken", yaml=YAML.replace("only, concurrency: 2", "'bad queue'"))
        ).config
        silent = (await create(name="silent", yaml=YAML.partition("init_message")[0])).config
        good = (await create(name="good", yaml=YAML)).config
        gone = (await create(name="gone", yaml=YAML)).config
        await given.configs.deactivate(gone.id)
        with pytest.raises(ConfigNotRunnable):
            await start(broken.id)
        with pytest.raises(NoInitMessage):
            await start(silent.id)
        with pytest.raises(ConfigInactive):
            await start(gone.id)
        with pytest.raises(ConfigNotFound):
            await start(uuid4())
        with pytest.raises(InvalidTag):
            await start(good.id, tag=str(uuid4()))
        with pytest.raises(MessageTooLarge):
            await start(good.id, init_payload_overrides={"text": "x" * 2_000_000})
        with pytest.raises(PayloadRejected):
            await start(good.id, init_payload_overrides={"text": "a\0b"})
        assert await given.executions.list() == ([], 0)


async def test_without_its_init_message_an_execution_completes_at_once() -> None:
    """Nothing would ever end it."""
    async with service() as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id, skip_init_message=True)
        assert started.status is ExecutionStatus.COMPLETED


async def test_a_tag_and_a_place_are_given_once() -> None:
    """The refused execution leaves nothing behind."""
    async with service(hanging, limit=2) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        await given.executions.start(config.id, tag="mine")
        with pytest.raises(TagTaken):
            await given.executions.start(config.id, tag="mine")
        await given.executions.start(config.id)
        with pytest.raises(TooManyConcurrentExecutions):
            await given.executions.start(config.id)
        assert (await given.executions.list())[1] == 2


async def test_cancelling_tells_the_status_before_and_ends_the_events() -> None:
    """Twice is not allowed."""
    async with service(hanging) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id, tag="mine")
        told: list[str] = []

        async def listen() -> None:
            events = given.executions.events("mine", timeout_seconds=10)
            told.extend([event.type async for event in events])

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        before, now = await given.executions.change_status("mine", ExecutionStatus.CANCELLED)
        assert (before, now.status) == (ExecutionStatus.RUNNING, ExecutionStatus.CANCELLED)
        await asyncio.wait_for(listening, 2)
        assert told[-1] == "execution.cancelled"
        with pytest.raises(StatusChangeNotAllowed):
            await given.executions.change_status("mine", ExecutionStatus.CANCELLED)
        with pytest.raises(StatusNotSettable):
            await given.executions.change_status("mine", ExecutionStatus.RUNNING)
        assert (await given.on.ended(started.id)).counts.cancelled == 1


async def test_events_of_an_execution_that_has_ended_tell_its_end() -> None:
    """And stop there; an unknown execution is an error."""
    async with service() as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        await given.on.ended(started.id)
        events = [event.type async for event in given.executions.events(str(started.id))]
        assert events == ["execution.completed"]
        with pytest.raises(ExecutionNotFound):
            await anext(given.executions.events("nobody's"))


async def test_events_end_when_the_time_is_up() -> None:
    """Whatever the execution does."""
    async with service(hanging) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        events = [event async for event in given.executions.events(str(started.id), timeout_seconds=0.05)]
        assert all(not event.type.startswith("execution.c") for event in events)


async def test_whoever_follows_an_execution_is_told_of_its_end_at_once() -> None:
    """Not only at the next look."""
    async with service(hanging) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        told: list[ExecutionStatus] = []

        async def follow() -> None:
            async for execution in given.executions.follow(started.id, look_seconds=60):
                told.append(execution.status)  # noqa: PERF401 (what was told before an error is to be seen)

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        await given.executions.change_status(str(started.id), ExecutionStatus.CANCELLED)
        await asyncio.wait_for(following, 5)
        assert told[0] is ExecutionStatus.RUNNING
        assert told[-1] is ExecutionStatus.CANCELLED


async def test_whoever_follows_an_execution_is_told_how_it_stands_meanwhile() -> None:
    """One that has ended is told once, and an unknown one is an error."""
    async with service(hanging) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        follow = given.executions.follow(started.id, look_seconds=0.01)
        assert [(await anext(follow)).status for _ in range(3)] == [ExecutionStatus.RUNNING] * 3
        await given.executions.change_status(str(started.id), ExecutionStatus.CANCELLED)
        again = [one.status async for one in given.executions.follow(started.id, look_seconds=60)]
        assert again == [ExecutionStatus.CANCELLED]
        with pytest.raises(ExecutionNotFound):
            await anext(given.executions.follow(uuid4(), look_seconds=60))


async def test_an_interrupted_execution_is_resumed() -> None:
    """By the next engine over the same ledger."""
    ledger = MemoryLedger()
    async with service(hanging, ledger=ledger) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
        await asyncio.sleep(0.05)
    assert ledger.executions[started.id].status is ExecutionStatus.INTERRUPTED
    async with (
        service(ledger=ledger) as given,
        Recovery(engine=given.on.engine, leases=MemoryLeases(), is_alone=True),
    ):
        ended = await given.on.ended(started.id)
    assert ended.status is ExecutionStatus.COMPLETED
    assert given.seen == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    "changed",
    [{"pipeline_adapters": {"act": "act 0"}}, {"pipeline_adapters": {"gone": "1"}}, {"pipeline": None}],
    ids=["changed", "gone", "unreadable"],
)
async def test_a_run_that_cannot_be_resumed_fails_with_the_reason(changed: dict[str, object]) -> None:
    """The start-up goes on, and what is left of the run is settled."""
    ledger = MemoryLedger()
    async with service(hanging, ledger=ledger) as given:
        config = (await given.configs.create(name="one", yaml=YAML)).config
        started = await given.executions.start(config.id)
    execution = ledger.executions[started.id]
    snapshot = {**execution.config_snapshot, **changed}
    ledger.executions[started.id] = replace(execution, config_snapshot=snapshot)  # type: ignore[arg-type]
    async with (
        service(ledger=ledger) as given,
        Recovery(engine=given.on.engine, leases=MemoryLeases(), is_alone=True),
    ):
        ended = await given.on.ended(started.id)
    assert (ended.status, ended.counts.cancelled) == (ExecutionStatus.FAILED, 1)
    assert ended.error_info is not None
    assert ended.error_info["code"] == "snapshot_not_runnable"
    assert given.seen == []
