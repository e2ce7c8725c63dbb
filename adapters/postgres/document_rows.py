"""Document versions as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.document import Document

DOCUMENT_COLUMNS = """
    v.document_id, v.origin, v.title, v.url, v.fingerprint, v.version, v.language, v.expected,
    v.indexed_at, v.execution_id, v.object_key, v.metadata
"""


def document_of(row: Sequence[Any]) -> Document:
    """A document of a row of ``DOCUMENT_COLUMNS``."""
    return Document(
        document_id=row[0],
        origin=row[1],
        title=row[2],
        url=row[3],
        fingerprint=row[4],
        version=row[5],
        language=row[6],
        segments=row[7],
        indexed_at=row[8],
        execution_id=row[9],
        object_key=row[10],
        metadata=row[11],
    )
