"""What a chat is asked, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from domain.chat.request import (
    MAX_ATTACHMENTS,
    MAX_CONTEXT_TOKENS,
    MAX_HISTORY,
    MAX_QUERY_CHARACTERS,
    MIN_CONTEXT_TOKENS,
    ChatRequest,
    ContextMode,
    DataSource,
    RagConfig,
    Reading,
    RetrievalStrategy,
    Turn,
)

Role = Annotated[str, Meta(pattern="^(user|assistant|system)$", examples=["user"])]


class ChatTurn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One earlier message of the conversation."""

    role: Role
    content: Annotated[str, Meta(min_length=1)]


class DataSourceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to search. A null `similarity_threshold` stands for the embedding slot's calibrated one."""

    name: str = "default"
    model_name: str | None = None
    limit: Annotated[int, Meta(ge=1, le=50, examples=[5])] = 5
    similarity_threshold: Annotated[float, Meta(ge=-1, le=1, examples=[0.3])] | None = None
    weight: Annotated[float, Meta(ge=0, le=2, examples=[1.0])] = 1.0
    metadata_filters: dict[str, Any] | None = None


class RagSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How segments are found for the answer."""

    sources: Annotated[list[DataSourceConfig], Meta(min_length=1, max_length=10)] | None = None
    retrieval_strategy: RetrievalStrategy = RetrievalStrategy.ENSEMBLE
    max_context_items: Annotated[int, Meta(ge=1, le=50, examples=[8])] = 8


class AttachmentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How given objects are read: whole, as far as they fit, or the passages of them nearest to the question.

    `model_name` is the embedding slot whose model finds those passages; null stands for the server's own.
    """

    include_full_content: bool = True
    max_excerpts: Annotated[int, Meta(ge=1, le=50, examples=[8])] = 8
    model_name: str | None = None


class AnswerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an answer may rest on and how it is written; the same for a question alone and for one in a thread.

    `attachments` are storage keys, for the modes `attachment` and `hybrid`; `document` is one, for `document`.
    `max_context_tokens` bounds sources and earlier turns together, within what the server allows.
    `prompt_template` names the template that the language model's prompt is written from.
    """

    context_mode: ContextMode = ContextMode.RAG
    rag_config: RagSettings | None = None
    attachments: Annotated[list[str], Meta(max_length=MAX_ATTACHMENTS)] = []
    document: str | None = None
    attachment_config: AttachmentSettings | None = None
    max_context_tokens: (
        Annotated[int, Meta(ge=MIN_CONTEXT_TOKENS, le=MAX_CONTEXT_TOKENS, examples=[4000])] | None
    ) = None
    prompt_template: Annotated[str, Meta(min_length=1, max_length=100, examples=["cited-answer"])] | None = (
        None
    )
    model: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2, examples=[0.2])] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000, examples=[512])] | None = None


class ChatCompletionRequest(AnswerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with what the answer may rest on.

    `attachments` are storage keys, for the modes `attachment` and `hybrid`; `document` is one, for `document`.
    `max_context_tokens` bounds sources and earlier turns together, within what the server allows.
    `prompt_template` names the template that the language model's prompt is written from.
    """

    query: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARACTERS)]
    history: Annotated[list[ChatTurn], Meta(max_length=MAX_HISTORY)] = []


def chat_request(body: ChatCompletionRequest) -> ChatRequest:
    """What the use-case is asked; raises InvalidChatRequest."""
    history = tuple(Turn(role=turn.role, content=turn.content) for turn in body.history)
    return question_request(body.query, body, history)


def question_request(query: str, body: AnswerSettings, history: Sequence[Turn] = ()) -> ChatRequest:
    """One question, answered as the settings say; raises InvalidChatRequest."""
    return ChatRequest(
        query=query,
        history=history,
        context_mode=body.context_mode,
        rag=_rag(body.rag_config),
        attachments=tuple(body.attachments),
        document=body.document,
        reading=_reading(body.attachment_config),
        context_tokens=body.max_context_tokens,
        prompt_template=body.prompt_template,
        model=body.model,
        temperature=body.temperature,
        max_tokens=body.max_tokens,
    )


def _reading(config: AttachmentSettings | None) -> Reading:
    if config is None:
        return Reading()
    return Reading(
        is_whole=config.include_full_content,
        most_excerpts=config.max_excerpts,
        model_name=config.model_name,
    )


def _rag(config: RagSettings | None) -> RagConfig:
    if config is None:
        return RagConfig()
    sources = tuple(_source(source) for source in config.sources or ())
    return RagConfig(
        sources=sources or RagConfig().sources,
        retrieval_strategy=config.retrieval_strategy,
        max_context_items=config.max_context_items,
    )


def _source(source: DataSourceConfig) -> DataSource:
    return DataSource(
        name=source.name,
        model_name=source.model_name,
        limit=source.limit,
        similarity_threshold=source.similarity_threshold,
        weight=source.weight,
        metadata_filters=source.metadata_filters or {},
    )
