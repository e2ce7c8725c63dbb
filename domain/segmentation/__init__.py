"""Cuts a document's Markdown into segments that fit an embedding model."""

from domain.segmentation.segmenting import HARD_LIMIT_FACTOR, SEGMENTATION_VERSION, segments

__all__ = ["HARD_LIMIT_FACTOR", "SEGMENTATION_VERSION", "segments"]
