"""Models that need no weights: words counted into a vector, and answers told in advance."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import AsyncIterator, Sequence

from application.ports.language_model import ChatMessage, Completion, CompletionOptions, Piece
from domain.chat.finish import FinishReason
from domain.chat.usage import TokenUsage
from domain.errors import FactflowError, Unavailable

_WORD = re.compile(r"\w+")
_NOT_SPACE = re.compile(r"\S+")


class MemoryTokenizer:
    """Every run of characters that are not white space is one token."""

    def __init__(self, *, limit: int = 256) -> None:
        self._limit = limit

    @property
    def limit(self) -> int:
        """As given."""
        return self._limit

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token stands."""
        return [match.span() for match in _NOT_SPACE.finditer(text)]


class MemoryEmbeddingModel:
    """Words hashed into a vector of counts: texts that share words are near each other, the same on every machine."""

    def __init__(self, *, model_name: str = "words", dimension: int = 64, limit: int = 256) -> None:
        self._model_name = model_name
        self._dimension = dimension
        self._limit = limit

    @property
    def model_name(self) -> str:
        """As given."""
        return self._model_name

    @property
    def identity(self) -> str:
        """What decides the vectors."""
        return f"hashed-words/{self._dimension}/{self._limit}"

    @property
    def dimension(self) -> int:
        """As given."""
        return self._dimension

    @property
    def default_threshold(self) -> float:
        """Low: two texts with one word of ten in common are at about 0.1."""
        return 0.1

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Counts of the first words, scaled to unit length."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Sequence[float]:
        counts = [0.0] * self._dimension
        for word in _WORD.findall(text.lower())[: self._limit]:
            digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=4).digest()
            counts[int.from_bytes(digest, "big") % self._dimension] += 1.0
        # A text without words still needs a direction.
        counts[0] += 0.0 if any(counts) else 1.0
        length = math.hypot(*counts)
        return [count / length for count in counts]


class MemoryLanguageModel:
    """Gives the answers it was told, one a call and the last one again; an error among them is raised.

    ``asked`` keeps what it was given. A stream gives pieces of ``piece`` characters. Each ends for ``reason``.
    """

    def __init__(
        self,
        *answers: str | FactflowError,
        name: str = "scripted",
        piece: int = 5,
        reason: FinishReason = FinishReason.STOP,
    ) -> None:
        self._answers = list(answers)
        self._name = name
        self._piece = piece
        self._reason = reason
        self.asked: list[tuple[Sequence[ChatMessage], CompletionOptions]] = []

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    async def complete(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> Completion:
        """The next answer."""
        text = self._next(messages, options)
        return Completion(text=text, usage=_usage(messages, text), finish_reason=self._reason)

    async def stream(
        self, messages: Sequence[ChatMessage], options: CompletionOptions
    ) -> AsyncIterator[Piece]:
        """The next answer, in pieces."""
        answer = self._next(messages, options)
        for start in range(0, len(answer), self._piece):
            yield answer[start : start + self._piece]
        yield self._reason
        yield _usage(messages, answer)

    def _next(self, messages: Sequence[ChatMessage], options: CompletionOptions) -> str:
        self.asked.append((tuple(messages), options))
        if not self._answers:
            raise Unavailable("the language model was told no answer")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, FactflowError):
            raise answer
        return answer


def _usage(messages: Sequence[ChatMessage], text: str) -> TokenUsage:
    read = sum(len(_NOT_SPACE.findall(message.content)) for message in messages)
    return TokenUsage(prompt_tokens=read, completion_tokens=len(_NOT_SPACE.findall(text)))
