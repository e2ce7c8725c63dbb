"""Runs shipped pipeline adapters on messages, over adapters in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from adapters.documents.format_reader import FormatDocumentReader
from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.embedding_slots import MemoryEmbeddingSlots
from adapters.memory.fetcher import MemoryFetcher
from adapters.memory.models import MemoryEmbeddingModel, MemoryTokenizer
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.memory.storage import MemoryObjectStorage
from adapters.pipeline.registry import PipelineAdapters
from adapters.pipeline.resources import Resources
from adapters.pipeline.shipped import shipped
from adapters.system.clock import SystemClock
from application.embedding_models import EmbeddingModels
from application.engine.stage import MessageStage
from application.ports.pipeline_adapter import AdapterResult, CollectingAdapter, Emission, PipelineContext
from domain.document import Document
from domain.identity import derived_id
from domain.json import JsonObject

EXECUTION = UUID("01890000-0000-7000-8000-000000000001")
AT = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Everything the pipeline adapters work with, and a way to run one."""

    storage: MemoryObjectStorage = field(default_factory=MemoryObjectStorage)
    documents: MemoryDocuments
    index: MemorySegmentIndex
    slots: MemoryEmbeddingSlots
    model: MemoryEmbeddingModel = field(default_factory=MemoryEmbeddingModel)
    fetcher: MemoryFetcher = field(default_factory=MemoryFetcher)
    tokenizer: MemoryTokenizer = field(default_factory=lambda: MemoryTokenizer(limit=50))

    @property
    def registry(self) -> PipelineAdapters:
        """The shipped pipeline adapters over these."""
        return shipped(
            Resources(
                storage=self.storage,
                reader=FormatDocumentReader(),
                tokenizer=self.tokenizer,
                documents=self.documents,
                models=EmbeddingModels(own=self.model),
                index=self.index,
                slots=self.slots,
                clock=SystemClock(),
                fetcher=self.fetcher,
            )
        )

    async def run(
        self, name: str, message: JsonObject, config: JsonObject | None = None, *, message_id: str = "m"
    ) -> AdapterResult | None:
        """What a pipeline adapter makes of a message."""
        adapter = self.registry.build(name, config or {})
        assert not isinstance(adapter, CollectingAdapter)
        return await adapter.process(self._context(message, message_id))

    async def passed(self, name: str, message: JsonObject, config: JsonObject | None = None) -> JsonObject:
        """The message that goes on to the next pipeline adapter."""
        result = await self.run(name, message, config)
        assert result is not None
        return result.message

    async def emitted(
        self, name: str, message: JsonObject, config: JsonObject | None = None
    ) -> Sequence[Emission]:
        """What a pipeline adapter emits, all of it."""
        result = await self.run(name, message, config)
        assert result is not None
        if isinstance(result.emitted, AsyncIterator):
            return [emission async for emission in result.emitted if emission is not None]
        return result.emitted or ()

    async def indexed(
        self, document_id: str, *, origin: str, url: str = "", fingerprint: str = "f"
    ) -> Document:
        """A document that is in the index, without segments."""
        return await self.documents.begin(
            Document(
                document_id=document_id, origin=origin, title="t", url=url, fingerprint=fingerprint, version=1
            ),
            expected=0,
        )

    def _context(self, message: JsonObject, message_id: str) -> PipelineContext:
        id_ = derived_id(message_id)
        return PipelineContext(
            message=message,
            metadata={},
            execution_id=EXECUTION,
            route_id="route",
            message_id=id_,
            correlation_id=id_,
            attempt=1,
            stage=MessageStage(
                storage=self.storage,
                execution_id=EXECUTION,
                route_id="route",
                message_id=id_,
                # Never the first attempt, so that what an earlier one kept is looked for.
                attempt=2,
                adapter_name="adapter",
                correlation_id=id_,
                at=AT,
                provenance={},
            ),
        )


@pytest.fixture
def ground() -> Ground:
    """A ground with nothing on it."""
    corpus = Corpus()
    return Ground(
        documents=MemoryDocuments(corpus),
        index=MemorySegmentIndex(corpus),
        slots=MemoryEmbeddingSlots(corpus),
    )


def payloads(emissions: Sequence[Emission]) -> list[Mapping[str, object]]:
    """The payloads alone."""
    return [emission.payload for emission in emissions]
