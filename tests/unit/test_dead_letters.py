"""The use-cases of dead letters over an open engine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import pytest

from adapters.memory.dead_letters import MemoryDeadLetters
from adapters.memory.ledger import MemoryLedger
from application import dead_letters
from application.background_jobs import JobStatus
from application.dead_letters import DeadLetters, NothingWanted
from application.engine.snapshot import SnapshotNotRunnable
from application.ports.dead_letters import Redriven
from application.ports.ledger import Handover, Settled
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from application.redrives import Redrive, RedriveNotFound, Redrives, TooManyRedrives
from domain.dead_letter import DeadLetter, DeadLetterFilter, DeadLetterPurged, MessageNotDead
from domain.errors import Invalid, Unavailable
from domain.event import Event
from domain.execution import Execution, ExecutionStatus, RedriveNotAllowed, TooManyConcurrentExecutions
from domain.message import Settlement
from tests.unit.engines import Bench
from tests.unit.test_executions import Service, service

ALL = DeadLetterFilter()
FANNING = """
version: "1.0"
routes:
  first:
    inbound: {queue: first}
    adapters: [{type: act}]
    outbound: [{queue: second}]
  second:
    inbound: {queue: second, concurrency: 20}
    adapters: [{type: act}]
    error_handling: {max_retries: 0}
init_message: {route: first, payload: {count: %d}}
"""


@dataclass(slots=True)
class Fan:
    """Emits as many messages as it is asked for; those that are unwell do not get through."""

    unwell: set[object] = field(default_factory=set)
    pause: float = 0
    seen: Counter[object] = field(default_factory=Counter)

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        count = context.message.get("count")
        if isinstance(count, int):
            if "init" in self.unwell:
                raise Invalid("not to begin with")
            return AdapterResult(
                message={}, emitted=[Emission(payload={"number": number}) for number in range(count)]
            )
        await asyncio.sleep(self.pause)
        self.seen[context.message["number"]] += 1
        if self.unwell & {context.message["number"], "all"}:
            raise Invalid("not this one")
        return AdapterResult(message=context.message)


@dataclass(slots=True)
class Office:
    """The use-cases, and what lies around them."""

    given: Service
    fan: Fan
    letters: DeadLetters

    @property
    def on(self) -> Bench:
        return self.given.on

    async def run(self, count: int, **fields: object) -> Execution:
        """A run of so many messages that has ended."""
        configs = self.given.configs
        config = (await configs.create(name="fan", yaml=FANNING % count)).config
        started = await self.given.executions.start(config.id, **fields)  # type: ignore[arg-type]
        return await self.on.ended(started.id)

    async def dead(self, wanted: DeadLetterFilter = ALL) -> list[DeadLetter]:
        """The dead letters meant."""
        return list((await self.letters.list(wanted, limit=100_000)).letters)

    async def redriven(self, wanted: DeadLetterFilter = ALL) -> Redrive:
        """A redrive of many that is over."""
        async with Redrives(dead_letters=self.letters) as redrives:
            begun = redrives.begin(wanted, is_all_meant=wanted.is_everything)
            return await redrives.ended(begun.id)


@asynccontextmanager
async def office(limit: int = 10, ledger: MemoryLedger | None = None) -> AsyncIterator[Office]:
    """The use-cases over memory."""
    fan, ledger = Fan(), ledger or MemoryLedger()
    async with service(fan, limit=limit, ledger=ledger) as given:
        letters = DeadLetters(
            letters=MemoryDeadLetters(ledger),
            executions=given.executions,
            engine=given.on.engine,
            limit=limit,
        )
        yield Office(given, fan, letters)


async def test_a_redriven_message_is_processed_and_its_run_ends_again() -> None:
    """With the step that failed told by the letter."""
    async with office() as at:
        at.fan.unwell = {2}
        ended = await at.run(5)
        (dead,) = await at.dead()
        assert (dead.adapter_name, dead.stage_name, dead.message.route_id) == ("act", "act", "second")
        at.fan.unwell = set()
        redriven = await at.letters.redrive(dead.message.id)
        assert (redriven.execution.generation, redriven.reopened_from) == (2, ExecutionStatus.COMPLETED)
        again = await at.on.ended(ended.id)
    assert (again.status, again.counts.dead, again.counts.done) == (ExecutionStatus.COMPLETED, 0, 6)
    assert at.fan.seen == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


async def test_a_redriven_message_that_dies_again_is_a_dead_letter_again() -> None:
    """Its attempts go on counting."""
    async with office() as at:
        at.fan.unwell = {0}
        ended = await at.run(1)
        for generation in (2, 3, 4):
            (dead,) = await at.dead()
            assert dead.attempts == generation - 1
            await at.letters.redrive(dead.message.id)
            assert (await at.on.ended(ended.id)).generation == generation


async def test_a_failed_init_message_starts_its_run_anew() -> None:
    """Everything that it would have emitted is emitted."""
    async with office() as at:
        at.fan.unwell = {"init"}
        failed = await at.run(3)
        assert failed.status is ExecutionStatus.FAILED
        at.fan.unwell = set()
        (dead,) = await at.dead()
        await at.letters.redrive(dead.message.id)
        again = await at.on.ended(failed.id)
    assert (again.status, again.counts.done, again.error_info) == (ExecutionStatus.COMPLETED, 4, None)


async def test_every_event_of_an_execution_tells_its_generation() -> None:
    """Whoever follows it sees it begin and end once in each."""
    async with office() as at:
        at.fan.unwell = {0}
        told: list[Event] = []

        async def listen() -> None:
            async with at.on.events.listen(None) as stream:
                async for event in stream:
                    told.extend([event] if event.type.startswith("execution.") else [])

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        ended = await at.run(1)
        (dead,) = await at.dead()
        await at.letters.redrive(dead.message.id)
        await at.on.ended(ended.id)
        listening.cancel()
    assert [(event.type, event.data["generation"]) for event in told] == [
        ("execution.started", 1),
        ("execution.completed", 1),
        ("execution.started", 2),
        ("execution.completed", 2),
    ]


async def test_what_cannot_be_redriven_says_why_and_stays_as_it_is() -> None:
    """Not dead any more, purged, of a cancelled execution, with an adapter that has changed, without a place."""
    ledger = MemoryLedger()
    async with office(limit=1, ledger=ledger) as at:
        at.fan.unwell = {"all"}
        ended = await at.run(4)
        ids = [letter.message.id for letter in await at.dead()]
        await at.letters.purge(ids[0])
        with pytest.raises(DeadLetterPurged):
            await at.letters.redrive(ids[0])
        frozen = ledger.executions[ended.id]
        changed = {**frozen.config_snapshot, "pipeline_adapters": {"act": "act 0"}}
        ledger.executions[ended.id] = replace(frozen, config_snapshot=changed)
        with pytest.raises(SnapshotNotRunnable):
            await at.letters.redrive(ids[1])
        ledger.executions[ended.id] = replace(frozen, status=ExecutionStatus.CANCELLED)
        with pytest.raises(RedriveNotAllowed):
            await at.letters.redrive(ids[1])
        ledger.executions[ended.id] = frozen
        other = replace(frozen, id=at.on.engine.ports.ids.new_id(), status=ExecutionStatus.RUNNING)
        ledger.executions[other.id] = other
        with pytest.raises(TooManyConcurrentExecutions):
            await at.letters.redrive(ids[1])
        assert ledger.executions[ended.id] == frozen
        del ledger.executions[other.id]
        at.fan.unwell = set()
        await at.letters.redrive(ids[1])
        with pytest.raises(MessageNotDead):
            await at.letters.redrive(ids[1])
        assert (await at.on.ended(ended.id)).counts.dead == 3


async def test_of_two_who_redrive_a_message_at_once_one_is_told_that_it_is_not_dead() -> None:
    """And the message is processed once more, not twice."""
    async with office() as at:
        at.fan.unwell = {0}
        ended = await at.run(1)
        (dead,) = await at.dead()
        at.fan.unwell = set()
        results = await asyncio.gather(
            *(at.letters.redrive(dead.message.id) for _ in range(5)), return_exceptions=True
        )
        again = await at.on.ended(ended.id)
    assert sum(isinstance(result, MessageNotDead) for result in results) == 4
    assert (again.generation, again.counts.done, at.fan.seen[0]) == (2, 2, 2)


async def test_a_filter_redrives_what_it_means() -> None:
    """And tells how many, of how many executions."""
    async with office() as at:
        at.fan.unwell = {1, 2}
        first, second = await at.run(4), await at.run(4)
        at.fan.unwell = set()
        redrive = await at.redriven(DeadLetterFilter(execution_id=first.id))
        assert (redrive.status, redrive.messages, redrive.executions) == (JobStatus.COMPLETED, 2, 1)
        assert (await at.on.ended(first.id)).counts.dead == 0
        assert {letter.message.execution_id for letter in await at.dead()} == {second.id}
        again = await at.redriven(DeadLetterFilter(execution_id=first.id))
        assert (again.status, again.messages, again.executions) == (JobStatus.COMPLETED, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("many", [2500, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_thousands_are_redriven_in_batches(many: int) -> None:
    """Each is processed once more."""
    async with office() as at:
        at.fan.unwell = {"all"}
        ended = await at.run(many)
        assert ended.counts.dead == many
        page = await at.letters.list(ALL, limit=1)
        assert (page.total, page.is_total_exact) == (many, True)
        at.fan.unwell = set()
        redrive = await at.redriven()
        again = await at.on.ended(ended.id, within=60)
    assert (redrive.messages, redrive.executions, redrive.refused_executions) == (many, 1, 0)
    assert (again.counts.dead, again.counts.done) == (0, many + 1)
    assert set(at.fan.seen.values()) == {2}


async def test_a_redrive_does_not_take_up_again_what_dies_again() -> None:
    """Or it might never end."""
    async with office() as at:
        at.fan.unwell = {"all"}
        ended = await at.run(50)
        redrive = await at.redriven()
        await at.on.ended(ended.id)
        assert redrive.messages == 50
        assert set(at.fan.seen.values()) == {2}
        assert len(await at.dead()) == 50


async def test_executions_that_cannot_be_reopened_are_left_with_the_reason() -> None:
    """The others are redriven all the same."""
    ledger = MemoryLedger()
    async with office(ledger=ledger) as at:
        at.fan.unwell = {0}
        good, bad, cancelled = await at.run(1), await at.run(1), await at.run(1)
        changed = {**bad.config_snapshot, "pipeline_adapters": {"gone": "1"}}
        ledger.executions[bad.id] = replace(ledger.executions[bad.id], config_snapshot=changed)
        ledger.executions[cancelled.id] = replace(
            ledger.executions[cancelled.id], status=ExecutionStatus.CANCELLED
        )
        at.fan.unwell = set()
        redrive = await at.redriven()
        assert (redrive.messages, redrive.executions, redrive.refused_executions) == (1, 1, 1)
        (refused,) = redrive.refused
        assert refused.execution_id == bad.id
        assert isinstance(refused.refusal, SnapshotNotRunnable)
        assert (await at.on.ended(good.id)).counts.dead == 0


async def test_what_is_queued_again_counts_though_its_run_cannot_be_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason is told beside it; recovery takes the messages up."""

    async def unable(*_: object) -> None:
        raise Invalid("a pipeline adapter cannot be built")

    async with office() as at:
        at.fan.unwell = {0}
        ended = await at.run(1)
        monkeypatch.setattr(dead_letters, "take_up", unable)
        redrive = await at.redriven()
        assert (redrive.messages, redrive.executions, redrive.refused_executions) == (1, 1, 1)
        assert redrive.refused[0].execution_id == ended.id
        assert await at.dead() == []


async def test_a_redrive_of_everything_must_be_asked_for() -> None:
    """An empty filter may be an oversight; so may one beside "all"."""
    async with office() as at, Redrives(dead_letters=at.letters) as redrives:
        with pytest.raises(NothingWanted):
            redrives.begin(ALL)
        with pytest.raises(NothingWanted):
            redrives.begin(DeadLetterFilter(error_code="invalid"), is_all_meant=True)
        with pytest.raises(RedriveNotFound):
            redrives.get(UUID(int=1))
        for _ in range(4):
            redrives.begin(ALL, is_all_meant=True)
        with pytest.raises(TooManyRedrives):
            redrives.begin(ALL, is_all_meant=True)


async def test_a_redrive_that_fails_says_how_far_it_came() -> None:
    """And to ask again does the rest."""

    class Faltering(MemoryDeadLetters):
        """Goes away before the second execution."""

        asked = 0

        async def redrive(
            self, execution_id: UUID, wanted: DeadLetterFilter, *, limit: int, places: int | None
        ) -> Redriven:
            Faltering.asked += 1
            if Faltering.asked == 3:
                raise Unavailable("gone for a moment")
            return await super().redrive(execution_id, wanted, limit=limit, places=places)

    ledger = MemoryLedger()
    async with office(ledger=ledger) as at:
        at.fan.unwell = {0}
        runs = [await at.run(1), await at.run(1)]
        at.fan.unwell = set()
        letters = replace(at.letters, letters=Faltering(ledger))
        async with Redrives(dead_letters=letters) as redrives:
            failed = await redrives.ended(redrives.begin(ALL, is_all_meant=True).id)
            assert (failed.status, failed.messages) == (JobStatus.FAILED, 1)
            assert failed.error is not None
            assert failed.error["code"] == "unavailable"
            rest = await redrives.ended(redrives.begin(ALL, is_all_meant=True).id)
            assert (rest.status, rest.messages) == (JobStatus.COMPLETED, 1)
        assert [(await at.on.ended(run.id)).counts.dead for run in runs] == [0, 0]


async def test_purged_letters_are_gone() -> None:
    """One, those of a filter, and again."""
    async with office() as at:
        at.fan.unwell = {"all"}
        ended = await at.run(5)
        first = (await at.dead())[0].message.id
        await at.letters.purge(first)
        await at.letters.purge(first)
        assert (await at.letters.get(first)).message.payload == {}
        assert await at.letters.purge_all(DeadLetterFilter(error_code="timeout")) == 0
        assert await at.letters.purge_all(DeadLetterFilter(execution_id=ended.id)) == 4
        assert await at.dead() == []
        assert (await at.on.seen(ended.id)).counts.dead == 5
        redrive = await at.redriven()
        assert (redrive.messages, redrive.executions) == (0, 0)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_redrive_while_the_run_is_ending_loses_nothing(turns: int) -> None:
    """Wherever the ending of the generation before stands: each message is processed, and each generation ends."""
    async with office() as at:
        config = (await at.given.configs.create(name="fan", yaml=FANNING % 2)).config
        at.fan.unwell = {0}
        started = await at.given.executions.start(config.id)
        for generation in (2, 3, 4):
            await _until_settled(at, started, turns)
            at.fan.unwell = set() if generation == 4 else {0}
            (dead,) = await at.dead()
            redriven = await at.letters.redrive(dead.message.id)
            assert redriven.execution.generation == generation
        await _until_settled(at, started, turns)
        async with asyncio.timeout(3):
            while started.id in at.on.engine.running:  # noqa: ASYNC110 (the engine tells it no other way)
                await asyncio.sleep(0.001)
        ended = await at.on.seen(started.id)
    assert (ended.status, ended.counts.cancelled) == (ExecutionStatus.COMPLETED, 0)
    assert (ended.counts.done, ended.counts.dead, at.fan.seen) == (3, 0, {0: 4, 1: 1})


async def test_a_redrive_before_the_engine_hears_of_the_end_starts_a_run_of_its_own() -> None:
    """What tells the end of the generation before comes late, and does not take the new one along."""

    class Slow(MemoryLedger):
        """Answers some time after it has committed."""

        async def settle(
            self, settlements: Sequence[Settlement], *, now: datetime, handover: Handover | None = None
        ) -> Sequence[Settled]:
            answers = await super().settle(settlements, now=now, handover=handover)
            await asyncio.sleep(0.03)
            return answers

    async with office(ledger=Slow()) as at:
        config = (await at.given.configs.create(name="fan", yaml=FANNING % 1)).config
        at.fan.unwell = {0}
        started = await at.given.executions.start(config.id)
        await _until_settled(at, started, turns=0)
        assert started.id in at.on.engine.running
        at.fan.unwell, at.fan.pause = set(), 0.1
        (dead,) = await at.dead()
        await at.letters.redrive(dead.message.id)
        ended = await at.on.ended(started.id, within=3)
    assert (ended.generation, ended.counts.done, at.fan.seen) == (2, 2, {0: 2})


async def _until_settled(at: Office, execution: Execution, turns: int) -> None:
    """Until every message is settled in the ledger, and so many turns of the event loop longer."""
    async with asyncio.timeout(3):
        while (await at.on.seen(execution.id)).counts.outstanding:  # noqa: ASYNC110 (turns are what counts)
            await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "own", ["", "error_handling: {max_dead_letters: 2}\n"], ids=["of the server", "its own"]
)
async def test_a_run_with_too_many_dead_fails_and_comes_back_whole(own: str) -> None:
    """What was cancelled behind it is processed too when the dead are redriven."""
    async with office() as at:
        settings = replace(at.on.engine.ports.settings, max_dead_letters=5 if own else 2)
        at.on.engine.ports = replace(at.on.engine.ports, settings=settings)
        config = (await at.given.configs.create(name="fan", yaml=own + FANNING % 100)).config
        at.fan.unwell = {"all"}
        started = await at.given.executions.start(config.id)
        failed = await at.on.ended(started.id)
        assert (failed.status, failed.max_dead_letters) == (ExecutionStatus.FAILED, 2)
        assert failed.error_info is not None
        assert failed.error_info["code"] == "too_many_dead_letters"
        assert failed.counts.dead + failed.counts.cancelled == 100
        at.fan.unwell = set()
        await at.redriven()
        again = await at.on.ended(started.id)
    assert (again.status, again.counts.done, again.counts.cancelled) == (ExecutionStatus.COMPLETED, 101, 0)


async def test_a_copy_of_a_dead_letter_is_told_under_the_name_that_the_pipeline_gives() -> None:
    """As JSON, to whoever listens."""
    yaml = FANNING.replace("max_retries: 0", "max_retries: 0, dead_letter_queue: /queue/dlq")
    async with office() as at, at.on.engine.ports.queue.listen("/queue/dlq") as stream:
        config = (await at.given.configs.create(name="fan", yaml=yaml % 1)).config
        at.fan.unwell = {0}
        await at.given.executions.start(config.id)
        copy = await asyncio.wait_for(anext(stream), 3)
    assert (copy["payload"], copy["attempts"]) == ({"number": 0}, 1)
