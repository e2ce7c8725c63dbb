"""What the processes of one service tell each other: that there is something to look at, never what it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self
from uuid import UUID

from application.ports.message_queue import MessageQueue
from domain.errors import FactflowError
from domain.json import JsonObject

log = logging.getLogger(__name__)

CHANNEL = "factflow.signals"
"""The topic over which they travel; no config can have one of that name."""
LONGEST_SAYING_SECONDS = 5.0
MOST_UNSAID = 1000
REST_SECONDS = 1.0


class SignalKind(StrEnum):
    """Where to look: at one execution, at its messages in the ledger, or at the pauses."""

    EXECUTION = "execution"
    MESSAGES = "messages"
    PAUSES = "pauses"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something has changed."""

    kind: SignalKind
    execution_id: UUID | None = None

    def as_json(self, sender: UUID) -> JsonObject:
        """How it travels."""
        about = None if self.execution_id is None else str(self.execution_id)
        return {"kind": self.kind.value, "execution_id": about, "sender": str(sender)}


@dataclass(slots=True, kw_only=True)
class Signals:
    """Says and hears signals while ``async with`` lasts; on a private queue there is nobody to say anything to.

    At most once: what is not heard is found by looking now and then. One's own are not heard.
    """

    queue: MessageQueue
    sender: UUID
    _unsaid: dict[Signal, None] = field(default_factory=dict)
    _heard: dict[Signal, None] = field(default_factory=dict)
    _to_say: asyncio.Event = field(default_factory=asyncio.Event)
    _to_hear: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _is_listening: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closing: bool = False

    async def __aenter__(self) -> Self:
        if not self.queue.is_private:
            self._tasks = [
                asyncio.create_task(self._speak(), name="signals to others"),
                asyncio.create_task(self._listen(), name="signals from others"),
            ]
            # What is signalled after the first look at the ledger must be heard.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_SAYING_SECONDS):
                    await self._is_listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closing = True
        self._to_say.set()
        if self._tasks:
            # What was decided last is what the others wait for.
            await asyncio.wait(self._tasks[:1], timeout=REST_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, kind: SignalKind, execution_id: UUID | None = None) -> None:
        """Tell the others; the same again before it was said is said once."""
        if not self.queue.is_private and len(self._unsaid) < MOST_UNSAID:
            self._unsaid[Signal(kind, execution_id)] = None
            self._to_say.set()

    def note(self, kind: SignalKind, execution_id: UUID | None = None) -> None:
        """Have this process look, as if another one had told it to."""
        self._heard[Signal(kind, execution_id)] = None
        self._to_hear.set()

    async def heard(self) -> Signal:
        """The next thing to look at; waits for one."""
        while not self._heard:
            self._to_hear.clear()
            await self._to_hear.wait()
        signal = next(iter(self._heard))
        del self._heard[signal]
        return signal

    async def _speak(self) -> None:
        while not self._is_closing or self._unsaid:
            await self._to_say.wait()
            self._to_say.clear()
            while self._unsaid:
                await self._say(next(iter(self._unsaid)))

    async def _say(self, signal: Signal) -> None:
        # Taken off before it is said: what changes meanwhile is said again.
        payload = signal.as_json(self.sender)
        try:
            async with asyncio.timeout(LONGEST_SAYING_SECONDS):
                del self._unsaid[signal]
                await self.queue.broadcast(CHANNEL, payload)
        except (FactflowError, TimeoutError) as error:
            log.warning("the others were not told and will look by themselves: %s", error)

    async def _listen(self) -> None:
        while True:
            try:
                async with self.queue.listen(CHANNEL) as payloads:
                    self._is_listening.set()
                    await self._note_all(payloads)
            except FactflowError as error:
                log.warning("nothing is heard from the others: %s", error)
            await asyncio.sleep(REST_SECONDS)

    async def _note_all(self, payloads: AsyncIterator[JsonObject]) -> None:
        async for payload in payloads:
            signal = _signal_in(payload)
            is_ours = payload.get("sender") == str(self.sender)
            if signal is not None and not is_ours and len(self._heard) < MOST_UNSAID:
                self.note(signal.kind, signal.execution_id)


def _signal_in(payload: JsonObject) -> Signal | None:
    about = payload.get("execution_id")
    try:
        return Signal(SignalKind(str(payload.get("kind"))), None if about is None else UUID(str(about)))
    except ValueError:
        log.warning("what was heard from another process is no signal and was passed over")
        return None
