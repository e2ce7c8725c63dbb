"""Where a match or a citation points: document, heading, characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLES = ("title", "document_title", "document", "url", "document_id", "name")


def place_of(source: Mapping[str, Any]) -> str:
    """`Title > Heading > Heading, page 3, characters 120-480`, as far as it is told."""
    words = [_document(source)]
    headings = source.get("heading_path") or source.get("headings")
    if isinstance(headings, list) and headings:
        words[0] += "".join(f" > {heading}" for heading in headings if heading != words[0])
    elif isinstance(headings, str) and headings:
        words[0] += f" > {headings}"
    if source.get("page") is not None:
        words.append(f"page {source['page']}")
    start, end = _span(source)
    if start is not None and end is not None:
        words.append(f"characters {start}-{end}")
    return ", ".join(words)


def _document(source: Mapping[str, Any]) -> str:
    for name in TITLES:
        value = source.get(name)
        if isinstance(value, Mapping):
            return _document(value)
        if value:
            return str(value)
    return "a document without a title"


def _span(source: Mapping[str, Any]) -> tuple[object, object]:
    offsets = source.get("offsets")
    if isinstance(offsets, Mapping):
        source = offsets
    for start, end in (("start", "end"), ("start_offset", "end_offset"), ("char_start", "char_end")):
        if source.get(start) is not None:
            return source.get(start), source.get(end)
    return None, None
