"""Reads documents of many formats as Markdown with headings."""

from adapters.documents.format_reader import FormatDocumentReader

__all__ = ["FormatDocumentReader"]
