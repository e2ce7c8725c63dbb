"""Opening and closing pipeline adapters with state, also when it hangs, fails or comes at a bad moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from adapters.pipeline.registry import PipelineAdapters
from application.engine.stateful import AdapterNotOpened, StatefulAdapters
from application.ports.pipeline_adapter import (
    AdapterResult,
    Emission,
    PipelineAdapter,
    PipelineContext,
    Registration,
    RouteContext,
)
from domain.errors import Unavailable
from domain.execution import ExecutionStatus
from domain.pipeline import AdapterStep
from tests.unit.engines import bench, ended_well, route


@dataclass(frozen=True)
class NoConfig:
    """A config without fields."""


@dataclass
class Journal:
    """What instances of ``Keeper`` were asked to do, in order."""

    lines: list[str] = field(default_factory=list)


@dataclass
class Keeper:
    """Keeps a count from message to message, and fails where a test says."""

    journal: Journal
    fails_at: str = ""
    error: BaseException = field(default_factory=lambda: OSError("no connection"))
    route_id: str = "not open"
    count: int = 0

    async def open(self, context: RouteContext) -> None:
        await self._do("open", context.route_id)
        self.route_id = context.route_id

    async def process(self, context: PipelineContext) -> AdapterResult:
        assert self.route_id == context.route_id
        self.count += 1
        await self._do("process", context.route_id)
        two = [Emission(payload={"n": number}) for number in range(2)]
        return AdapterResult(message={"count": self.count}, emitted=two)

    async def close(self) -> None:
        await self._do("close", self.route_id)

    async def _do(self, act: str, where: str) -> None:
        self.journal.lines.append(f"{act} {where}")
        if act == self.fails_at:
            raise self.error


def registry(**made: Callable[[], PipelineAdapter]) -> PipelineAdapters:
    def registered(name: str, make: Callable[[], PipelineAdapter]) -> Registration:
        return Registration(
            type=name, description=name, version="1", config=NoConfig, build=lambda _config: make()
        )

    return PipelineAdapters([registered(name, make) for name, make in made.items()])


async def test_each_route_has_an_instance_that_is_opened_first_and_closed_last() -> None:
    """Of two routes with the same pipeline adapter each counts its own messages."""
    journal = Journal()
    async with bench({}, registry=registry(keep=lambda: Keeper(journal))) as on:
        ended = await on.run(route("a", "keep", to="b"), route("b", "keep"))
        assert ended_well(ended)
    assert journal.lines[:2] == ["open a", "open b"]
    assert journal.lines[2:5] == ["process a", "process b", "process b"]
    assert journal.lines[5:] == ["close b", "close a"]


@pytest.mark.parametrize("how", ["cancel", "shutdown"])
async def test_a_run_that_is_stopped_closes_its_pipeline_adapters(how: str) -> None:
    """After the message that was in `process` has been told to stop."""
    journal, begun = Journal(), asyncio.Event()

    class Waiting(Keeper):
        async def process(self, context: PipelineContext) -> AdapterResult:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                journal.lines.append("stopped")
            raise AssertionError

    async with bench({}, registry=registry(wait=lambda: Waiting(journal))) as on:
        started = await on.start(route("a", "wait"))
        await begun.wait()
        if how == "cancel":
            await on.ledger.conclude(started.id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
            on.engine.stop(started.id, ExecutionStatus.CANCELLED)
            await on.ended(started.id)
    assert journal.lines == ["open a", "stopped", "close a"]


async def test_a_run_that_is_cancelled_while_it_opens_begins_nothing() -> None:
    """What was being opened is closed, and no message is processed."""
    journal, opening, may_open = Journal(), asyncio.Event(), asyncio.Event()

    class Slow(Keeper):
        async def open(self, context: RouteContext) -> None:
            opening.set()
            await may_open.wait()
            await super().open(context)

    async with bench({}, registry=registry(slow=lambda: Slow(journal))) as on:
        starting = asyncio.create_task(on.start(route("a", "slow")))
        await opening.wait()
        (execution_id,) = on.engine.running
        await on.ledger.conclude(execution_id, ExecutionStatus.CANCELLED, now=on.engine.ports.clock.now())
        on.engine.stop(execution_id, ExecutionStatus.CANCELLED)
        ended = await on.ended(execution_id)
        may_open.set()
        await starting
        assert [task for task in asyncio.all_tasks() if str(execution_id) in task.get_name()] == []
    assert (ended.status, ended.counts.cancelled) == (ExecutionStatus.CANCELLED, 1)
    assert journal.lines == ["open a", "close a"]


async def test_an_error_while_closing_is_told_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The others are closed as well."""
    journal = Journal()
    made = registry(bad=lambda: Keeper(journal, fails_at="close"), keep=lambda: Keeper(journal))
    with caplog.at_level(logging.WARNING):
        async with bench({}, registry=made) as on:
            ended = await on.run(route("a", "keep", to="b"), route("b", "bad"))
    assert ended_well(ended)
    assert journal.lines[-2:] == ["close b", "close a"]
    assert "bad of execution" in caplog.text
    assert "OSError: no connection" in caplog.text


def stateful(*adapters: PipelineAdapter, opening_seconds: float = 5.0) -> StatefulAdapters:
    steps = [(AdapterStep(type=f"adapter{number}"), adapter) for number, adapter in enumerate(adapters)]
    return StatefulAdapters(
        execution_id=uuid4(), steps={"r": steps}, opening_seconds=opening_seconds, closing_seconds=0.05
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("the index is away"), "the index is away"),
        (asyncio.CancelledError(), "CancelledError"),
        (ValueError(), "ValueError"),
    ],
)
async def test_whatever_an_opening_raises_is_its_reason(error: BaseException, said: str) -> None:
    """A cancellation that nobody asked for too."""
    with pytest.raises(AdapterNotOpened, match=said):
        await stateful(Keeper(Journal(), fails_at="open", error=error)).open_all()


async def test_an_opening_that_hangs_is_given_up() -> None:
    """And so is a closing."""

    class Hanging(Keeper):
        async def open(self, context: RouteContext) -> None:
            await asyncio.Event().wait()

    class Clinging(Keeper):
        async def close(self) -> None:
            await asyncio.Event().wait()

    with pytest.raises(AdapterNotOpened, match="it took too long"):
        await stateful(Hanging(Journal()), opening_seconds=0.01).open_all()
    clinging = stateful(Clinging(Journal()))
    await clinging.open_all()
    await clinging.close_all()


async def test_a_run_that_is_closed_while_it_opens_opens_no_more() -> None:
    """And what is half open is closed."""
    journal, may_open = Journal(), asyncio.Event()

    class Slow(Keeper):
        async def open(self, context: RouteContext) -> None:
            await may_open.wait()
            await super().open(context)

    both = stateful(Slow(journal), Keeper(journal))
    opening = asyncio.create_task(both.open_all())
    await asyncio.sleep(0)
    await both.close_all()
    may_open.set()
    await opening
    assert journal.lines == ["open r", "close r"]


async def test_a_pipeline_adapter_without_state_is_left_alone() -> None:
    """One that has only an `open` too: it takes both to be stateful."""

    class Plain:
        async def process(self, context: PipelineContext) -> AdapterResult:
            return AdapterResult(message=context.message)

    class Half(Plain):
        async def open(self, context: RouteContext) -> None:
            raise AssertionError

    alone = stateful(Plain(), Half())
    await alone.open_all()
    await alone.close_all()
