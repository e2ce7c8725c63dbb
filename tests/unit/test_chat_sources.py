"""Which found segments are similar enough for an answer to rest on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.documents import FormatDocumentReader
from adapters.memory.corpus import Corpus
from adapters.memory.documents import MemoryDocuments
from adapters.memory.models import MemoryTokenizer
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.memory.storage import MemoryObjectStorage
from application.chat_sources import ChatSources
from application.embedding_models import EmbeddingModels
from application.search import Search
from application.search_request import DEFAULT_CANDIDATES
from domain.chat.request import ChatRequest, DataSource, RagConfig, Turn
from domain.chat.retrieval import retrieval_query
from domain.document import Document, EmbeddedSegment, Segment, segment_id

BEYOND_CANDIDATES = DEFAULT_CANDIDATES + 10
"""More segments than the semantic side of a search looks at."""


@dataclass
class Eastward:
    """Embeds every text alike, and keeps what it was given."""

    model_name: str = "east"
    identity: str = "east/1"
    dimension: int = 2
    default_threshold: float = 0.3
    given: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.given += texts
        return [(1.0, 0.0)] * len(texts)


async def sources_of(model: Eastward, similar: dict[str, float]) -> ChatSources:
    """An index with a segment for each text, whose stored vector is as similar to every question as is said."""
    corpus = Corpus()
    documents, index = MemoryDocuments(corpus), MemorySegmentIndex(corpus)
    document = Document(document_id="d", origin="o", title="", url="", fingerprint="1", version=1)
    opened = await documents.begin(document, expected=len(similar))
    await index.index(
        [
            EmbeddedSegment(
                id=segment_id("d", text, ordinal),
                document_id="d",
                version=opened.version,
                segment=Segment(ordinal=ordinal, text=text, start=0, end=len(text)),
                model_name=model.model_name,
                model_identity=model.identity,
                vector=(cosine, math.sqrt(1 - cosine**2)),
            )
            for ordinal, (text, cosine) in enumerate(similar.items())
        ]
    )
    return ChatSources(
        search=Search(index=index, models=EmbeddingModels(own=model)),
        storage=MemoryObjectStorage(),
        reader=FormatDocumentReader(),
        tokenizer=MemoryTokenizer(),
    )


async def test_what_words_alone_have_found_is_measured_by_its_stored_vector() -> None:
    """Not by one of its bare text, without title and headings; and only the question is embedded."""
    model = Eastward()
    # All of it is nearer than what words find, and takes up every candidate.
    padding = {f"padding {number}": 0.45 - number / 10_000 for number in range(BEYOND_CANDIDATES)}
    assert min(padding.values()) > 0.4
    found = {"nearest": 0.99, "zirconium near": 0.4, "zirconium far": 0.1}
    sources = await sources_of(model, padding | found)
    request = ChatRequest(query="zirconium valve pumps", rag=RagConfig(sources=(DataSource(limit=5),)))
    texts = [source.text for source in await sources.gather(request)]
    assert "zirconium near" in texts
    assert "zirconium far" not in texts
    assert set(model.given) == {request.query}


async def test_as_many_sources_come_as_pass_the_threshold_and_the_limit() -> None:
    """The best matches by words are not similar enough; those behind them are."""
    found = {f"zirconium valve pumps {number}": 0.29 for number in range(5)}
    similar = {"nearest": 0.99} | {f"padding {number}": 0.4 for number in range(9)}
    sources = await sources_of(Eastward(), found | similar)
    request = ChatRequest(
        query="zirconium valve pumps", rag=RagConfig(sources=(DataSource(limit=5, similarity_threshold=0.3),))
    )
    assert len(await sources.gather(request)) == 5


async def test_a_long_question_of_few_words_is_searched_with_as_much_before_it_as_there_is_room() -> None:
    history = (Turn(role="user", content="a long earlier question about wings " * 40),)
    for query in ("? " * 4_700 + "why", "?" * 10_000, "?" * 9_999, "Why?"):
        asked = retrieval_query(query, history)
        assert asked.endswith(query)
        assert len(asked) <= 10_000
        assert len(asked) >= min(len(query) + 1_000, 9_999)
        sources = await sources_of(Eastward(), {"wings": 0.5})
        assert await sources.gather(ChatRequest(query=query, history=history))
