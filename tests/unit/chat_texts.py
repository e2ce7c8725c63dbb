"""Language models that go on as long as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from application.ports.language_model import ChatMessage, Completion, CompletionOptions, Piece
from domain.chat.errors import LanguageModelUnavailable


@dataclass
class AlwaysWriting:
    """Writes word after word until it is enough."""

    enough: asyncio.Event = field(default_factory=asyncio.Event)
    written: str = ""
    name: str = "talkative"

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        text = "".join([piece async for piece in self.stream(messages, options) if isinstance(piece, str)])
        return Completion(text=text)

    async def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncIterator[Piece]:
        while not self.enough.is_set():
            await asyncio.sleep(0.001)
            self.written += "word "
            yield "word "


@dataclass
class Breaking:
    """Breaks off after its first word."""

    name: str = "brittle"

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        raise LanguageModelUnavailable("the answer broke off")

    async def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncIterator[Piece]:
        yield "Forty thousand"
        raise LanguageModelUnavailable("the answer broke off")
