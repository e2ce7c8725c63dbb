"""Writes answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.chat.usage import TokenUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message to a language model; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionOptions:
    """How to write; None leaves it to the server."""

    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer, with its cost if the server tells it."""

    text: str
    usage: TokenUsage | None = None


class LanguageModel(Protocol):
    """A model behind some endpoint. Safe for concurrent use."""

    @property
    def name(self) -> str:
        """The model's name as answers report it."""
        ...

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        """The whole answer; raises Unavailable when the endpoint cannot be reached or keeps failing,
        Refused when it rejects the request.
        """
        ...

    def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncIterator[str | TokenUsage]:
        """The answer piece by piece, and its cost once if the server tells it.

        Raises as ``complete`` does, at the first piece or later.
        """
        ...
