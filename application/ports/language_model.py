"""Writes answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from domain.chat.finish import FinishReason
from domain.chat.usage import TokenUsage

Piece: TypeAlias = str | TokenUsage | FinishReason
"""What a stream gives: pieces of text, then what they cost and why they end, as far as the server tells."""


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
    """An answer with its cost if the server tells it, and why it ends where it does."""

    text: str
    usage: TokenUsage | None = None
    finish_reason: FinishReason = FinishReason.STOP


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

    def stream(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> AsyncIterator[Piece]:
        """The answer piece by piece and, if the server tells it, why it ends there and its cost.

        Of several reasons the first that is not STOP holds, of several costs the last. Raises as ``complete`` does, at the first piece or later.
        """
        ...
