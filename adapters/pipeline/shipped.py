"""The pipeline adapters of the server itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.pipeline import (
    batch_collector,
    document_enumerator,
    document_reader,
    embedding_generator,
    markdown_storage_writer,
    segment_enumerator,
    segment_publisher,
    segment_retriever,
    segment_writer,
    smart_segmenter,
    storage_retriever,
    web_crawler,
)
from adapters.pipeline.discovery import Discovered
from adapters.pipeline.registry import PipelineAdapters, Registration
from adapters.pipeline.resources import Resources


def registrations(resources: Resources) -> tuple[Registration, ...]:
    """One registration per shipped pipeline adapter, in the order in which a document meets them; then the others."""
    return (
        document_enumerator.registration(resources.storage, resources.reader, resources.documents),
        web_crawler.registration(resources),
        document_reader.registration(resources),
        markdown_storage_writer.registration(),
        storage_retriever.registration(resources.storage),
        smart_segmenter.registration(resources.tokenizer),
        segment_publisher.registration(resources.documents),
        embedding_generator.registration(resources.models),
        segment_writer.registration(resources.index, resources.models),
        segment_enumerator.registration(resources.slots, resources.models),
        segment_retriever.registration(resources.index),
        batch_collector.registration(),
    )


def shipped(resources: Resources, discover: Callable[[], Iterable[Discovered]] = tuple) -> PipelineAdapters:
    """The registry of the shipped pipeline adapters and of those that ``discover`` finds when it is first used."""
    return PipelineAdapters(registrations(resources), discover)
