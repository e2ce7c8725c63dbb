"""Puts synthetic segments into an embedded stack, and builds what a server of that size has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from adapters.postgres.database import Database
from application.ports.documents import Documents
from benchmarks.outcome import NotMeasurable
from benchmarks.printing import progress
from benchmarks.retrieval_server import synthetic_stack
from benchmarks.synthetic_segments import SyntheticModel, SyntheticTexts
from domain.document import Document, EmbeddedSegment, Segment, segment_id

PER_DOCUMENT = 50
DOCUMENTS_AT_ONCE = 8
SAMPLE = 100


async def filled(data: Path, count: int) -> tuple[float, int]:
    """Index so many segments and build the index that their number calls for; returns its recall@10 and the postings."""
    model, texts = SyntheticModel(), SyntheticTexts()
    async with synthetic_stack(data) as (application, adapters, _):
        documents, index = adapters.documents(), adapters.index()
        for first in range(0, count // PER_DOCUMENT, DOCUMENTS_AT_ONCE):
            batch: list[EmbeddedSegment] = []
            for number in range(first, min(first + DOCUMENTS_AT_ONCE, count // PER_DOCUMENT)):
                batch += await _document(documents, number, model, texts)
            await index.index(batch)
            if first % 400 == 0:
                progress(f"retrieval: {first * PER_DOCUMENT:,} segments")
        progress("retrieval: building the index")
        managed = await application.indexes.manage(dry_run=False)
        built = next((one.index for one in managed if one.index is not None), None)
        if built is None:
            raise NotMeasurable(f"{count:,} segments are too few for an index")
        database = adapters.database()
        if database is None:
            raise NotMeasurable("there is no database")
        terms = await _prepared(database)
        return await application.indexes.recall(built.name, sample=SAMPLE, limit=10), terms


async def _document(
    documents: Documents, number: int, model: SyntheticModel, texts: SyntheticTexts
) -> Sequence[EmbeddedSegment]:
    document = Document(
        document_id=f"document-{number:06}",
        origin=f"shelf-{number % 10}",
        title="",
        url=f"file:///{number}",
        fingerprint=str(number),
        version=1,
    )
    opened = await documents.begin(document, expected=PER_DOCUMENT)
    return [_segment(opened, ordinal, texts.text(), model) for ordinal in range(PER_DOCUMENT)]


def _segment(document: Document, ordinal: int, text: str, model: SyntheticModel) -> EmbeddedSegment:
    id_: UUID = segment_id(document.document_id, text, 0)
    return EmbeddedSegment(
        id=id_,
        document_id=document.document_id,
        version=document.version,
        segment=Segment(ordinal=ordinal, text=text, start=0, end=len(text)),
        model_name=model.model_name,
        vector=model.vector(text),
        model_identity=model.identity,
    )


async def _prepared(database: Database) -> int:
    """What autovacuum does in its time, and the index that `ts_rank` needs; returns the number of postings."""
    connection = await database.connect("benchmark")
    async with connection:
        await connection.execute("CREATE INDEX segment_lexemes ON segment USING gin (lexemes)")
        await connection.execute("VACUUM ANALYZE")
        row = await (await connection.execute("SELECT count(*) FROM segment_term")).fetchone()
    return int(row[0]) if row else 0
