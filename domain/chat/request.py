"""What a chat is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.chat.errors import InvalidChatRequest
from domain.json import JsonObject

MAX_QUERY_CHARACTERS = 10_000
MAX_HISTORY = 50
MAX_HISTORY_CHARACTERS = 200_000
MAX_ATTACHMENTS = 20
MIN_CONTEXT_TOKENS = 200
MAX_CONTEXT_TOKENS = 1_000_000
ROLES = frozenset({"user", "assistant", "system"})
# What a search reads of a query: neither white space, nor control characters and halves of characters.
_READABLE = re.compile("[^\\s\x00-\x1f\x7f\ud800-\udfff]")


class ContextMode(StrEnum):
    """What an answer rests on: found segments, given objects, both, one whole object, or the model alone."""

    RAG = "rag"
    ATTACHMENT = "attachment"
    HYBRID = "hybrid"
    DOCUMENT = "document"
    NONE = "none"


class RetrievalStrategy(StrEnum):
    """How several data sources are joined: weighted by similarity, one after the other, or by rank."""

    MERGE = "merge"
    SEQUENTIAL = "sequential"
    ENSEMBLE = "ensemble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier message of the conversation."""

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES or not self.content:
            raise InvalidChatRequest("a turn has the role user, assistant or system, and a content")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """Where to search. ``model_name`` is the embedding slot, None for the server's own.

    ``similarity_threshold`` is a cosine; None stands for the slot's calibrated one.
    """

    name: str = "default"
    model_name: str | None = None
    limit: int = 5
    similarity_threshold: float | None = None
    weight: float = 1.0
    metadata_filters: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= 50:
            raise InvalidChatRequest(f"the limit of a source is 1 to 50, not {self.limit}")
        if not 0.0 <= self.weight <= 2.0:
            raise InvalidChatRequest(f"the weight of a source is 0 to 2, not {self.weight}")
        threshold = self.similarity_threshold
        if threshold is not None and not -1.0 <= threshold <= 1.0:
            raise InvalidChatRequest(f"a similarity threshold is at most 1, not {threshold}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RagConfig:
    """How segments are found; ``max_context_items`` bounds how many are given to the model in all."""

    sources: Sequence[DataSource] = (DataSource(),)
    retrieval_strategy: RetrievalStrategy = RetrievalStrategy.ENSEMBLE
    max_context_items: int = 8

    def __post_init__(self) -> None:
        if not 1 <= len(self.sources) <= 10:
            raise InvalidChatRequest("one to ten sources can be searched at once")
        if not 1 <= self.max_context_items <= 50:
            raise InvalidChatRequest(f"max_context_items is 1 to 50, not {self.max_context_items}")

    @property
    def most_segments(self) -> int:
        """How many segments an answer may rest on."""
        return min(self.max_context_items, sum(source.limit for source in self.sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How given objects are read: as a whole, as far as they fit, or their passages nearest to the question.

    ``model_name`` is the embedding slot whose model compares passages with the question, None for the server's own.
    """

    is_whole: bool = True
    most_excerpts: int = 8
    model_name: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.most_excerpts <= 50:
            raise InvalidChatRequest(f"max_excerpts is 1 to 50, not {self.most_excerpts}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question with what the answer may rest on.

    ``attachments`` are storage keys for the modes attachment and hybrid, ``document`` the one for document.
    ``context_tokens`` bounds the sources and earlier turns that a language model is given, None for the server's bound.
    ``prompt_template`` is the name or id of the template its prompt is written from, None for the server's own.
    """

    query: str
    history: Sequence[Turn] = ()
    context_mode: ContextMode = ContextMode.RAG
    rag: RagConfig = RagConfig()
    attachments: Sequence[str] = ()
    document: str | None = None
    reading: Reading = Reading()
    context_tokens: int | None = None
    prompt_template: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    @property
    def names_objects(self) -> bool:
        """Whether it names stored objects."""
        return bool(self.document or self.attachments)

    def __post_init__(self) -> None:
        objection = self._objection()
        if objection:
            raise InvalidChatRequest(objection)

    def _objection(self) -> str | None:
        if not _READABLE.search(self.query) or len(self.query) > MAX_QUERY_CHARACTERS:
            return f"a query has 1 to {MAX_QUERY_CHARACTERS} characters, and some that can be read"
        if len(self.history) > MAX_HISTORY:
            return f"the history has at most {MAX_HISTORY} turns"
        if sum(len(turn.content) for turn in self.history) > MAX_HISTORY_CHARACTERS:
            return f"the history has at most {MAX_HISTORY_CHARACTERS} characters"
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            return f"the temperature is 0 to 2, not {self.temperature}"
        if self.max_tokens is not None and self.max_tokens < 1:
            return f"max_tokens is at least 1, not {self.max_tokens}"
        if (
            self.context_tokens is not None
            and not MIN_CONTEXT_TOKENS <= self.context_tokens <= MAX_CONTEXT_TOKENS
        ):
            return f"max_context_tokens is {MIN_CONTEXT_TOKENS} to {MAX_CONTEXT_TOKENS}, not {self.context_tokens}"
        return self._objection_to_context()

    def _objection_to_context(self) -> str | None:
        if self.context_mode is ContextMode.DOCUMENT and not self.document:
            return "context_mode document needs the document's storage key"
        takes_attachments = self.context_mode in {ContextMode.ATTACHMENT, ContextMode.HYBRID}
        if takes_attachments and not 1 <= len(self.attachments) <= MAX_ATTACHMENTS:
            return f"context_mode {self.context_mode} needs 1 to {MAX_ATTACHMENTS} attachments"
        return None
