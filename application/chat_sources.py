"""Gathers what an answer may rest on: found segments and stored objects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from application.chat_excerpts import cosine, nearest_passages
from application.ports.document_reader import DocumentReader
from application.ports.embedding_model import EmbeddingModel
from application.ports.object_storage import ObjectStorage
from application.ports.tokenizer import Tokenizer
from application.search import MAX_LIMIT, Search, SearchRequest
from domain.chat.answer import Source, source_of_match
from domain.chat.errors import InvalidChatRequest
from domain.chat.prompt import cut_to
from domain.chat.request import ChatRequest, ContextMode, DataSource, RetrievalStrategy
from domain.chat.retrieval import joined, metadata_filter, retrieval_query
from domain.document import ReadDocument, UnsupportedDocument
from domain.match import Match, SearchFilter, SearchMode
from domain.storage import StoredObject

MAX_OBJECT_BYTES = 20 * 1024 * 1024
MAX_OBJECT_CHARACTERS = 400_000
"""More of one object is not read: an answer rests on passages, not on libraries."""


RANKED_FOR_ONE = 4
"""So many times the wanted segments are looked at: what words alone have found may not be similar enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSources:
    """Finds the sources of one request."""

    search: Search
    storage: ObjectStorage
    reader: DocumentReader
    tokenizer: Tokenizer

    async def gather(self, request: ChatRequest, *, widened: int = 1) -> Sequence[Source]:
        """The sources, numbered from 1: given objects in their order, then what was found, the best first.

        ``widened`` multiplies how many segments are looked at, for a reader that chooses among them by itself.
        Raises ObjectNotFound, UnreadableDocument, InvalidChatRequest, EmbeddingSlotNotFound, Unavailable.
        """
        sources: list[Source] = []
        if request.context_mode in {ContextMode.ATTACHMENT, ContextMode.HYBRID}:
            sources += await self._objects(request, request.attachments)
        if request.context_mode is ContextMode.DOCUMENT and request.document:
            sources += await self._objects(request, (request.document,))
        if request.context_mode in {ContextMode.RAG, ContextMode.HYBRID}:
            sources += [source_of_match(match, 0) for match in await self._matches(request, widened)]
        return [replace(source, number=number) for number, source in enumerate(sources, start=1)]

    async def _matches(self, request: ChatRequest, widened: int) -> Sequence[Match]:
        query = retrieval_query(request.query, request.history)
        rag = request.rag
        most = rag.max_context_items * widened
        if rag.retrieval_strategy is not RetrievalStrategy.SEQUENTIAL:
            lists = await asyncio.gather(
                *(self._of_source(query, source, rag.retrieval_strategy, widened) for source in rag.sources)
            )
            return joined(lists, rag)[:most]
        found: list[Sequence[Match]] = []
        for source in rag.sources:
            found.append(await self._of_source(query, source, rag.retrieval_strategy, widened))
            if len({match.found.id for matches in found for match in matches}) >= most:
                break
        return joined(found, rag)[:most]

    async def _of_source(
        self, query: str, source: DataSource, strategy: RetrievalStrategy, widened: int
    ) -> Sequence[Match]:
        """The source's matches that are similar enough, as many as it may have."""
        mode = SearchMode.SEMANTIC if strategy is RetrievalStrategy.MERGE else SearchMode.HYBRID
        most = source.limit * widened
        asked = SearchRequest(
            query=query,
            mode=mode,
            limit=min(most * RANKED_FOR_ONE, MAX_LIMIT) if mode is SearchMode.HYBRID else most,
            where=await self._where(source),
            model_name=source.model_name,
        )
        model = self.search.embedding_model(source.model_name)
        matches = await self.search.find(asked)
        threshold = source.similarity_threshold
        if threshold is None:
            threshold = model.default_threshold
        similarities = await self._similarities(query, matches, model)
        return [match for match in matches if similarities.get(match.found.id, -1.0) >= threshold][:most]

    async def _where(self, source: DataSource) -> SearchFilter:
        """A source that is named for an origin searches that origin alone."""
        where = metadata_filter(source.metadata_filters)
        if source.name != "default" and not where.origins and source.name in await self.search.sources():
            return replace(where, origins=(source.name,))
        return where

    async def _similarities(
        self, query: str, matches: Sequence[Match], model: EmbeddingModel
    ) -> Mapping[UUID, float]:
        """Cosines of query and matches, as far as the slot holds their vectors."""
        known = {
            match.found.id: match.components["semantic"]
            for match in matches
            if "semantic" in match.components
        }
        unknown = [match.found.id for match in matches if match.found.id not in known]
        if not unknown:
            return known
        (asked,) = await model.embed([query])
        vectors = await self.search.index.vectors(unknown, model_name=model.model_name)
        return known | {found: cosine(asked, vector) for found, vector in vectors.items()}

    async def _objects(self, request: ChatRequest, keys: Sequence[str]) -> Sequence[Source]:
        read = [await self._object(key) for key in keys]
        if request.reading.is_whole:
            return [source for source, _ in read]
        model = self.search.embedding_model(request.reading.model_name)
        return await nearest_passages(
            request.query, read, model=model, tokenizer=self.tokenizer, most=request.reading.most_excerpts
        )

    async def _object(self, key: str) -> tuple[Source, ReadDocument]:
        described = await self.storage.head(key)
        if described.size > MAX_OBJECT_BYTES:
            raise InvalidChatRequest(
                f"{key} has {described.size} bytes; at most {MAX_OBJECT_BYTES} can be read"
            )
        content = await self.storage.read(key)
        read = await asyncio.to_thread(self._read, key, content)
        source = Source(
            number=0,
            text=read.markdown,
            title=read.title or _metadata_text(described, "title") or key.rpartition("/")[2],
            url=_metadata_text(described, "url"),
            end=len(read.markdown),
            storage_key=key,
            page_starts=read.page_starts,
        )
        return cut_to(source, MAX_OBJECT_CHARACTERS), read

    def _read(self, key: str, content: bytes) -> ReadDocument:
        name = key.rpartition("/")[2]
        if self.reader.supports(name):
            read = self.reader.read(name, content)
            return replace(read, markdown=read.markdown.replace("\0", "\ufffd"))
        try:
            return ReadDocument(markdown=content.decode("utf-8-sig").replace("\0", "\ufffd"))
        except UnicodeDecodeError as error:
            raise UnsupportedDocument(f"{key} is neither text nor of a kind that can be read") from error


def _metadata_text(described: StoredObject, name: str) -> str:
    value = described.metadata.get(name)
    return value if isinstance(value, str) else ""
