"""`python -m benchmarks.retrieval_sweep FOLDER`: what search finds with other parameters, weights and fusions.

FOLDER holds a test collection in BEIR's layout; each document is one segment. Prints nDCG@10, average precision and
recall@100 of each side and of every way to fuse the two; then which ways are best on questions that had no part in the
choice, over 20 cuts into five folds.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.models.minilm import MiniLmEmbeddingModel
from adapters.postgres.database import Database
from adapters.postgres.documents import PostgresDocuments
from adapters.postgres.migration import migrate
from adapters.postgres.segment_index import PostgresSegmentIndex
from application.evaluation_set import corpus_documents, judged_queries
from benchmarks.retrieval_sweep_folds import cross_validated
from domain.document import Document, EmbeddedSegment, Segment, segment_id
from domain.evaluation import Measures, mean, measures
from domain.match import Candidate, SearchFilter
from domain.retrieval.bm25 import Bm25
from domain.retrieval.fusion import linear_fusion, reciprocal_rank_fusion

CANDIDATES = (100, 200)
PARAMETERS = ((0.9, 0.4), (1.2, 0.75), (1.5, 0.75), (2.0, 0.75))
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8)
RRF_KS = (10, 20, 60)
EVERYTHING = SearchFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One judged query with what either side found for it, at the greatest depth."""

    judgements: Mapping[str, int]
    semantic: Sequence[Candidate]
    keyword: Sequence[Candidate]

    def sides(self, candidates: int) -> Mapping[str, Sequence[Candidate]]:
        """Both sides cut to so many candidates."""
        return {"semantic": self.semantic[:candidates], "keyword": self.keyword[:candidates]}


async def sweep(folder: Path) -> None:
    """Take the collection in, ask its queries, and print."""
    with tempfile.TemporaryDirectory(prefix="factflow-sweep-") as kept:
        async with (
            EmbeddedPostgres(Path(kept) / "postgres") as server,
            Database(server.url) as database,
            MiniLmEmbeddingModel(Path(kept) / "models") as model,
        ):
            await migrate(database)
            names = await take_in(database, model, folder)
            scores: dict[str, Sequence[float]] = {}
            for k1, b in PARAMETERS:
                index = PostgresSegmentIndex(database, parameters=Bm25(k1=k1, b=b))
                asked = [one async for one in ask(index, model, folder, set(names.values()))]
                scores |= report(asked, names, f"k1 {k1} b {b}")
            report_folds(scores)


async def take_in(database: Database, model: MiniLmEmbeddingModel, folder: Path) -> Mapping[UUID, str]:
    """Index every document as one segment; returns the document of each segment."""
    documents, index = PostgresDocuments(database), PostgresSegmentIndex(database)
    names: dict[UUID, str] = {}
    for entry in corpus_documents(folder):
        names[segment_id(entry.id, entry.content, 0)] = entry.id
        if not entry.content:
            continue
        document = Document(
            document_id=entry.id, origin="sweep", title=entry.title, url="", fingerprint="", version=1
        )
        opened = await documents.begin(document, expected=1)
        (vector,) = await model.embed([entry.content])
        text = Segment(ordinal=0, text=entry.content, start=0, end=len(entry.content))
        segment = EmbeddedSegment(
            id=segment_id(entry.id, entry.content, 0),
            document_id=entry.id,
            version=opened.version,
            segment=text,
            model_name=model.model_name,
            vector=vector,
        )
        await index.index([segment])
    return names


async def ask(
    index: PostgresSegmentIndex, model: MiniLmEmbeddingModel, folder: Path, documents: set[str]
) -> AsyncIterator[Asked]:
    """Every query that has a relevant document."""
    deepest = max(CANDIDATES)
    for text, grades in judged_queries(folder, documents=documents):
        (vector,) = await model.embed([text])
        yield Asked(
            judgements=grades,
            semantic=await index.semantic(
                vector, model_name=model.model_name, limit=deepest, where=EVERYTHING
            ),
            keyword=await index.keyword(text, limit=deepest, where=EVERYTHING),
        )


def report(asked: Sequence[Asked], names: Mapping[UUID, str], title: str) -> Mapping[str, Sequence[float]]:
    """One line per way to rank; returns each way's nDCG@10 for every question."""
    scores: dict[str, Sequence[float]] = {}
    for name, rankings in ranked(asked):
        measured = [
            measures([names[key] for key in ranking], one.judgements)
            for one, ranking in zip(asked, rankings, strict=True)
        ]
        scores[f"{title} {name}"] = [one.ndcg for one in measured]
        print(f"{title:<14} {name:<34} {line(mean(measured))}", flush=True)
    return scores


def report_folds(scores: Mapping[str, Sequence[float]]) -> None:
    """For each family of ways: what choosing among them gives on unseen questions, and which were chosen."""
    for family in ("keyword", "linear", "rrf"):
        ways = {way: given for way, given in scores.items() if f" {family}" in way}
        found = cross_validated(ways)
        print(f"folds {family:<8} chosen {found.unseen:.4f}, best in hindsight {found.best_unseen:.4f}")
        for way, times in sorted(found.chosen.items(), key=lambda pair: -pair[1])[:5]:
            print(f"  {way}: chosen {times} times, {found.fixed[way]:.4f}")


def ranked(asked: Sequence[Asked]) -> Iterator[tuple[str, Sequence[Sequence[UUID]]]]:
    """Every way to rank, with the ranking it gives each query."""
    yield "semantic", [[candidate.segment_id for candidate in one.semantic[:100]] for one in asked]
    yield "keyword", [[candidate.segment_id for candidate in one.keyword[:100]] for one in asked]
    for candidates in CANDIDATES:
        for weight in WEIGHTS:
            weights = {"semantic": weight, "keyword": 1 - weight}
            fused = [linear_fusion(one.sides(candidates), weights) for one in asked]
            yield (
                f"linear {weight} of {candidates}",
                [[best.segment_id for best in one[:100]] for one in fused],
            )
            for k in RRF_KS:
                fused = [reciprocal_rank_fusion(one.sides(candidates), weights, k=k) for one in asked]
                name = f"rrf {weight} k {k} of {candidates}"
                yield name, [[best.segment_id for best in one[:100]] for one in fused]


def line(found: Measures) -> str:
    """nDCG@10, average precision, recall@100."""
    return f"{found.ndcg:.4f} {found.average_precision:.4f} {found.recall:.4f}"


if __name__ == "__main__":
    asyncio.run(sweep(Path(sys.argv[1])))
