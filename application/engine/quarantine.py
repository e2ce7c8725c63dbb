"""Lets ordinary messages be at work together, and a suspect alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from application.engine.route_gate import QUARANTINE
from application.engine.route_gates import RouteGates
from application.ports.clock import Clock

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 1.0


class NotQuiet(Exception):
    """Messages at work did not come to an end in time, or the suspects have gone meanwhile."""


async def _always() -> bool:
    return True


@dataclass(slots=True, kw_only=True)
class Quarantine:
    """One for each process. A message is at work from its claim on, whether or not its pipeline adapters have begun.

    Enter when a claim is asked for, and leave when it has been settled or handed back: a process that dies with a
    suspect must hold no other claim, or its neighbours would be suspects too. While there is no suspect ``is_open``
    is True, and entering is one test and one addition:

        if not quarantine.is_open:
            await quarantine.opened()
        quarantine.enter()

    What waits for others to make room must not do so while it is not open, because they are not let in.
    """

    gates: RouteGates
    clock: Clock
    is_open: bool = True
    at_work: int = 0
    _opening: asyncio.Event = field(default_factory=asyncio.Event)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def enter(self, messages: int = 1) -> None:
        """So many more are at work; only while it is open, with no await since that was seen."""
        self.at_work += messages

    def leave(self, messages: int = 1) -> None:
        """So many are not at work any more."""
        self.at_work -= messages
        if not self.at_work:
            self._quiet.set()

    async def opened(self) -> None:
        """Return once ordinary messages may enter."""
        while not self.is_open:
            await self._opening.wait()

    @asynccontextmanager
    async def alone(
        self,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        is_wanted: Callable[[], Awaitable[bool]] = _always,
    ) -> AsyncIterator[None]:
        """Keep ordinary messages out, hand back those not begun, and begin when the others have come to their end.

        Several who ask take turns. Nobody else is at work within, so one who runs several suspects here runs them one
        after another. Raises NotQuiet, with everything open again, when those at work take longer than the patience,
        or when it is not wanted any more, which is asked every second.
        """
        async with self._turn:
            self._close()
            try:
                await self._until_quiet(patience_seconds, is_wanted)
                yield
            finally:
                self._open()

    def cover(self, execution_id: UUID) -> None:
        """Keep the gates of a run that begins now as closed as those of the others."""
        if not self.is_open:
            for gate in self.gates.of(execution_id).values():
                gate.pause(QUARANTINE)

    def _close(self) -> None:
        self.is_open = False
        self._opening.clear()
        for gate in self.gates:
            gate.pause(QUARANTINE)

    def _open(self) -> None:
        self.is_open = True
        self._opening.set()
        for gate in self.gates:
            gate.resume(QUARANTINE)

    async def _until_quiet(self, patience_seconds: float, is_wanted: Callable[[], Awaitable[bool]]) -> None:
        until = self.clock.monotonic() + patience_seconds
        while self.at_work:
            if self.clock.monotonic() >= until or not await is_wanted():
                raise NotQuiet(f"{self.at_work} messages are still at work")
            await self._quiet_or_later(min(LOOK_SECONDS, patience_seconds))

    async def _quiet_or_later(self, seconds: float) -> None:
        self._quiet.clear()
        either = [
            asyncio.ensure_future(self._quiet.wait()),
            asyncio.ensure_future(self.clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()
            await asyncio.gather(*either, return_exceptions=True)
