"""`python -m benchmarks.fusion_sweep FOLDER...`: what hybrid search gains over the better of its sides.

Each FOLDER holds a test collection in BEIR's layout, taken in by the shipped pipeline. Prints the gain in nDCG@10, in
per cent, for numbers of candidates and weights of the semantic side, one figure a collection. The settings of the
environment hold: `FACTFLOW_MODEL_COMPUTE_TYPE=float32`, or CTranslate2's `CT2_FORCE_CPU_ISA=GENERIC`, round otherwise
than the processor at hand and so show which differences are luck.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from application.contents import Application
from application.evaluation_set import judged_queries
from application.search import MAX_LIMIT, Search
from domain.evaluation import mean, measures
from domain.match import Candidate, SearchFilter
from domain.retrieval.fusion import linear_fusion
from entrypoints.evaluate import taken_in
from entrypoints.settings import Settings

CANDIDATES = (100, 200, 300, 400, 1000)
WEIGHTS = (0.5, 0.6, 0.65, 0.67, 0.68, 0.69, 0.7, 0.72, 0.75, 0.8)
EVERYTHING = SearchFilter()
FETCHED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One judged query with what either side found for it, as deep as can be looked."""

    judgements: Mapping[str, int]
    sides: Mapping[str, Sequence[Candidate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection's judged queries, and the document that each segment is of."""

    asked: Sequence[Asked]
    documents: Mapping[UUID, str | None]

    def ndcg(self, ranked: Callable[[Asked], Iterable[UUID]]) -> float:
        """The mean nDCG@10 of one way to rank."""
        found = []
        for one in self.asked:
            own = (self.documents.get(segment_id) for segment_id in ranked(one))
            ranking = list(dict.fromkeys(name for name in own if name is not None))
            found.append(measures(ranking[:100], one.judgements))
        return mean(found).ndcg

    def alone(self, side: str) -> float:
        """That of one side."""
        return self.ndcg(lambda one: (candidate.segment_id for candidate in one.sides[side]))

    def fused(self, weight: float, candidates: int) -> float:
        """That of both, the semantic one with such a weight, of so many candidates each."""
        weights = {"semantic": weight, "keyword": 1 - weight}

        def ranked(one: Asked) -> Iterable[UUID]:
            sides = {name: side[:candidates] for name, side in one.sides.items()}
            return (best.segment_id for best in linear_fusion(sides, weights))

        return self.ndcg(ranked)


async def sweep(folders: Sequence[Path]) -> None:
    """Take the collections in, ask their queries, and print."""
    collections = [await collected(folder) for folder in folders]
    bests = []
    for folder, collection in zip(folders, collections, strict=True):
        semantic, keyword = collection.alone("semantic"), collection.alone("keyword")
        bests.append(max(semantic, keyword))
        print(f"{folder.name}: semantic {semantic:.4f}, keyword {keyword:.4f}")
    for candidates in CANDIDATES:
        for weight in WEIGHTS:
            found = [collection.fused(weight, candidates) for collection in collections]
            gains = (100 * (one / best - 1) for one, best in zip(found, bests, strict=True))
            print(
                f"{candidates:>5} candidates, weight {weight:.2f}: {'  '.join(f'{gain:+.1f}' for gain in gains)}"
            )


async def collected(folder: Path) -> Collection:
    """One collection, in an index that is thrown away."""
    async with taken_in(Settings.read(os.environ), folder) as (application, names):
        asked = await asked_of(application.search, folder, set(names.values()))
        return Collection(asked=asked, documents=await documents_of(application, asked, names))


async def asked_of(search: Search, folder: Path, documents: set[str]) -> Sequence[Asked]:
    """Every query that has a relevant document."""
    model, asked = search.embedding_model(), []
    for text, grades in judged_queries(folder, documents=documents):
        (vector,) = await model.embed([text])
        semantic = await search.index.semantic(
            vector,
            model_name=model.model_name,
            limit=MAX_LIMIT,
            where=EVERYTHING,
            model_identity=model.identity,
        )
        keyword = await search.index.keyword(text, limit=MAX_LIMIT, where=EVERYTHING)
        sides = {"semantic": semantic, "keyword": keyword}
        asked.append(Asked(judgements=grades, sides=sides))
    return asked


async def documents_of(
    application: Application, asked: Sequence[Asked], names: Mapping[str, str]
) -> Mapping[UUID, str | None]:
    """The collection's id of the document that each segment is of."""
    wanted = sorted({one.segment_id for each in asked for side in each.sides.values() for one in side})
    found: dict[UUID, str | None] = {}
    for start in range(0, len(wanted), FETCHED):
        segments = await application.search.index.fetch(wanted[start : start + FETCHED])
        found |= {key: names.get(segment.document.document_id) for key, segment in segments.items()}
    return found


if __name__ == "__main__":
    asyncio.run(sweep([Path(folder) for folder in sys.argv[1:]]))
