"""What the shipped pipeline adapters work with."""

from __future__ import annotations

from dataclasses import dataclass

from application.embedding_models import EmbeddingModels
from application.ports.clock import Clock
from application.ports.document_reader import DocumentReader
from application.ports.documents import Documents
from application.ports.embedding_slots import EmbeddingSlots
from application.ports.fetcher import Fetcher
from application.ports.object_storage import ObjectStorage
from application.ports.segment_index import SegmentIndex
from application.ports.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The ports that composition hands to the shipped pipeline adapters."""

    storage: ObjectStorage
    reader: DocumentReader
    tokenizer: Tokenizer
    documents: Documents
    models: EmbeddingModels
    index: SegmentIndex
    slots: EmbeddingSlots
    clock: Clock
    fetcher: Fetcher
