"""Pipeline adapters that collect, as functions of a test, and routes around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from application.ports.pipeline_adapter import (
    AdapterResult,
    BuiltAdapter,
    CollectedMessage,
    Emission,
    GroupContext,
    PipelineContext,
)
from domain.execution import Execution
from domain.grouping import LONGEST_FLUSH_SECONDS, Grouping
from domain.json import Json, JsonObject
from tests.unit.engines import Act, Acts, Bench, bench

Collect: TypeAlias = Callable[[Sequence[CollectedMessage], GroupContext], Awaitable[AdapterResult | None]]


def grouping(**fields: Any) -> Grouping:
    """One that waits for the end of the run unless told otherwise."""
    return Grouping(**{"max_messages": 1000, "flush_seconds": LONGEST_FLUSH_SECONDS, **fields})


@dataclass(slots=True, kw_only=True)
class Collector:
    """Joins the numbers of its messages, does to each group what ``first`` does, and remembers what came."""

    grouping: Grouping
    first: Collect | None = None
    groups: list[list[Json]] = field(default_factory=list)
    contexts: list[GroupContext] = field(default_factory=list)

    async def collect(
        self, messages: Sequence[CollectedMessage], context: GroupContext
    ) -> AdapterResult | None:
        numbers = [one.message.get("number") for one in messages]
        self.groups.append(numbers)
        self.contexts.append(context)
        if self.first is not None:
            result = await self.first(messages, context)
            if result is not None:
                return result
        return AdapterResult(message={"numbers": numbers})


@dataclass(frozen=True, slots=True)
class CollectingActs(Acts):
    """A registry of functions, and of pipeline adapters that collect."""

    collectors: Mapping[str, Collector]

    def collects(self, type: str) -> bool:
        return type in self.collectors

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        if type in self.collectors:
            return self.collectors[type]
        return super(CollectingActs, self).build(type, config)


@dataclass(slots=True)
class End:
    """The last pipeline adapter of a pipeline: remembers what came."""

    came: list[Mapping[str, Any]] = field(default_factory=list)

    async def __call__(self, context: PipelineContext) -> AdapterResult:
        self.came.append(context.message)
        return AdapterResult(message=context.message)

    @property
    def groups(self) -> list[list[int]]:
        """The groups of numbers that came, each in its order, the longest first."""
        return sorted((list(one["numbers"]) for one in self.came), key=len, reverse=True)

    @property
    def numbers(self) -> list[int]:
        """All the numbers that came, in their order."""
        return sorted(number for group in self.groups for number in group)


def numbered(count: int, **more: Json) -> Act:
    """Emit so many messages with numbers."""

    async def act(context: PipelineContext) -> AdapterResult:
        emitted = [Emission(payload={"number": number, **more}) for number in range(count)]
        return AdapterResult(message=context.message, emitted=emitted)

    return act


def streamed(count: int) -> Act:
    """Emit so many messages with numbers one after another."""

    async def emissions() -> AsyncIterator[Emission]:
        for number in range(count):
            yield Emission(payload={"number": number})

    async def act(context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=emissions())

    return act


async def passing(context: PipelineContext) -> AdapterResult:
    """Pass the message on."""
    return AdapterResult(message=context.message)


@asynccontextmanager
async def gathering(
    acts: dict[str, Any], collectors: dict[str, Collector], **more: Any
) -> AsyncIterator[Bench]:
    """An open engine with pipeline adapters that collect."""
    async with bench(acts, registry=CollectingActs({"pass": passing, **acts}, collectors), **more) as on:
        yield on


async def until_held(on: Bench, execution: Execution, route_id: str, count: int) -> None:
    """Return when so many messages wait in the groups of a route."""
    processor = on.engine.processor(execution.id, route_id)
    assert processor is not None
    await until(lambda: processor.inbox.groups.messages == count)  # type: ignore[attr-defined]


async def until(holds: Callable[[], bool], *, within: float = 10.0) -> None:
    """Return when it holds; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(within):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)
