"""Messages of 512 bytes, and the trivial pipeline adapters that send them on their way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from adapters.pipeline.registry import PipelineAdapters, Registration
from application.ports.pipeline_adapter import (
    AdapterResult,
    BuiltAdapter,
    DescribedAdapter,
    Emission,
    PipelineAdapterRegistry,
    PipelineContext,
    UnusableAdapter,
)
from domain.findings import ConfigProblem
from domain.json import JsonObject

BYTES = 512
LEAD_IN_SECONDS = 1.0
"""How long after its first message a paced run begins, so that the messages to be sent first are there."""
_FILLING = "".join(f"{number * 2654435761 % (1 << 32):08x}" for number in range(BYTES // 8))
"""Text that looks like nothing in particular, so that compressing it would not pay."""


def payload(number: int) -> JsonObject:
    """The message with a number: 512 bytes as JSON."""
    digits = f"{number:010}"
    overhead = len('{"number":"","text":""}') + len(digits)
    return {"number": digits, "text": _FILLING[: BYTES - overhead]}


@dataclass(slots=True, kw_only=True)
class Course:
    """When the messages of a run are due, and what became of them so far; moments by ``time.perf_counter``.

    ``rate`` is in messages a second; 0 is as fast as it goes. ``arriving`` maps the last route's messages to their
    numbers until they are settled, and ``settled`` the numbers to the moment of that, where anyone notes it.
    """

    rate: float = 0.0
    begins_at: float | None = None
    arrivals: int = 0
    arriving: dict[UUID, int] = field(default_factory=dict)
    settled: dict[int, float] = field(default_factory=dict)

    def begin(self, rate: float = 0.0) -> None:
        """Forget the run before."""
        self.rate, self.begins_at, self.arrivals = rate, None, 0
        self.arriving, self.settled = {}, {}

    def due(self, number: int) -> float:
        """The moment at which a message ought to set out, whatever holds it up."""
        if self.begins_at is None:
            self.begins_at = time.perf_counter() + LEAD_IN_SECONDS
        return self.begins_at + number / self.rate

    def latencies(self) -> list[float]:
        """Seconds from the moment at which each settled message was due, in no order."""
        return [at - self.due(number) for number, at in self.settled.items()]


class NoConfig(msgspec.Struct, forbid_unknown_fields=True):
    """There is nothing to configure."""


@dataclass(frozen=True, slots=True)
class Source:
    """Fans its one message, ``{"messages": how many}``, out as a stream."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        """Emit as many messages as the message says."""
        count = context.message["messages"]
        assert isinstance(count, int)
        return AdapterResult(message={}, emitted=_stream(count))


@dataclass(frozen=True, slots=True)
class Pace:
    """Holds each message until it is due, and so lets them set out at a fixed rate whatever comes after."""

    course: Course

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message, when it is time for it."""
        if self.course.rate:
            early = self.course.due(_number(context)) - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class PassOn:
    """Sends the message on as it is."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message."""
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class Arrive:
    """Counts what comes to the last route, and of paced runs notes which message it is."""

    course: Course

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message."""
        self.course.arrivals += 1
        if self.course.rate:
            self.course.arriving[context.message_id] = _number(context)
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class Beside:
    """The pipeline adapters of the benchmark, and of the server those that they do not stand in for."""

    own: PipelineAdapters
    others: PipelineAdapterRegistry

    def types(self) -> Mapping[str, str]:
        """Of both."""
        return {**self.others.types(), **self.own.types()}

    def check(self, type: str, config: JsonObject) -> Sequence[ConfigProblem]:
        """As the one says who has it."""
        return self._of(type).check(type, config)

    def collects(self, type: str) -> bool:
        """As the one says who has it."""
        return self._of(type).collects(type)

    def version(self, type: str) -> str:
        """As the one says who has it."""
        return self._of(type).version(type)

    def build(self, type: str, config: JsonObject) -> BuiltAdapter:
        """By the one who has it."""
        return self._of(type).build(type, config)

    def described(self) -> Sequence[DescribedAdapter]:
        """Of the benchmark alone."""
        return self.own.described()

    def unusable(self) -> Sequence[UnusableAdapter]:
        """Of the benchmark alone."""
        return self.own.unusable()

    def _of(self, type: str) -> PipelineAdapterRegistry:
        return self.own if type in self.own.types() else self.others


def registry(course: Course) -> PipelineAdapters:
    """The pipeline adapters ``source``, ``pace``, ``pass_on`` and ``arrive`` over one course."""
    return PipelineAdapters(
        [
            _registration("source", "Fans one message out.", lambda _: Source()),
            _registration("pace", "Holds a message until it is due.", lambda _: Pace(course)),
            _registration("pass_on", "Sends a message on.", lambda _: PassOn()),
            _registration("arrive", "Counts what comes.", lambda _: Arrive(course)),
        ]
    )


def _registration(
    name: str, description: str, build: Callable[[object], Source | Pace | PassOn | Arrive]
) -> Registration:
    return Registration(type=name, description=description, version="1", config=NoConfig, build=build)


def _number(context: PipelineContext) -> int:
    return int(str(context.message["number"]))


async def _stream(count: int) -> AsyncIterator[Emission]:
    for number in range(count):
        yield Emission(payload=payload(number))
