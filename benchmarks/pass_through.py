"""Stand before a port of the stack and note, or drop, what comes by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from application.ports.ledger import Ledger, Settled
from application.ports.lineage import LineageSink
from benchmarks.messages import Course
from domain.lineage import LineageEntry
from domain.message import Settlement


class NotingLedger:
    """Another ledger, but notes when the messages of a course are settled in the last route."""

    def __init__(self, ledger: Ledger, course: Course) -> None:
        self._ledger = ledger
        self._course = course

    def __getattr__(self, name: str) -> Any:
        """What is not watched is the ledger's own."""
        return getattr(self._ledger, name)

    async def settle(self, settlements: Sequence[Settlement], **options: Any) -> Sequence[Settled]:
        """As the ledger settles them; a message counts as settled once that is committed."""
        answers = await self._ledger.settle(settlements, **options)
        arriving, settled, now = self._course.arriving, self._course.settled, time.perf_counter()
        if arriving:
            for settlement in settlements:
                number = arriving.pop(settlement.message_id, None)
                if number is not None:
                    settled[number] = now
        return answers


class SwitchedSink:
    """Another sink, opened and closed with this one, that gets nothing while ``is_on`` is false."""

    def __init__(self, sink: LineageSink) -> None:
        self._sink: Any = sink
        self.is_on = True

    async def __aenter__(self) -> Self:
        await self._sink.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._sink.__aexit__(kind, error, traceback)

    def __getattr__(self, name: str) -> Any:
        """All but the recording is the sink's own."""
        return getattr(self._sink, name)

    def record(self, entry: LineageEntry) -> None:
        """Hand the entry on, or drop it."""
        if self.is_on:
            self._sink.record(entry)
