"""One answer while it is written: what has come of it, for as many readers as want it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from uuid import UUID

from domain.chat.answer import AnswerDone, ChatAnswer, ChatEvent, SourceCited, SourcesFound, TextWritten
from domain.chat.places import Place, Telling


@dataclass(slots=True, kw_only=True, eq=False)
class AnswerRun:
    """The events so far, and how it ended: well, or with an error that every reader is told at the end."""

    id: UUID
    owner: str
    events: list[ChatEvent] = field(default_factory=list)
    error: Exception | None = None
    is_over: bool = False
    readers: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event: ChatEvent) -> None:
        """A further event."""
        self.events.append(event)
        self._tell()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes."""
        if not self.is_over:
            self.is_over, self.error = True, error
            self._tell()

    async def read(self, after: Place | None = None) -> AsyncGenerator[tuple[Place, ChatEvent], None]:
        """The events from a place on, as they come; raises what writing has failed at."""
        telling = Telling(after)
        read = 0
        self.readers += 1
        try:
            while True:
                while read < len(self.events):
                    told = telling.tell(self.events[read])
                    read += 1
                    if told is not None:
                        yield told
                if self.is_over:
                    break
                await self._changed.wait()
        finally:
            self.readers -= 1
        if self.error is not None:
            raise self.error

    async def ended(self) -> ChatAnswer:
        """The whole answer, when it is there; raises what writing has failed at."""
        while not self.is_over:
            await self._changed.wait()
        answer = self.answer
        if self.error is not None or answer is None:
            raise self.error or RuntimeError("an answer ended without having begun")
        return answer

    @property
    def answer(self) -> ChatAnswer | None:
        """The answer as far as it has come; None before its sources are found."""
        if self.events and isinstance(last := self.events[-1], AnswerDone):
            return last.answer
        return unfinished(self.events)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def unfinished(events: list[ChatEvent]) -> ChatAnswer | None:
    """What the events of an answer amount to before its end."""
    if not events or not isinstance(first := events[0], SourcesFound):
        return None
    return ChatAnswer(
        text="".join(event.content for event in events if isinstance(event, TextWritten)),
        mode=first.mode,
        sources=first.sources,
        citations=tuple(event.citation for event in events if isinstance(event, SourceCited)),
    )
