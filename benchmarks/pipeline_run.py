"""One run of the shipped pipeline over a folder, in a stack of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from adapters.pipeline.embedding_generator import embedded_text
from adapters.pipeline.segment_payload import DocumentPart, SegmentPart, SegmentPayload
from benchmarks.outcome import NotMeasurable
from benchmarks.stack import Cost, PostgresProcesses, ingest, warm_stack

_SEGMENTS = """
    SELECT s.id, s.document_id, s.version, v.title, s.ordinal, s.text, s.start_character, s.end_character, s.heading_path
    FROM segment s JOIN document_version v USING (document_id, version)
    WHERE s.is_current ORDER BY v.url, s.ordinal
"""


async def through_pipeline(folder: Path, data: Path, documents: int) -> tuple[Cost, Sequence[str]]:
    """What the run cost, and every text that it gave the model; raises NotMeasurable unless all is in the index."""
    async with warm_stack(data) as application:
        cost = await ingest(application, folder, data=data)
        indexed = sum((await application.search.sources()).values())
        if indexed != documents:
            raise NotMeasurable(f"{indexed} of {documents} documents are in the index")
        return cost, await _embedded_texts(PostgresProcesses(data).url())


async def _embedded_texts(url: str) -> Sequence[str]:
    """What the pipeline gave the model, from what it indexed."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute(_SEGMENTS)).fetchall()
    return [
        embedded_text(
            SegmentPayload(
                document=DocumentPart(id=row[1], version=row[2], title=row[3]),
                segment=SegmentPart(
                    ordinal=row[4], text=row[5], start=row[6], end=row[7], heading_path=tuple(row[8])
                ),
                segment_id=row[0],
            )
        )
        for row in rows
    ]
