"""Pipeline adapters that keep something from message to message, through the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from application.ports.pipeline_adapter import AdapterResult, BuiltAdapter, PipelineContext, RouteContext
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from tests.unit.engines import Acts, bench, ended_well, route
from tests.unit.test_engine import fanning


@dataclass(slots=True)
class Counting:
    """Counts its messages, and tells what was done with it; ``opening`` and ``closing`` may raise."""

    opening: Exception | None = None
    closing: Exception | None = None
    told: list[str] = field(default_factory=list)

    async def open(self, context: RouteContext) -> None:
        self.told.append(f"opened for {context.route_id}")
        if self.opening is not None:
            raise self.opening

    async def close(self) -> None:
        self.told.append("closed")
        if self.closing is not None:
            raise self.closing

    async def process(self, context: PipelineContext) -> AdapterResult:
        self.told.append("processed")
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class WithCounting(Acts):
    """A registry of functions and of the one stateful pipeline adapter ``count``."""

    counting: Counting

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        return self.counting if type == "count" else super(WithCounting, self).build(type, config)


async def test_a_stateful_adapter_is_opened_before_its_first_message_and_closed_after_its_last() -> None:
    """Once each, for its route of its execution."""
    counting = Counting()
    async with bench({}, registry=WithCounting({"fan": fanning(3)}, counting)) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "count"))
    assert ended_well(ended)
    assert counting.told == ["opened for b", "processed", "processed", "processed", "closed"]


async def test_a_run_whose_adapter_does_not_open_fails_with_the_reason() -> None:
    """No message is touched, and the server goes on."""
    counting = Counting(opening=RuntimeError("no licence"))
    async with bench({}, registry=WithCounting({"fan": fanning(3)}, counting)) as on:
        started = await on.start(route("a", "fan", to="b"), route("b", "count"))
        ended = await on.ended(started.id)
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error_info is not None
    assert ended.error_info["code"] == "pipeline_adapter_not_opened"
    assert "no licence" in str(ended.error_info["message"])
    assert "processed" not in counting.told


@pytest.mark.parametrize("end", [ExecutionStatus.CANCELLED, ExecutionStatus.FAILED])
async def test_a_stateful_adapter_is_closed_when_its_run_is_stopped(end: ExecutionStatus) -> None:
    """However the run comes to its end."""
    counting, begun = Counting(), asyncio.Event()

    async def hanging(_: PipelineContext) -> AdapterResult:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with bench({}, registry=WithCounting({"hang": hanging}, counting)) as on:
        started = await on.start(route("a", "hang", to="b"), route("b", "count"))
        await begun.wait()
        await on.ledger.conclude(started.id, end, now=on.engine.ports.clock.now())
        on.engine.stop(started.id, end)
        await on.ended(started.id)
    assert counting.told == ["opened for b", "closed"]


async def test_an_adapter_that_does_not_close_does_not_spoil_its_run() -> None:
    """What goes wrong is logged."""
    counting = Counting(closing=RuntimeError("stuck"))
    async with bench({}, registry=WithCounting({"fan": fanning(1)}, counting)) as on:
        ended = await on.run(route("a", "fan", to="b"), route("b", "count"))
    assert ended_well(ended)
    assert counting.told[-1] == "closed"
