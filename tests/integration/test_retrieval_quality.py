"""Search finds as much as it did when its defaults were chosen: docs/explanation/retrieval.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.postgres.database import Database
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.segment_index import PostgresSegmentIndex
from application.embedding_models import EmbeddingModels
from application.evaluation import Evaluation
from application.evaluation_set import corpus_documents
from application.ports.embedding_model import EmbeddingModel
from application.search import Search
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from domain.evaluation import Measures
from domain.match import SearchMode
from domain.retrieval.bm25 import Bm25

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "entrypoints" / "evaluation_set"
CRANFIELD_VARIABLE = "FACTFLOW_EVAL_CRANFIELD"
KEYWORD = 0.344
"""What the default parameters reach on Cranfield; they were chosen over questions not seen, and 1.5 for k1 gives more here."""


@pytest.fixture
def cranfield() -> Path:
    """The collection's folder; without it the test is left out, also in CI: it is data, not a service."""
    folder = Path(os.environ.get(CRANFIELD_VARIABLE) or ROOT.parent / "shared" / "eval" / "cranfield")
    if not (folder / "corpus.jsonl").is_file():
        pytest.skip(
            f"for want of the Cranfield collection in {folder} (set {CRANFIELD_VARIABLE} to its folder)"
        )
    return folder


async def measured(
    database: Database,
    model: EmbeddingModel,
    folder: Path,
    *modes: SearchMode,
    parameters: Bm25 | None = None,
) -> dict[SearchMode, Measures]:
    """The measures over a collection whose documents are one segment each; without meaning, vectors are left blank."""
    documents, index = PostgresDocuments(database), PostgresSegmentIndex(database, parameters=parameters)
    entries = [entry for entry in corpus_documents(folder) if entry.content]
    blank = [[1.0]] * len(entries)
    vectors = blank if modes == (SearchMode.KEYWORD,) else await model.embed([one.content for one in entries])
    segments: list[EmbeddedSegment] = []
    for entry, vector in zip(entries, vectors, strict=True):
        document = Document(
            document_id=entry.id, origin="eval", title=entry.title, url="", fingerprint="", version=1
        )
        opened = await documents.begin(document, expected=1)
        text = Segment(ordinal=0, text=entry.content, start=0, end=len(entry.content))
        segments.append(
            EmbeddedSegment(
                id=segment_id(entry.id, entry.content, 0),
                document_id=entry.id,
                version=opened.version,
                segment=text,
                model_name=model.model_name,
                vector=vector,
            )
        )
    for start in range(0, len(segments), 100):
        await index.index(segments[start : start + 100])
    result = await Evaluation(search=Search(index=index, models=EmbeddingModels(own=model))).run(
        folder, modes=modes
    )
    return dict(result.modes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "ndcg", "recall"),
    [
        pytest.param(None, KEYWORD, 0.745, id="as it is set"),
        pytest.param(Bm25(k1=1.5, b=0.75), 0.345, 0.75, id="best for this collection"),
    ],
)
async def test_words_find_what_they_should_in_cranfield(
    database: Database, cranfield: Path, tmp_path: Path, parameters: Bm25 | None, ndcg: float, recall: float
) -> None:
    """BM25 over 1,400 abstracts; Lucene's figure is 0.32."""
    model = MiniLmEmbeddingModel(tmp_path)
    found = await measured(database, model, cranfield, SearchMode.KEYWORD, parameters=parameters)
    assert found[SearchMode.KEYWORD].ndcg >= ndcg
    assert found[SearchMode.KEYWORD].recall >= recall


@pytest.mark.slow
async def test_both_sides_find_what_they_should_in_the_bundled_collection(
    database: Database, tmp_path: Path
) -> None:
    """Questions in other words than their answers, and a part number."""
    async with MiniLmEmbeddingModel(tmp_path) as model:
        found = await measured(database, model, BUNDLED, *SearchMode)
    assert found[SearchMode.SEMANTIC].ndcg >= 0.95
    assert found[SearchMode.KEYWORD].ndcg >= 0.8
    assert found[SearchMode.HYBRID].ndcg >= 0.95
    assert found[SearchMode.HYBRID].recall == 1.0


@pytest.mark.soak
async def test_both_sides_find_what_they_should_in_cranfield(
    database: Database, cranfield: Path, tmp_path: Path
) -> None:
    """Fused they find more than either."""
    async with MiniLmEmbeddingModel(tmp_path) as model:
        found = await measured(database, model, cranfield, *SearchMode)
    assert found[SearchMode.SEMANTIC].ndcg >= 0.350
    assert found[SearchMode.KEYWORD].ndcg >= KEYWORD
    assert found[SearchMode.HYBRID].ndcg >= 0.380
