"""Executions under everything that can be done to them, against a model: nothing lost, nothing counted twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from adapters.memory.clock import ManualClock
from application.engine import streaming
from domain import claim_check
from domain.errors import Unavailable
from domain.execution import ExecutionStatus, MessageCounts, RedriveNotAllowed, TooManyConcurrentExecutions
from domain.json import JsonObject
from domain.replay import ReplayRequest, ReplaySource
from tests.proof.lives import Life, Moment
from tests.proof.model import LIMIT, YAML, Answer, Kind, Model, ModelMessage
from tests.proof.process import Gate, NumberedIds, Process, opened_process
from tests.proof.stores import Row, Rows, Store, counted, opened_store

T = TypeVar("T")

LONGEST_ANSWER_TURNS = 2000
CHUNK = 2
LARGE = 1024
MORE_TURNS = 15
"""Each of 0.4 seconds by the clock of the proof."""

answers = st.builds(Answer, st.sampled_from(Kind), st.integers(0, 5))
places = st.integers(0, 1000)
settling = st.builds(
    Moment, st.sampled_from(["settle", "claim", "extend", "waiting", "next_due"]), st.booleans()
)
points = st.sampled_from(
    ["claimed", "processed", "chunk_committed", "settling", "settled", "published", "acknowledged"]
)
ending = st.builds(Moment, st.sampled_from(["conclude", "discard_queued", "claim", "settle"]), st.booleans())
redriving = st.builds(Moment, st.sampled_from(["redrive", "waiting", "claim"]), st.booleans())
starting = st.builds(Moment, st.sampled_from(["start", "waiting", "claim"]), st.booleans())
recovering = st.builds(
    Moment,
    st.sampled_from(["hold", "holders", "sweep", "unfinished", "waiting", "claim", "conclude"]),
    st.booleans(),
)


class Lifecycle(RuleBasedStateMachine):
    """Drives one process after the other over one store; after every rule the store must be what the model says."""

    kind = "memory"
    postgres_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock, self.ids = ManualClock(), NumberedIds()
        self.model = Model()
        # Kept, because tasks that nobody refers to would be collected as garbage, which closes them in good order.
        self.graves: list[Process] = []
        self.works: list[asyncio.Task[Any]] = []
        self.chunk, streaming.CHUNK = streaming.CHUNK, CHUNK
        self.inline_limit = claim_check.INLINE_LIMIT_CHARACTERS

    @initialize(capacity=st.sampled_from([1, 2, LARGE]), inline_limit=st.sampled_from([LARGE, 0]))
    def open(self, capacity: int, inline_limit: int) -> None:
        claim_check.INLINE_LIMIT_CHARACTERS = inline_limit
        self.capacity = capacity
        self.run(self._open())

    async def _open(self) -> None:
        self.store: Store = await self.stack.enter_async_context(opened_store(self.kind, self.postgres_url))
        self.of_the_store = asyncio.all_tasks() - {asyncio.current_task()}
        self.process: Process = await self._revived(Life())
        self.config = (await self.process.configs.create(name="proof", yaml=YAML)).config.id
        self.ends: dict[UUID, tuple[int, ExecutionStatus]] = {}
        self.at_work_before: set[UUID] = set()

    def teardown(self) -> None:
        streaming.CHUNK = self.chunk
        claim_check.INLINE_LIMIT_CHARACTERS = self.inline_limit
        for process in [*self.graves, self.process]:
            process.life.is_dead = process.life.is_buried = True
            process.life.thaw()
        try:
            self.run(self._cleared_away())
        finally:
            self.runner.close()

    async def _cleared_away(self) -> None:
        while of_the_dead := asyncio.all_tasks() - {asyncio.current_task()} - self.of_the_store:
            for task in of_the_dead:
                task.cancel()
            await asyncio.wait(of_the_dead, timeout=0.05)
        await asyncio.gather(*self.works, return_exceptions=True)
        await self.stack.aclose()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    # What is done to them. What does not apply does nothing: with preconditions what is drawn would depend on the
    # state, and that on the pace of a database.

    @rule()
    def start(self) -> None:
        self.run(self._start())

    @rule(moment=starting)
    def start_and_die(self, moment: Moment) -> None:
        self.process.life.dies_at = moment
        self.run(self._start())
        self.run(self._die())

    @rule(place=places, answer=answers)
    def deliver(self, place: int, answer: Answer) -> None:
        if not self.process.gates:
            return
        self.run(self._deliver(self._gate(place), answer))

    @rule(given=st.lists(answers, min_size=2, max_size=6))
    def deliver_many_at_once(self, given: list[Answer]) -> None:
        if not self.process.gates:
            return
        self.run(self._deliver_many(given))

    @rule(place=places, answer=answers, moment=st.one_of(settling, points))
    def deliver_and_die(self, place: int, answer: Answer, moment: Moment | str) -> None:
        if not self.process.gates:
            return
        self.process.life.dies_at = moment
        self.run(self._deliver(self._gate(place), answer))
        self.run(self._die())

    @rule(place=places, answer=answers)
    def become_a_zombie(self, place: int, answer: Answer) -> None:
        if not self.process.gates:
            return
        self.run(self._become_a_zombie(self._gate(place), answer))

    @rule(moment=st.one_of(settling, ending))
    def stumble_next_time(self, moment: Moment) -> None:
        self.process.life.fails_at = moment

    @rule(moment=recovering)
    def die_in_recovery(self, moment: Moment) -> None:
        self.run(self._die(Life(dies_at=moment)))
        self.process.life.dies_at = None
        if self.process.life.is_dead:
            self.run(self._die())

    @rule(moment=recovering)
    def stumble_in_recovery(self, moment: Moment) -> None:
        self.run(self._die(Life(fails_at=moment)))

    @rule()
    def die(self) -> None:
        self.run(self._die())

    @rule()
    def restart(self) -> None:
        self.run(self._restart())

    @rule(seconds=st.sampled_from([0.5, 2, 10, 60]))
    def wait(self, seconds: float) -> None:
        self.run(self._wait(seconds))

    @rule(place=places, status=st.sampled_from([ExecutionStatus.CANCELLED, ExecutionStatus.FAILED]))
    def end(self, place: int, status: ExecutionStatus) -> None:
        if not self.model.running:
            return
        self.run(self._end(place, status))

    @rule(place=places, moment=ending)
    def cancel_and_die(self, place: int, moment: Moment) -> None:
        if not self.model.running:
            return
        self.process.life.dies_at = moment
        self.run(self._end(place, ExecutionStatus.CANCELLED))
        self.run(self._die())

    @rule(place=places, what=st.sampled_from(["execution", "route", "everywhere"]), is_paused=st.booleans())
    def pause_or_resume(self, place: int, what: str, is_paused: bool) -> None:
        if not self.model.running:
            return
        self.run(self._pause_or_resume(place, what, is_paused=is_paused))

    @rule(place=places)
    def redrive(self, place: int) -> None:
        if not self._dead():
            return
        self.run(self._redrive(place))

    @rule(place=places, moment=redriving)
    def redrive_and_die(self, place: int, moment: Moment) -> None:
        if not self._dead():
            return
        self.process.life.dies_at = moment
        self.run(self._redrive(place))
        self.run(self._die())

    # A suspect would keep the message that seeds the replay from beginning.
    @rule(place=places, count=st.integers(1, CHUNK), route=st.sampled_from("abc"))
    def replay(self, place: int, count: int, route: str) -> None:
        if not (self.model.status and not self._suspects()):
            return
        self.run(self._replay(place, count, route))

    # How it is done.

    def _suspects(self) -> list[ModelMessage]:
        return [one for one in self.model.messages.values() if one.is_suspect]

    def _dead(self) -> list[ModelMessage]:
        return [one for one in self.model.messages.values() if one.state == "dead"]

    def _gate(self, place: int) -> Gate:
        gates = self.process.open_gates()
        return gates[place % len(gates)]

    async def _settled_down(self) -> None:
        for _ in range(2):
            await self.process.life.idles()
            await self.clock.advance(0.2)
        await self.process.life.idles()

    async def _answer_of(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What a use-case answers, None when its process has died on the way."""
        task = asyncio.create_task(work)
        self.works.append(task)
        for turn in range(LONGEST_ANSWER_TURNS):
            if task.done() or self.process.life.is_dead:
                break
            await self._settled_down()
            # Configs are parsed in a thread, which has its own time.
            await asyncio.sleep(0.005 if turn else 0)
        else:
            task.print_stack()
            raise AssertionError("a use-case does not answer")
        await self._settled_down()
        return task.result() if task.done() else None

    async def _start(self) -> None:
        known, places_left = set(await self.store.every_execution()), LIMIT - self.model.running
        now = self.clock.now()
        try:
            started = await self._answer_of(self.process.executions.start(self.config))
        except TooManyConcurrentExecutions:
            assert places_left <= 0
        else:
            assert places_left > 0 or (started is None and self.process.life.is_dead)
        for execution_id in set(await self.store.every_execution()) - known:
            assert places_left > 0
            self.model.started(execution_id, now)
        await self._check()

    async def _deliver(self, gate: Gate, answer: Answer) -> None:
        answer = self._without_waiting(answer)
        now, settles = self.clock.now(), self.process.life.completed["settle"]
        gate.answer.set_result(answer)
        await self._settled_down()
        self._note(gate, answer, was_settled=self.process.life.completed["settle"] > settles, now=now)
        assert self.process.life.is_dead or self.process.life.completed["settle"] > settles
        await self._check()

    def _without_waiting(self, answer: Answer) -> Answer:
        """Chunks of a stream wait for room in a small queue, which only further answers would make."""
        is_stream = answer.kind in {Kind.STREAM, Kind.BREAK}
        return (
            Answer(answer.kind, min(answer.count, CHUNK)) if is_stream and self.capacity < LARGE else answer
        )

    async def _deliver_many(self, given: list[Answer]) -> None:
        now = self.clock.now()
        pairs = list(zip(self.process.open_gates(), map(self._without_waiting, given), strict=False))
        for gate, answer in pairs:
            gate.answer.set_result(answer)
        await self._settled_down()
        rows = await self.store.rows()
        # Answers to one execution's messages may end it for the others: what is cancelled is so for that reason.
        for gate, answer in sorted(pairs, key=lambda pair: rows[pair[0].message_id].state == "cancelled"):
            self._note(gate, answer, was_settled=True, now=now)
        await self._check()

    def _note(self, gate: Gate, answer: Answer, *, was_settled: bool, now: Any) -> None:
        if not was_settled or answer.kind is Kind.BREAK:
            self.model.may_have_emitted(gate.message_id, answer, now)
        if was_settled:
            self.model.answered(gate.message_id, answer, attempt=gate.attempt, now=self.clock.now())

    async def _become_a_zombie(self, gate: Gate, answer: Answer) -> None:
        zombie = self.process
        zombie.life.freeze()
        answer = self._without_waiting(answer)
        gate.answer.set_result(answer)
        await self._settled_down()
        await self._take_over()
        before = await self.store.rows()
        zombie.life.dies_at = Moment("claim", is_after=False)
        zombie.life.thaw()
        await zombie.life.idles()
        after = await self.store.rows()
        assert {row.id: row.state in {"queued", "claimed"} for row in before.values()} == {
            row.id: row.state in {"queued", "claimed"} for row in after.values()
        }
        zombie.life.is_dead = True
        await self._wait(20)

    async def _die(self, next_life: Life | None = None) -> None:
        self.process.life.is_dead = True
        await self._take_over(next_life)
        await self._check()

    async def _take_over(self, life: Life | None = None) -> None:
        self.graves.append(self.process)
        self.at_work_before = set()
        self.process = await self._revived(life or Life())
        await self._settled_down()

    async def _revived(self, life: Life) -> Process:
        """The next process, also one that dies while it is opened."""
        claimed = [row.id for row in (await self.store.rows()).values() if row.state == "claimed"]
        opening = asyncio.create_task(
            opened_process(self.store, self.clock, self.ids, life, capacity=self.capacity)
        )
        self.works.append(opening)
        while not opening.done() and not life.is_dead:
            await life.idles()
            await self.clock.advance(0.2)
        await life.idles()
        if life.completed["sweep"]:
            self.model.died_with(claimed)
        if not opening.done():
            return await self._revived(Life())
        return await opening

    async def _restart(self) -> None:
        is_to_stumble = self.process.life.fails_at is not None
        closing = asyncio.create_task(self.process.close())
        while not closing.done():
            await self.process.life.idles()
            await self.clock.advance(0.2)
        await closing
        if not is_to_stumble:
            statuses = {one.status for one in (await self.store.every_execution()).values()}
            assert ExecutionStatus.RUNNING not in statuses
            assert all(row.state != "claimed" for row in (await self.store.rows()).values())
        await self._take_over()
        await self._check()

    async def _wait(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self._settled_down()
        await self._check()

    async def _end(self, place: int, status: ExecutionStatus) -> None:
        running = sorted(one for one, state in self.model.status.items() if state == "running")
        execution_id = running[place % len(running)]
        concluded = self.process.life.completed["conclude"]
        try:
            await self._answer_of(self.process.executions.change_status(str(execution_id), status))
            is_known = True
        except Unavailable:
            is_known = False
        if self.process.life.completed["conclude"] > concluded:
            self.model.ended(execution_id, status.value)
        if not is_known:
            # Whoever asked does not know whether it was done, and recovery has to find out.
            await self.clock.advance(20)
            await self._settled_down()
        await self._check()

    async def _pause_or_resume(self, place: int, what: str, *, is_paused: bool) -> None:
        running = sorted(one for one, state in self.model.status.items() if state == "running")
        execution_id, route = running[place % len(running)], "abc"[place % 3]
        pausing = self.process.pausing
        if what == "execution":
            scope: tuple[UUID | None, str | None] = (execution_id, None)
            await self._answer_of(pausing.change_execution(str(execution_id), is_paused=is_paused))
        elif what == "route":
            scope = (execution_id, route)
            asked = pausing.change_route(route, id_or_tag=str(execution_id), is_paused=is_paused)
            await self._answer_of(asked)
        else:
            scope = (None, route)
            await self._answer_of(pausing.change_route(route, is_paused=is_paused))
        (self.model.paused.add if is_paused else self.model.paused.discard)(scope)
        await self._check()

    async def _redrive(self, place: int) -> None:
        dead = self._dead()
        message = dead[place % len(dead)]
        was, places_left = self.model.status[message.execution_id], LIMIT - self.model.running
        redriven = self.process.life.completed["redrive"]
        try:
            await self._answer_of(self.process.dead_letters.redrive(message.id))
        except TooManyConcurrentExecutions:
            assert was != "running"
            assert places_left <= 0
        except RedriveNotAllowed:
            assert was == "cancelled"
        if self.process.life.completed["redrive"] > redriven:
            assert was == "running" or places_left > 0
            self.model.redriven(message.id, self.clock.now())
        await self._check()

    async def _replay(self, place: int, count: int, route: str) -> None:
        parents = sorted(self.model.status)
        payloads: list[JsonObject] = [{"path": f"again {number}"} for number in range(count)]
        request = ReplayRequest(source=ReplaySource.MANUAL, payloads=payloads, to_route=route)
        places_left = LIMIT - self.model.running
        try:
            answer = await self._answer_of(
                self.process.replays.start(str(parents[place % len(parents)]), request)
            )
        except TooManyConcurrentExecutions:
            assert places_left <= 0
            return
        assert answer is not None
        started = answer[0]
        rows = {row.id: row for row in (await self.store.rows()).values() if row.execution_id == started.id}
        assert {row.state for row in rows.values() if row.route_id not in "abc"} == {"done"}
        assert Counter(
            str(row.payload.get("path")) for row in rows.values() if row.route_id == route
        ) == Counter(str(payload["path"]) for payload in payloads)
        self.model.replayed(
            started.id, {row.id: (row.route_id, row.payload) for row in rows.values()}, self.clock.now()
        )
        await self._check()

    # What must be so.

    async def _check(self) -> None:
        if self.process.life.is_dead:
            # What it left behind is seen when the next one has taken over.
            return
        rows, executions = await self.store.rows(), await self.store.every_execution()
        self.model.resolve(rows)
        self.model.condemned(row.id for row in rows.values() if row.state == "dead")
        assert set(rows) == set(self.model.messages)
        assert {one.id: one.status.value for one in executions.values()} == self.model.status
        for message in self.model.messages.values():
            row = rows[message.id]
            assert (row.route_id, row.payload) == (message.route, message.payload)
            assert ("open" if row.is_open else row.state) == message.state, (row, message)
        counts = counted(rows)
        for execution in executions.values():
            assert execution.counts == counts.get(execution.id, MessageCounts()), execution
            assert not (execution.status is ExecutionStatus.COMPLETED and execution.counts.outstanding)
            self._check_end(execution.id, execution.generation, execution.status)
        await self._check_attempts(rows)

    def _check_end(self, execution_id: UUID, generation: int, status: ExecutionStatus) -> None:
        before = self.ends.get(execution_id)
        assert before is None or before == (generation, status) or before[0] < generation
        if status.is_terminal:
            self.ends[execution_id] = generation, status

    async def _check_attempts(self, rows: Rows) -> None:
        """Only claimed messages are being worked on, and wherever something is due something is worked on."""
        at_work = {gate.message_id for gate in self.process.gates.values()}
        assert all(rows[message_id].state == "claimed" for message_id in at_work)
        paused = {
            gate.message_id
            for gate in self.process.gates.values()
            if self.model.is_paused(gate.execution_id, gate.route_id)
        }
        assert paused <= self.at_work_before, "something has begun on a paused route"
        self.at_work_before = at_work
        busy = Counter((gate.execution_id, gate.route_id) for gate in self.process.gates.values())
        due = Counter(
            (one.execution_id, one.route)
            for one in self.model.messages.values()
            if one.state == "open" and one.due <= self.clock.now()
        )
        if self._suspects():
            # Each of them waits until nothing else is at work, and keeps everything else from beginning.
            return
        idle = [place for place in due if not busy[place] and not self.model.is_paused(*place)]
        if idle:
            raise AssertionError(await self._told_of(idle, rows))

    async def _told_of(self, idle: list[tuple[UUID, str]], rows: Rows) -> str:
        """What nobody works on though it is due, and whether a few seconds more would have brought it: the engine may
        have been asleep, or a call to wake it has been lost.
        """
        shown = [_shown(row) for row in rows.values() if (row.execution_id, row.route_id) in idle]
        for turn in range(1, MORE_TURNS + 1):
            await self._settled_down()
            busy = {(gate.execution_id, gate.route_id) for gate in self.process.gates.values()}
            if busy.issuperset(idle):
                return f"taken up {turn} turns too late, with queues of {self.capacity}: {shown}"
        gates = {
            route: gate.is_open
            for one, _ in idle
            for route, gate in self.process.engine.gates.of(one).items()
        }
        return f"stalled, with queues of {self.capacity} and gates open {gates}: {shown}"


def _shown(row: Row) -> str:
    return f"{row.route_id} {row.payload} {row.state} after {row.attempt} attempts"


def lifecycle(kind: str, request: pytest.FixtureRequest, *, examples: int, steps: int) -> None:
    """Run the machine."""

    class Machine(Lifecycle):
        pass

    Machine.kind = kind
    Machine.postgres_url = staticmethod(lambda: request.getfixturevalue("postgres_url"))
    if kind == "postgres":
        request.getfixturevalue("postgres_url")
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Explaining traces every line that runs, which takes ten times as long.
            phases=[phase for phase in Phase if phase is not Phase.explain],
            print_blob=True,
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "examples"),
    [
        pytest.param("memory", 20, id="memory"),
        pytest.param("postgres", 4, id="postgres"),
        pytest.param("memory", 300, id="memory in full", marks=pytest.mark.soak),
        pytest.param("postgres", 100, id="postgres in full", marks=pytest.mark.soak),
    ],
)
def test_executions_stand_as_the_model_says_whatever_happens(
    kind: str, examples: int, request: pytest.FixtureRequest
) -> None:
    """Started, delivered, failed, tried again, cancelled; stopped, killed and frozen at every call to the ledger."""
    lifecycle(kind, request, examples=examples, steps=40)
