"""The statements of a search and the query's embedding, with nothing around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg

from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.postgres import segment_search
from adapters.postgres.segment_filter import restrictions
from adapters.postgres.segment_rows import FETCH, vector_text
from adapters.postgres.text_search import configurations
from application.search import DEFAULT_CANDIDATES, DEFAULT_WEIGHTS
from benchmarks.stack import settings
from domain.match import Candidate, SearchFilter
from domain.retrieval.bm25 import Bm25
from domain.retrieval.fusion import linear_fusion
from domain.retrieval.words import words

EVERYTHING = SearchFilter()
LANGUAGE = "en"
ASKED_FOR = 11
"""Ten, and one that tells whether there are more, as the API asks for."""


class DirectSearch:
    """One connection to the server's database and a model of its own; below 20,000 vectors every one is compared."""

    def __init__(self, data: Path, url: str) -> None:
        chosen = settings(data)
        self._url = url
        self._model = MiniLmEmbeddingModel(
            data / "models", compute_type=chosen.model_compute_type, threads=chosen.model_threads
        )
        self._nearest = segment_search.exact(restrictions(EVERYTHING).text)
        self._keyword = segment_search.keyword("", Bm25())
        self._opened: psycopg.AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        await self._model.__aenter__()
        self._opened = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
        await self._model.__aexit__(kind, error, traceback)

    async def ask(self, query: str, mode: str) -> Sequence[str]:
        """The ids of the ten best segments, the best first."""
        if mode == "semantic":
            ranked = [found.segment_id for found in await self._semantic(query, ASKED_FOR)]
        else:
            sides = {
                "semantic": await self._semantic(query, DEFAULT_CANDIDATES),
                "keyword": await self._words(query, DEFAULT_CANDIDATES),
            }
            ranked = [fused.segment_id for fused in linear_fusion(sides, DEFAULT_WEIGHTS)]
        wanted: list[UUID] = ranked[:ASKED_FOR]
        found = {row[0] for row in await self._rows(FETCH.encode(), (wanted,))}
        return [str(segment_id) for segment_id in wanted if segment_id in found][: ASKED_FOR - 1]

    async def _semantic(self, query: str, limit: int) -> Sequence[Candidate]:
        (vector,) = await self._model.embed([query])
        parameters = {"vector": vector_text(vector), "model_name": self._model.model_name, "limit": limit}
        return _candidates(await self._rows(self._nearest, parameters))

    async def _words(self, query: str, limit: int) -> Sequence[Candidate]:
        parameters = {
            "words": " ".join(dict.fromkeys(words(query))),
            "configurations": configurations([LANGUAGE]),
            "limit": limit,
        }
        return _candidates(await self._rows(self._keyword, parameters))

    async def _rows(self, statement: Any, parameters: Any) -> Sequence[Any]:
        if self._opened is None:
            raise RuntimeError("open it with `async with`")
        return await (await self._opened.execute(statement, parameters)).fetchall()


def _candidates(rows: Sequence[Any]) -> Sequence[Candidate]:
    return [Candidate(segment_id=segment_id, score=score) for segment_id, score in rows]
