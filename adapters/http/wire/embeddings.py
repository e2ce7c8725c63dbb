"""Embedding slots, vectors for texts and re-embedding, on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from adapters.http.wire.pages import page_numbers
from adapters.http.wire.search_indexes import pretty_size
from application.embedding_holdings import EmbeddingStatistics, SlotState
from application.embeddings import MAX_TEXTS, EmbeddedTexts
from application.reembedding import MAX_ORIGINS, Reembedding

SlotName = Annotated[str, Meta(min_length=1, max_length=200, examples=["minilm"])]


class EmbeddingSlotResponse(Struct, frozen=True, kw_only=True):
    """An embedding slot.

    `is_own` is the one that is meant where none is named. `identity` says which weights and arithmetic make its
    vectors, `held_identity` whose those are that it holds; where both are known and differ, `is_mixed`, it can neither
    be filled nor searched. `is_searchable` says that there is a model for it here. `segments_lacking` have no vector in it.
    """

    model_name: str
    is_own: bool
    is_searchable: bool
    is_mixed: bool
    identity: str | None
    held_identity: str | None
    dimension: int
    default_similarity_threshold: float | None
    segments: int
    segments_lacking: int
    documents: int
    vectors: int
    size_bytes: int
    size_pretty: str


class EmbeddingSlotListResponse(Struct, frozen=True, kw_only=True):
    """A page of the slots, the server's own first."""

    slots: list[EmbeddingSlotResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class EmbedBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Texts to embed, for the server's own slot unless another is named."""

    texts: Annotated[
        list[str], Meta(min_length=1, max_length=MAX_TEXTS, examples=[["How is an answer traced?"]])
    ]
    model_name: SlotName | None = None


class EmbedResponse(Struct, frozen=True, kw_only=True):
    """A vector of unit length for each text, in order. `tokens` counts those of all texts."""

    embeddings: list[list[float]]
    model_name: str
    identity: str
    dimension: int
    tokens: int


class EmbeddingStatsResponse(Struct, frozen=True, kw_only=True):
    """How many segments of current documents there are, and what all slots together hold of them."""

    segments: int
    vectors: int
    size_bytes: int
    size_pretty: str
    slots: list[EmbeddingSlotResponse]


class ReembedBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The slot to fill, and from which origins; null takes everything that is indexed."""

    model_name: SlotName
    origins: Annotated[list[str], Meta(min_length=1, max_length=MAX_ORIGINS, examples=[["docs"]])] | None = (
        None
    )


class ReembeddingResponse(Struct, frozen=True, kw_only=True):
    """A re-embedding run, which is an execution of the pipeline `re-embed` with the same id.

    Of `total` segments that had no vector in the slot when it began `embedded` have one now; `segments_lacking` have
    none, those that have come into the index since among them. `failed` counts messages that are dead.
    """

    job_id: UUID
    model_name: str
    origins: list[str]
    status: str
    total: int
    embedded: int
    segments_lacking: int
    failed: int
    progress: float
    started_at: datetime
    completed_at: datetime | None


class ReembeddingListResponse(Struct, frozen=True, kw_only=True):
    """A page of runs, the latest first."""

    jobs: list[ReembeddingResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None


class RemovedEmbeddingsResponse(Struct, frozen=True, kw_only=True):
    """How many vectors were taken out, of which slot; null is of all."""

    removed: int
    model_name: str | None


def embedding_slot_response(state: SlotState) -> EmbeddingSlotResponse:
    """A slot as it travels."""
    model, held = state.model, state.holding
    return EmbeddingSlotResponse(
        model_name=state.model_name,
        is_own=state.is_own,
        is_searchable=model is not None and not state.is_mixed,
        is_mixed=state.is_mixed,
        identity=model.identity if model else None,
        held_identity=held.identity if held else None,
        dimension=model.dimension if model else held.dimension if held else 0,
        default_similarity_threshold=model.default_threshold if model else None,
        segments=held.segments if held else 0,
        segments_lacking=state.lacking,
        documents=held.documents if held else 0,
        vectors=held.vectors if held else 0,
        size_bytes=held.size_bytes if held else 0,
        size_pretty=pretty_size(held.size_bytes if held else 0),
    )


def embedding_slot_list_response(
    states: Sequence[SlotState], *, limit: int, offset: int
) -> EmbeddingSlotListResponse:
    """A page of slots as it travels."""
    page = [embedding_slot_response(state) for state in states[offset : offset + limit]]
    return EmbeddingSlotListResponse(
        slots=page, **page_numbers(len(page), total=len(states), limit=limit, offset=offset)
    )


def embed_response(embedded: EmbeddedTexts) -> EmbedResponse:
    """Vectors as they travel."""
    return EmbedResponse(
        embeddings=[list(vector) for vector in embedded.vectors],
        model_name=embedded.model_name,
        identity=embedded.identity,
        dimension=embedded.dimension,
        tokens=embedded.tokens,
    )


def embedding_stats_response(found: EmbeddingStatistics) -> EmbeddingStatsResponse:
    """Statistics as they travel."""
    return EmbeddingStatsResponse(
        segments=found.segments,
        vectors=found.vectors,
        size_bytes=found.size_bytes,
        size_pretty=pretty_size(found.size_bytes),
        slots=[embedding_slot_response(state) for state in found.slots],
    )


def reembedding_response(run: Reembedding) -> ReembeddingResponse:
    """A run as it travels."""
    return ReembeddingResponse(
        job_id=run.id,
        model_name=run.model_name,
        origins=list(run.origins),
        status=run.status.value,
        total=run.total,
        embedded=run.embedded,
        segments_lacking=run.lacking,
        failed=run.failed,
        progress=round(run.embedded / run.total, 4) if run.total else 1.0,
        started_at=run.execution.started_at,
        completed_at=run.completed_at,
    )


def reembedding_list_response(
    runs: Sequence[Reembedding], *, total: int, limit: int, offset: int
) -> ReembeddingListResponse:
    """A page of runs as it travels."""
    numbers = page_numbers(len(runs), total=total, limit=limit, offset=offset)
    return ReembeddingListResponse(jobs=[reembedding_response(run) for run in runs], **numbers)
