"""Measures the search on a test collection whose documents are indexed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from application.evaluation_set import corpus_documents, judged_queries
from application.search import MAX_LIMIT, MAX_QUERY_CHARACTERS, Search, SearchRequest
from domain.evaluation import Measures, mean, measures
from domain.match import Match, SearchFilter, SearchMode

DOCUMENTS_PER_QUERY = 100
NDCG_AT = 10
RECALL_AT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """The measures of each mode over the queries that have a relevant document."""

    documents: int
    queries: int
    modes: Mapping[SearchMode, Measures]

    def as_json(self) -> dict[str, object]:
        """``{"documents", "queries", "modes": {mode: {"ndcg@10", "ap", "recall@100"}}}``, measures to four places."""
        return {
            "documents": self.documents,
            "queries": self.queries,
            "modes": {
                mode.value: {
                    f"ndcg@{NDCG_AT}": round(found.ndcg, 4),
                    "ap": round(found.average_precision, 4),
                    f"recall@{RECALL_AT}": round(found.recall, 4),
                }
                for mode, found in self.modes.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Asks the queries of a collection and compares what is found with what was judged."""

    search: Search

    async def run(
        self,
        folder: Path,
        *,
        collection_id: Callable[[str], str | None] = lambda document_id: document_id,
        where: SearchFilter | None = None,
        modes: Sequence[SearchMode] = tuple(SearchMode),
        progress: Callable[[int, int], None] | None = None,
    ) -> EvaluationResult:
        """Run every judged query in every mode with the defaults of search.

        ``collection_id`` gives the collection's ``_id`` for an indexed document's id, None for one that is not of it.
        ``progress`` is told after each query how many are done, of how many. Raises BrokenEvaluationSet.
        """
        documents = {document.id for document in corpus_documents(folder)}
        judged = judged_queries(folder, documents=documents)
        found: dict[SearchMode, list[Measures]] = {mode: [] for mode in modes}
        for done, (text, grades) in enumerate(judged, start=1):
            for mode in modes:
                ranking = await self._ranking(text, mode, collection_id, where or SearchFilter())
                found[mode].append(measures(ranking, grades, ndcg_at=NDCG_AT, recall_at=RECALL_AT))
            if progress:
                progress(done, len(judged))
        return EvaluationResult(
            documents=len(documents),
            queries=len(judged),
            modes={mode: mean(measured) for mode, measured in found.items()},
        )

    async def _ranking(
        self,
        query: str,
        mode: SearchMode,
        collection_id: Callable[[str], str | None],
        where: SearchFilter,
    ) -> Sequence[str]:
        limit = DOCUMENTS_PER_QUERY
        while True:
            request = SearchRequest(query=query[:MAX_QUERY_CHARACTERS], mode=mode, limit=limit, where=where)
            matches = await self.search.find(request)
            ranking = rank_documents(matches, collection_id)
            if len(ranking) >= DOCUMENTS_PER_QUERY or len(matches) < limit or limit == MAX_LIMIT:
                return ranking[:DOCUMENTS_PER_QUERY]
            # Long documents take several places each: look further down.
            limit = min(2 * limit, MAX_LIMIT)


def rank_documents(matches: Sequence[Match], collection_id: Callable[[str], str | None]) -> Sequence[str]:
    """The documents of matches, each where its best segment stands."""
    ids = (collection_id(match.found.document.document_id) for match in matches)
    return list(dict.fromkeys(document_id for document_id in ids if document_id is not None))
