"""The pipeline adapter ``segment_enumerator``: emits a message for the segments that have no vector in a slot."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

import msgspec

from adapters.pipeline.registry import Registration
from application.embedding_models import EmbeddingModels
from application.ports.embedding_slots import EmbeddingSlots
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, Emission, PipelineContext
from domain.embedding_slot import LackingDocument
from domain.errors import Invalid

PAGE = 200
"""Documents that are asked for at once."""


class NothingToEmbed(Invalid):
    """The message must name an embedding slot as "model_name"."""

    code = "reembed_message_unreadable"


class SegmentEnumeratorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``segments_per_message``: how many segments of one document travel together at most."""

    segments_per_message: Annotated[int, msgspec.Meta(ge=1, le=256)] = 32


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    model_name: Annotated[str, msgspec.Meta(min_length=1)]
    origins: tuple[str, ...] = ()


class SegmentEnumerator:
    """Asks for what is lacking page by page, so that a run that is begun again does only what is left."""

    def __init__(
        self, config: SegmentEnumeratorConfig, slots: EmbeddingSlots, models: EmbeddingModels
    ) -> None:
        self._config = config
        self._slots = slots
        self._models = models

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Emit ``{"model_name", "document_id", "segment_ids"}``; raises NothingToEmbed, EmbeddingSlotNotFound."""
        try:
            request = msgspec.convert(context.message, _Request)
        except msgspec.ValidationError as error:
            raise NothingToEmbed(f"{NothingToEmbed.__doc__} {error}") from error
        self._models.named(request.model_name)
        return AdapterResult(message=context.message, emitted=self._emissions(request))

    async def _emissions(self, request: _Request) -> AsyncIterator[Emission]:
        after = ""
        while page := await self._slots.lacking(
            request.model_name, origins=request.origins, after=after, limit=PAGE
        ):
            for document in page:
                for emission in self._of_document(request.model_name, document):
                    yield emission
            after = page[-1].document_id

    def _of_document(self, model_name: str, document: LackingDocument) -> Sequence[Emission]:
        size, ids = self._config.segments_per_message, document.segment_ids
        return [
            _emission(model_name, document.document_id, ids[start : start + size])
            for start in range(0, len(ids), size)
        ]


def _emission(model_name: str, document_id: str, segment_ids: Sequence[UUID]) -> Emission:
    """A message whose key tells which segments are meant: a second attempt finds others lacking than the first."""
    names = [str(segment_id) for segment_id in segment_ids]
    return Emission(
        payload={"model_name": model_name, "document_id": document_id, "segment_ids": names},
        metadata={"document_id": document_id},
        key=hashlib.blake2b(" ".join(names).encode(), digest_size=16).hexdigest(),
    )


def registration(slots: EmbeddingSlots, models: EmbeddingModels) -> Registration:
    """How YAML names it and how it is built."""

    def build(config: SegmentEnumeratorConfig) -> SegmentEnumerator:
        return SegmentEnumerator(config, slots, models)

    return Registration(
        type="segment_enumerator",
        description="Emits messages for the indexed segments that have no vector in an embedding slot.",
        version="1",
        config=SegmentEnumeratorConfig,
        build=build,
        example=AdapterExample(
            payload={"model_name": "all-MiniLM-L6-v2"},
            then=("segment_retriever", "embedding_generator", "segment_writer"),
        ),
    )
