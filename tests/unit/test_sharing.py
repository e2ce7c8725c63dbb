"""Several processes on one queue: who takes up what, what is published how often, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.leases import MemoryLeases
from adapters.memory.ledger import MemoryLedger
from adapters.memory.message_queue import InProcessMessageQueue
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.engine import follow_up, inbox, long_work
from application.engine.draining import drain
from application.engine.recovery import Recovery
from application.engine.redriving import take_up
from application.engine.signals import CHANNEL, SignalKind
from application.executions import Executions
from application.ports.leases import WorkerFacts
from application.ports.ledger import ClaimRequest
from application.ports.message_queue import Delivery, Envelope, Subscription
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.dead_letter import DeadLetterFilter
from domain.errors import Invalid, Unavailable
from domain.event import Event
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Message, init_message_id
from tests.unit.engines import Act, Bench, bench, pipeline, route

SNAPSHOT: JsonObject = {
    "pipeline": {
        "version": "1.0",
        "routes": {
            "fan": {
                "inbound": {"queue": "fan", "concurrency": 2},
                "adapters": [{"type": "fan"}],
                "outbound": "work",
            },
            "work": {"inbound": {"queue": "work", "concurrency": 4}, "adapters": [{"type": "work"}]},
        },
        "init_message": {"route": "fan", "payload": {}},
        "error_handling": {"max_retries": 1, "retry_delay_seconds": 0.05},
    },
    "pipeline_adapters": {"fan": "fan 1", "work": "work 1"},
}
FAN = 12


@dataclass(slots=True)
class NotingDelivery:
    """A delivery that notes when it is acknowledged."""

    delivery: Delivery
    acknowledged: set[UUID]

    @property
    def envelope(self) -> Envelope:
        return self.delivery.envelope

    async def acknowledge(self) -> None:
        self.acknowledged.add(self.envelope.message_id)
        await self.delivery.acknowledge()

    async def release(self) -> None:
        await self.delivery.release()


@dataclass(slots=True)
class NotingSubscription:
    """A subscription whose deliveries note when they are acknowledged."""

    subscription: Subscription
    acknowledged: set[UUID]

    async def receive(self) -> NotingDelivery:
        return NotingDelivery(await self.subscription.receive(), self.acknowledged)


class SharedQueue(InProcessMessageQueue):
    """A queue in memory that several engines consume; counts what is published and deleted."""

    is_private = False

    def __init__(self) -> None:
        super().__init__()
        self.published: Counter[UUID] = Counter()
        self.deleted: list[str] = []
        self.acknowledged: set[UUID] = set()

    @asynccontextmanager
    async def subscribe(  # type: ignore[override]  # the port asks for no more
        self, queue: str, *, prefetch: int
    ) -> AsyncIterator[NotingSubscription]:
        async with super().subscribe(queue, prefetch=prefetch) as subscription:
            yield NotingSubscription(subscription, self.acknowledged)

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        self.published.update(envelope.message_id for envelope in envelopes)
        return await super().publish(queue, envelopes)

    async def delete(self, queue: str) -> None:
        self.deleted.append(queue)
        await super().delete(queue)


@dataclass(slots=True)
class Service:
    """What the processes share."""

    acts: dict[str, Act]
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    queue: SharedQueue = field(default_factory=SharedQueue)
    events: InProcessEventBus = field(default_factory=InProcessEventBus)

    @asynccontextmanager
    async def process(self, *, takes_messages: bool = True, lease: float = 15.0) -> AsyncIterator[Bench]:
        """One process that is open."""
        async with (
            bench(
                self.acts,
                ledger=self.ledger,
                executions=self.ledger,
                queue=self.queue,
                events=self.events,
                processes=takes_messages,
                lease=lease,
            ) as one,
            Recovery(
                engine=one.engine,
                leases=self.leases,
                is_alone=False,
                read=self.read,
                worker=WorkerFacts(takes_messages=takes_messages),
            ),
        ):
            yield one
            await drain(one.engine, 5.0)

    async def read(self, execution_id: UUID) -> Execution:
        """An execution as it stands."""
        return self.ledger.executions[execution_id]

    async def start(self, at: Bench, *, concurrency: int = 4) -> Execution:
        """Start the pipeline at a process."""
        ports = at.engine.ports
        execution_id = ports.ids.new_id()
        execution = Execution(
            id=execution_id,
            config_id=execution_id,
            config_snapshot=SNAPSHOT,
            started_at=ports.clock.now(),
        )
        init = Message(
            id=init_message_id(execution_id), execution_id=execution_id, route_id="fan", payload={}
        )
        routes = (
            route("fan", "fan", to="work", concurrency=2),
            route("work", "work", concurrency=concurrency),
        )
        return await at.engine.start(execution, pipeline(*routes), init, limit=None)

    async def until(self, is_so: Callable[[], bool], within: float = 8.0) -> None:
        """Return when it is so."""
        async with asyncio.timeout(within):
            while not is_so():  # noqa: ASYNC110  # it looks at what many tasks change
                await asyncio.sleep(0.01)


async def fan(context: PipelineContext) -> AdapterResult:
    """A dozen children."""
    emitted = [Emission(payload={"n": number}) for number in range(FAN)]
    return AdapterResult(message=context.message, emitted=emitted)


async def done(context: PipelineContext) -> AdapterResult:
    """Nothing more."""
    return AdapterResult(message=context.message)


async def test_what_a_server_without_routes_starts_is_processed_by_workers_that_hear_of_it() -> None:
    """The first message is put into the queue by a worker, once all its routes have subscribed."""
    service = Service({"fan": fan, "work": done})
    async with (
        service.process(takes_messages=False) as server,
        service.process() as one,
        service.process() as other,
    ):
        started = await service.start(server)
        ended = await one.ended(started.id)
        await service.until(lambda: not one.engine.running and not other.engine.running)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + FAN)
    assert server.engine.running == []


async def test_what_merely_waits_is_published_once() -> None:
    """However many processes look, and however long it waits."""
    release = asyncio.Event()

    async def waiting(context: PipelineContext) -> AdapterResult:
        await release.wait()
        return await done(context)

    service = Service({"fan": fan, "work": waiting})
    async with service.process() as one, service.process() as other:
        started = await service.start(one)
        await service.until(lambda: len(other.engine.joined) == 1 and len(service.queue.published) == 1 + FAN)
        await asyncio.sleep(1.5)
        release.set()
        await one.ended(started.id)
    again = {message_id: count for message_id, count in service.queue.published.items() if count > 1}
    assert set(again) <= {init_message_id(started.id)}


async def test_what_waits_behind_large_messages_is_published_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds all the payloads it may takes nothing out of the queue, so the queue need not be empty."""
    monkeypatch.setattr(inbox, "WINDOW_CHARACTERS", 4000)
    release = asyncio.Event()

    async def large(context: PipelineContext) -> AdapterResult:
        emitted = [Emission(payload={"text": "x" * 1000}) for _ in range(10)]
        return AdapterResult(message=context.message, emitted=emitted)

    async def waiting(context: PipelineContext) -> AdapterResult:
        await release.wait()
        return await done(context)

    service = Service({"fan": large, "work": waiting})
    async with service.process() as one:
        started = await service.start(one, concurrency=50)
        await service.until(lambda: one.engine.quarantine.at_work >= 3)
        await asyncio.sleep(0.6)
        later = [
            Message(id=uuid4(), execution_id=started.id, route_id="work", payload={}, parent_id=uuid4())
            for _ in range(50)
        ]
        for message in later:
            assert await service.ledger.admit(message, now=one.engine.ports.clock.now())
        envelopes = [
            Envelope(message_id=message.id, execution_id=started.id, route_id="work") for message in later
        ]
        await service.queue.publish(f"exec:{started.id}:work", envelopes)
        await asyncio.sleep(2.5)
        release.set()
        await one.ended(started.id)
    assert {message_id for message_id, count in service.queue.published.items() if count > 1} <= {
        init_message_id(started.id)
    }


async def test_what_is_in_the_ledger_and_in_no_queue_is_published_when_the_queue_has_run_empty() -> None:
    """Whoever committed it died before publishing it, and nobody knows."""
    service = Service({"fan": fan, "work": done})
    async with service.process() as one, service.process():
        hold = asyncio.Event()

        async def holding(context: PipelineContext) -> AdapterResult:
            await hold.wait()
            return await done(context)

        service.acts["fan"] = holding
        started = await service.start(one)
        await service.until(lambda: init_message_id(started.id) in service.queue.published)
        lost = [
            Message(id=uuid4(), execution_id=started.id, route_id="work", payload={}, parent_id=uuid4())
            for _ in range(3)
        ]
        for message in lost:
            assert await service.ledger.admit(message, now=one.engine.ports.clock.now())
        await service.until(lambda: all(one.id in service.queue.published for one in lost))
        hold.set()
        ended = await one.ended(started.id)
    assert ended.counts.done == 2 + len(lost)


async def test_a_cancellation_elsewhere_stops_what_runs_here_within_a_second() -> None:
    """And nobody tells of it twice, and no queue is left."""
    stopped = list[UUID]()

    async def hanging(context: PipelineContext) -> AdapterResult:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(context.message_id)
        raise AssertionError

    service = Service({"fan": fan, "work": hanging})
    async with service.process(takes_messages=False) as server, service.process() as worker:
        told = list[Event]()
        listening = asyncio.create_task(_collect(service.events, told))
        await asyncio.sleep(0)
        started = await service.start(server)
        await service.until(lambda: worker.engine.quarantine.at_work >= 4)
        ports = server.engine.ports
        await ports.executions.conclude(started.id, ExecutionStatus.CANCELLED, now=ports.clock.now())
        server.engine.stop(started.id, ExecutionStatus.CANCELLED)
        await service.until(lambda: len(stopped) >= 4, within=1.0)
        ended = await server.ended(started.id)
        await service.until(lambda: worker.engine.running == [])
        listening.cancel()
    assert (ended.counts.done, ended.counts.cancelled) == (1, FAN)
    assert [event.type for event in told] == ["execution.started", "execution.cancelled"]
    assert len(service.queue.deleted) == 2


def queues_of(execution: Execution) -> set[str]:
    """The queues that an execution has had."""
    return {f"exec:{execution.id}:fan", f"exec:{execution.id}:work"}


async def test_a_run_that_is_cancelled_while_no_worker_lives_leaves_no_queue() -> None:
    """Nobody else would ever delete them."""
    service = Service({"fan": fan, "work": done})
    async with service.process(takes_messages=False) as server:
        started = await service.start(server)
        work, ports = MemoryUnitOfWork(service.ledger), server.engine.ports
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        executions = Executions(configs=configs, work=work, engine=server.engine, limit=10)
        await executions.change_status(str(started.id), ExecutionStatus.CANCELLED)
        await service.until(lambda: set(service.queue.deleted) == queues_of(started))


async def test_what_whoever_cancelled_a_run_did_not_clear_up_the_next_worker_does() -> None:
    """Messages and queues alike."""
    service = Service({"fan": fan, "work": done})
    async with service.process(takes_messages=False) as server:
        started = await service.start(server)
        ports = server.engine.ports
        await ports.executions.conclude(started.id, ExecutionStatus.CANCELLED, now=ports.clock.now())
    async with service.process() as worker:
        ended = await worker.ended(started.id)
        await service.until(lambda: set(service.queue.deleted) == queues_of(started))
    assert ended.counts.cancelled == 1


async def test_an_interrupted_run_that_cannot_go_on_leaves_no_queue() -> None:
    """Its pipeline adapters are others now, and its routes can still be told."""
    service = Service({"fan": fan, "work": done})
    async with service.process(takes_messages=False) as server:
        started = await service.start(server)
        ports = server.engine.ports
        await ports.executions.conclude(started.id, ExecutionStatus.INTERRUPTED, now=ports.clock.now())
    snapshot = {**SNAPSHOT, "pipeline_adapters": {"fan": "fan 0"}}
    service.ledger.executions[started.id] = replace(await service.read(started.id), config_snapshot=snapshot)
    async with service.process() as worker:
        ended = await worker.ended(started.id)
        await service.until(lambda: set(service.queue.deleted) == queues_of(started))
    assert ended.status is ExecutionStatus.FAILED


async def test_a_worker_that_drains_lets_its_work_end_and_leaves_the_rest_to_others() -> None:
    """Nothing counts as a crash, and every message is attempted once unless it was at work for too long."""
    began = asyncio.Event()
    release = asyncio.Event()

    async def working(context: PipelineContext) -> AdapterResult:
        began.set()
        await release.wait()
        return await done(context)

    service = Service({"fan": fan, "work": working})
    async with AsyncExitStack() as stack:
        leaving = await stack.enter_async_context(service.process())
        started = await service.start(leaving)
        await began.wait()
        async with service.process() as staying:
            asyncio.get_running_loop().call_later(0.3, release.set)
            await stack.aclose()
            ended = await staying.ended(started.id)
            assert leaving.engine.running == []
            assert len(await service.leases.holders(now=staying.engine.ports.clock.now())) == 1
    rows = service.ledger._rows.values()
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + FAN)
    assert {(row.crashes, row.attempt) for row in rows} == {(0, 1)}


@pytest.mark.parametrize("is_hurried", [False, True])
@pytest.mark.parametrize("is_acknowledged", [False, True])
async def test_what_is_at_work_for_too_long_is_handed_back_when_a_worker_drains(
    monkeypatch: pytest.MonkeyPatch, *, is_acknowledged: bool, is_hurried: bool
) -> None:
    """Within the bound or when it is hurried, and another one goes on, though the queue may know nothing of the messages any more."""
    if is_acknowledged:
        monkeypatch.setattr(long_work, "LOOK_SECONDS", 0.01)
    attempts = Counter[UUID]()

    async def hanging_at_first(context: PipelineContext) -> AdapterResult:
        attempts[context.message_id] += 1
        if attempts[context.message_id] == 1:
            await asyncio.sleep(60)
        return await done(context)

    service = Service({"fan": fan, "work": hanging_at_first})
    async with service.process() as leaving:
        started = await service.start(leaving)
        await service.until(lambda: len(attempts) == 4)
        service.acts["work"] = done
        if is_acknowledged:
            await service.until(lambda: service.queue.acknowledged >= attempts.keys())
        async with service.process() as staying:
            hurried = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, hurried.set)
            async with asyncio.timeout(10):
                await drain(leaving.engine, 60 if is_hurried else 0.1, hurried if is_hurried else None)
            assert leaving.engine.running == []
            ended = await staying.ended(started.id)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + FAN)


async def test_what_is_at_work_for_long_is_acknowledged_early_and_done_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker would cut off who holds a message for long; what has not begun stays with the queue."""
    monkeypatch.setattr(long_work, "LOOK_SECONDS", 0.01)
    release = asyncio.Event()
    at_work = Counter[UUID]()

    async def working(context: PipelineContext) -> AdapterResult:
        at_work[context.message_id] += 1
        await release.wait()
        return await done(context)

    service = Service({"fan": fan, "work": working})
    async with service.process() as one:
        started = await service.start(one)
        await service.until(lambda: len(at_work) == 4)
        await service.until(lambda: service.queue.acknowledged >= at_work.keys())
        await asyncio.sleep(0.05)
        assert len(service.queue.acknowledged) == len(at_work) + 1
        release.set()
        ended = await one.ended(started.id)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + FAN)
    assert set(at_work.values()) == {1}


async def test_what_a_dead_worker_had_claimed_is_handed_out_when_its_lease_has_run_out() -> None:
    """By the survivor that sweeps, message by message."""
    service = Service({"fan": fan, "work": done})
    dead = uuid4()
    async with service.process(lease=1.0) as survivor:
        hold = asyncio.Event()

        async def holding(context: PipelineContext) -> AdapterResult:
            await hold.wait()
            return await fan(context)

        service.acts["fan"] = holding
        started = await service.start(survivor)
        now = survivor.engine.ports.clock.now()
        message = Message(id=uuid4(), execution_id=started.id, route_id="work", payload={}, parent_id=uuid4())
        await service.ledger.admit(message, now=now)
        await service.leases.hold(dead, until=now + timedelta(seconds=1), executions=[started.id])
        await _claim(service, message.id, dead, now)
        await service.until(lambda: service.ledger._rows[message.id].state == "done")
        assert service.ledger._rows[message.id].crashes == 1
        hold.set()
        await survivor.ended(started.id)


async def test_a_redrive_at_a_server_without_routes_is_processed_by_a_worker() -> None:
    """Though the execution had ended everywhere."""
    fails = True

    async def failing(context: PipelineContext) -> AdapterResult:
        if fails and context.message["n"] == 3:
            raise RuntimeError("boom")
        return await done(context)

    service = Service({"fan": fan, "work": failing})
    async with service.process(takes_messages=False) as server, service.process() as worker:
        started = await service.start(server)
        ended = await server.ended(started.id)
        assert ended.counts.dead == 1
        await service.until(lambda: worker.engine.running == [])
        fails = False
        letters = MemoryDeadLetters(service.ledger)
        redriven = await letters.redrive(started.id, DeadLetterFilter(), limit=10, places=None)
        assert redriven.messages == 1
        await take_up(server.engine, redriven, pipeline())
        await service.until(lambda: service.ledger.executions[started.id].counts.done == 1 + FAN)
        ended = await server.ended(started.id)
    assert (ended.status, ended.counts.dead, ended.generation) == (ExecutionStatus.COMPLETED, 0, 2)


async def test_a_redrive_into_a_run_that_goes_on_tells_the_others_to_look_in_the_ledger() -> None:
    """They have joined it already, so that it goes on is no news to them."""
    hold = asyncio.Event()

    async def failing(context: PipelineContext) -> AdapterResult:
        if context.message["n"] == 3:
            raise Invalid("boom")
        await hold.wait()
        return await done(context)

    service = Service({"fan": fan, "work": failing})
    async with (
        service.process(takes_messages=False) as server,
        service.process(),
        service.queue.listen(CHANNEL) as signals,
    ):
        started = await service.start(server)
        await service.until(lambda: service.ledger.executions[started.id].counts.dead == 1)
        letters = MemoryDeadLetters(service.ledger)
        redriven = await letters.redrive(started.id, DeadLetterFilter(), limit=10, places=None)
        assert (redriven.messages, redriven.reopened_from) == (1, None)
        await take_up(server.engine, redriven, pipeline())
        looked = {"kind": "messages", "execution_id": str(started.id)}
        async with asyncio.timeout(5):
            async for signal in signals:
                if signal == looked | {"sender": str(server.engine.ports.owner)}:
                    break
        service.acts["work"] = done
        hold.set()
        await server.ended(started.id)


async def test_a_queue_that_is_deleted_under_its_consumers_is_set_up_again_and_filled() -> None:
    """By somebody who thought the execution had ended, say."""
    hold = asyncio.Event()

    async def holding(context: PipelineContext) -> AdapterResult:
        await hold.wait()
        return await done(context)

    service = Service({"fan": fan, "work": holding})
    async with service.process() as one, service.process() as other:
        started = await service.start(one)
        await service.until(lambda: len(service.queue.published) == 1 + FAN)
        await service.queue.delete(f"exec:{started.id}:work")
        hold.set()
        ended = await one.ended(started.id)
        assert other.engine is not one.engine
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + FAN)


async def test_a_worker_that_cannot_run_an_execution_leaves_it_to_those_that_can() -> None:
    """It has another version of a pipeline adapter, as while a new release is rolled out."""
    service = Service({"fan": fan, "work": done})
    async with service.process(takes_messages=False) as server:
        started = await service.start(server)
        ledger = service.ledger
        ledger.executions[started.id] = _with_adapter_version(ledger.executions[started.id], "work 2")
        async with service.process() as unable:
            await asyncio.sleep(0.1)
            assert unable.engine.running == []
            assert ledger.executions[started.id].status is ExecutionStatus.RUNNING
            ledger.executions[started.id] = _with_adapter_version(ledger.executions[started.id], "work 1")
            server.engine.signals.send(SignalKind.EXECUTION, started.id)
            ended = await unable.ended(started.id)
    assert ended.status is ExecutionStatus.COMPLETED


def _with_adapter_version(execution: Execution, version: str) -> Execution:
    snapshot = {**execution.config_snapshot, "pipeline_adapters": {"fan": "fan 1", "work": version}}
    return replace(execution, config_snapshot=snapshot)


async def _claim(service: Service, message_id: UUID, owner: UUID, now: datetime) -> None:
    (claim,) = await service.ledger.claim(
        [ClaimRequest(message_id=message_id, token=uuid4())], owner=owner, now=now
    )
    assert claim.message.id == message_id


async def _collect(events: InProcessEventBus, told: list[Event]) -> None:
    async with events.listen(with_messages=False) as stream:
        async for event in stream:
            told.append(event)  # noqa: PERF401  # seen while it goes on


class SlowQueue(SharedQueue):
    """Confirms late, and while it is short of disk takes nothing."""

    late: float = 0.0
    is_short = False

    async def publish(self, queue: str, envelopes: Sequence[Envelope]) -> int:
        if self.is_short:
            raise Unavailable("the broker takes no messages")
        taken = await super().publish(queue, envelopes)
        await asyncio.sleep(self.late)
        return taken


async def test_a_queue_that_confirms_late_is_not_taken_for_empty() -> None:
    """What is settled and not yet acknowledged keeps the broker from giving more; none of what waits is published again."""
    queue = SlowQueue()
    queue.late = 0.7
    emissions = [Emission(payload={"n": number}) for number in range(60)]

    async def spread(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=emissions)

    async with bench({"fan": spread, "work": done, "sink": done}, queue=queue) as on:
        ended = await on.run(
            route("fan", "fan", to="work", concurrency=1),
            route("work", "work", to="sink", concurrency=4),
            route("sink", "sink", concurrency=4),
        )
    assert ended.counts.done == 1 + 60 + 60
    again = {message_id: count for message_id, count in queue.published.items() if count > 1}
    assert set(again) <= {init_message_id(ended.id)}


async def test_what_a_queue_holds_is_worked_off_while_it_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where it has children, which wait in the ledger and are published when it takes again."""
    monkeypatch.setattr(follow_up, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(follow_up, "LITTLE_PATIENCE_SECONDS", 0.02)
    queue, hold, worked = SlowQueue(), asyncio.Event(), list[object]()

    async def spread(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message={}, emitted=[Emission(payload={"n": number}) for number in range(60)])

    async def work(context: PipelineContext) -> AdapterResult:
        await hold.wait()
        worked.append(context.message["n"])
        return await done(context)

    async with bench({"fan": spread, "work": work, "sink": done}, queue=queue) as on:
        started = await on.start(
            route("fan", "fan", to="work", concurrency=1),
            route("work", "work", to="sink", concurrency=4),
            route("sink", "sink", concurrency=4),
        )
        while len(queue.published) < 61:  # noqa: ASYNC110  # no port tells it
            await asyncio.sleep(0.01)
        queue.is_short = True
        hold.set()
        async with asyncio.timeout(10):
            while len(worked) < 60:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        queue.is_short = False
        ended = await on.ended(started.id, within=20)
    assert (ended.status, ended.counts.done) == (ExecutionStatus.COMPLETED, 1 + 60 + 60)
