"""The statements of a search through psycopg, with nothing around them."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from adapters.postgres import segment_search
from adapters.postgres.database import Connection, Database
from adapters.postgres.embedding_slots import prepare_walk, slot
from adapters.postgres.segment_filter import restrictions
from adapters.postgres.segment_rows import FETCH, vector_text
from adapters.postgres.text_search import configurations
from application.ports.segment_index import LEAST_LOOK
from benchmarks.synthetic_segments import DIMENSION, SLOT, SyntheticModel
from domain.match import SearchFilter
from domain.retrieval.bm25 import Bm25
from domain.retrieval.words import words

_TS_RANK = """
    SELECT id, ts_rank(lexemes, query) AS rank
    FROM segment, to_tsquery('english', %(words)s) AS query
    WHERE is_current AND lexemes @@ query ORDER BY rank DESC LIMIT %(limit)s
"""


class Statements:
    """One connection to the server's database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._model = SyntheticModel()
        self._walk = segment_search.approximate(
            restrictions(SearchFilter()).text, model_name=SLOT, dimension=DIMENSION
        )
        self._keyword = segment_search.keyword("", Bm25())
        self._opened: Connection | None = None

    async def __aenter__(self) -> Self:
        self._opened = await Database(self._url).connect("benchmark")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def semantic(self, query: str, limit: int) -> Sequence[Any]:
        """The nearest segments with their texts and documents, as a search of one side reads them."""
        ids = [row[0] for row in await self.semantic_leg(query, max(limit, LEAST_LOOK))][:limit]
        return await self._rows(FETCH.encode(), (ids,))

    async def semantic_leg(self, query: str, limit: int) -> Sequence[Any]:
        """The ids of the nearest by the index, in a transaction that sets how it is walked."""
        given = {"vector": vector_text(self._model.vector(query)), "model_name": SLOT, "limit": limit}
        async with self._connection.transaction():
            found = await slot(self._connection, SLOT)
            if found is None or found.kind is None:
                raise RuntimeError("there is no index")
            await prepare_walk(self._connection, found, limit)
            return await self._rows(self._walk, given)

    async def keyword_leg(self, query: str, limit: int) -> Sequence[Any]:
        """The ids of the best by BM25."""
        given = {
            "words": " ".join(dict.fromkeys(words(query))),
            "configurations": configurations(["en"]),
            "limit": limit,
        }
        return await self._rows(self._keyword, given)

    async def ts_rank(self, query: str, limit: int) -> Sequence[Any]:
        """The ids of the best by PostgreSQL's own ranking, any of the words over an index."""
        given = {"words": " | ".join(dict.fromkeys(words(query))), "limit": limit}
        return await self._rows(_TS_RANK.encode(), given)

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            raise RuntimeError("open it with `async with`")
        return self._opened

    async def _rows(self, statement: Any, parameters: Any) -> Sequence[Any]:
        return await (await self._connection.execute(statement, parameters)).fetchall()
