"""Messages of 512 bytes, and the trivial pipeline adapters that send them on their way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec

from adapters.pipeline.registry import PipelineAdapters, Registration
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.json import JsonObject

BYTES = 512
_FILLING = "".join(f"{number * 2654435761 % (1 << 32):08x}" for number in range(BYTES // 8))
"""Text that looks like nothing in particular, so that compressing it would not pay."""


def payload(number: int) -> JsonObject:
    """The message with a number: 512 bytes as JSON."""
    digits = f"{number:010}"
    overhead = len('{"number":"","text":""}') + len(digits)
    return {"number": digits, "text": _FILLING[: BYTES - overhead]}


@dataclass(slots=True, kw_only=True)
class Schedule:
    """When each message is due, by ``time.perf_counter``, and when the last route was done with it.

    ``rate`` is in messages a second; 0 emits as fast as there is room. Filled by the pipeline adapters themselves.
    """

    rate: float = 0.0
    started: float = 0.0
    emitted: int = 0
    arrived: dict[int, float] = field(default_factory=dict)
    is_noted: bool = False
    """Whether arrivals are noted one by one."""

    async def until_due(self, number: int) -> None:
        """Return when a message is due, at once when that moment has passed."""
        if self.rate:
            late = time.perf_counter() - self.due(number)
            if late < 0:
                await asyncio.sleep(-late)

    def due(self, number: int) -> float:
        """The moment at which a message ought to be emitted, whatever holds up the emitter."""
        return self.started + number / self.rate


class SourceConfig(msgspec.Struct, forbid_unknown_fields=True):
    """The source takes no config; the init message says how many ``messages`` to emit."""


@dataclass(frozen=True, slots=True)
class Source:
    """Fans one message out into as many as it says, as a stream."""

    schedule: Schedule

    async def process(self, context: PipelineContext) -> AdapterResult:
        """Emit ``{"messages": how many}``."""
        count = context.message["messages"]
        assert isinstance(count, int)
        return AdapterResult(message={}, emitted=self._stream(count))

    async def _stream(self, count: int) -> AsyncIterator[Emission]:
        self.schedule.started = time.perf_counter()
        for number in range(count):
            await self.schedule.until_due(number)
            self.schedule.emitted = number + 1
            yield Emission(payload=payload(number))


@dataclass(frozen=True, slots=True)
class PassOn:
    """Sends the message on as it is."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message."""
        return AdapterResult(message=context.message)


@dataclass(frozen=True, slots=True)
class Arrive:
    """The last adapter: notes when a message came here."""

    schedule: Schedule

    async def process(self, context: PipelineContext) -> AdapterResult:
        """The same message."""
        if self.schedule.is_noted:
            self.schedule.arrived[int(str(context.message["number"]))] = time.perf_counter()
        return AdapterResult(message=context.message)


def registry(schedule: Schedule) -> PipelineAdapters:
    """The pipeline adapters ``source``, ``pass_on`` and ``arrive`` over one schedule."""
    return PipelineAdapters(
        [
            _registration("source", "Fans one message out.", lambda _: Source(schedule)),
            _registration("pass_on", "Sends a message on.", lambda _: PassOn()),
            _registration("arrive", "Notes that a message came.", lambda _: Arrive(schedule)),
        ]
    )


def _registration(
    name: str, description: str, build: Callable[[object], Source | PassOn | Arrive]
) -> Registration:
    return Registration(type=name, description=description, version="1", config=SourceConfig, build=build)
