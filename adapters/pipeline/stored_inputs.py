"""Which shipped pipeline adapters need more in a message than the key of a stored object."""

from __future__ import annotations

NEEDING_CONTENT = frozenset(
    {
        "document_enumerator",
        "web_crawler",
        "markdown_storage_writer",
        "smart_segmenter",
        "segment_publisher",
        "embedding_generator",
        "segment_writer",
    }
)
"""A replay does not send stored objects to a route that begins with one of these: every message would go dead."""
