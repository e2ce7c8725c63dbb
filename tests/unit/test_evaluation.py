"""Running a collection's queries, over the doubles in memory."""

from __future__ import annotations

from pathlib import Path

from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.models import MemoryEmbeddingModel
from adapters.memory.segment_index import MemorySegmentIndex
from application.embedding_models import EmbeddingModels
from application.evaluation import Evaluation
from application.search import Search
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from domain.match import SearchMode

CORPUS = (
    '{"_id": "z", "text": "zebras graze"}\n{"_id": "l", "text": "lions sleep"}\n{"_id": "e", "text": ""}\n'
)
QUERIES = (
    '{"_id": "1", "text": "zebras"}\n{"_id": "2", "text": "sleep"}\n{"_id": "3", "text": "no one judged"}\n'
    '{"_id": "4", "text": "nothing is relevant"}\n'
)
JUDGEMENTS = "query-id\tcorpus-id\tscore\n1\tz\t2\n2\tz\t1\n2\te\t1\n4\tz\t0\n"


async def test_a_collection_is_measured_by_documents(tmp_path: Path) -> None:
    """Each document where its best segment stands; others in the index are passed over; progress is told."""
    (tmp_path / "qrels").mkdir()
    for name, text in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/test.tsv", JUDGEMENTS)):
        (tmp_path / name).write_text(text)
    search = await indexed(
        {"doc-z": ["zebras graze", "zebras"], "doc-l": ["sleep"] * 120, "other": ["sleep"]}
    )
    told: list[tuple[int, int]] = []
    result = await Evaluation(search=search).run(
        tmp_path,
        collection_id={"doc-z": "z", "doc-l": "l"}.get,
        modes=[SearchMode.KEYWORD, SearchMode.SEMANTIC],
        progress=lambda done, total: told.append((done, total)),
    )
    assert result.as_json() == {
        "documents": 3,
        "queries": 2,
        "modes": {
            "keyword": {"ndcg@10": 0.5, "ap": 0.5, "recall@100": 0.5},
            # For the second query z comes after l, although l fills the first hundred places.
            "semantic": {"ndcg@10": 0.6934, "ap": 0.625, "recall@100": 0.75},
        },
    }
    assert told == [(1, 2), (2, 2)]


async def indexed(documents: dict[str, list[str]]) -> Search:
    """A search over these documents' segments."""
    corpus, model = Corpus(), MemoryEmbeddingModel()
    for document_id, texts in documents.items():
        document = Document(document_id=document_id, origin="", title="", url="", fingerprint="", version=1)
        opened = await MemoryDocuments(corpus).begin(document, expected=len(texts))
        vectors = await model.embed(texts)
        segments = [
            EmbeddedSegment(
                id=segment_id(document_id, text, ordinal),
                document_id=document_id,
                version=opened.version,
                segment=Segment(ordinal=ordinal, text=text, start=0, end=len(text)),
                model_name=model.model_name,
                vector=vectors[ordinal],
            )
            for ordinal, text in enumerate(texts)
        ]
        await MemorySegmentIndex(corpus).index(segments)
    return Search(index=MemorySegmentIndex(corpus), models=EmbeddingModels(own=model))
