"""The pipeline adapters of the server itself."""

from __future__ import annotations

from adapters.pipeline import embedding_generator, segment_writer
from adapters.pipeline.registry import PipelineAdapters, Registration
from adapters.pipeline.resources import Resources


def registrations(resources: Resources) -> tuple[Registration, ...]:
    """One registration per shipped pipeline adapter, in the order in which a document meets them."""
    return (
        embedding_generator.registration(resources.model),
        segment_writer.registration(resources.index, resources.model),
    )


def shipped(resources: Resources, *further: Registration) -> PipelineAdapters:
    """The registry of the shipped pipeline adapters and any further ones, such as a plugin's."""
    return PipelineAdapters((*registrations(resources), *further))
