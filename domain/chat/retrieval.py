"""What is searched for a chat's question, and how the matches of several data sources become one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from domain.chat.errors import InvalidChatRequest
from domain.chat.extracting import content_stems
from domain.chat.request import MAX_QUERY_CHARACTERS, RagConfig, RetrievalStrategy, Turn
from domain.json import JsonObject
from domain.match import Match, SearchFilter
from domain.retrieval.filter_parsing import InvalidFilter
from domain.retrieval.search_filters import search_filter

FEW_WORDS = 2
EARLIER_CHARACTERS = 1_000
RRF_K = 60.0
"""Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", SIGIR 2009."""


def retrieval_query(query: str, history: Sequence[Turn]) -> str:
    """The question to search for: one of few words ("and how do I drop it?") goes with the one before it.

    Both together are no longer than a question may be.
    """
    room = min(EARLIER_CHARACTERS, MAX_QUERY_CHARACTERS - len(query) - 1)
    if room <= 0 or len(content_stems(query)) > FEW_WORDS:
        return query
    earlier = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    return f"{earlier[:room]}\n{query}" if earlier else query


def metadata_filter(filters: JsonObject) -> SearchFilter:
    """``metadata_filters`` as a filter, in the language of every search; raises InvalidChatRequest."""
    try:
        return search_filter(filters, path="metadata_filters")
    except InvalidFilter as error:
        raise InvalidChatRequest(error.message) from error


def joined(lists: Sequence[Sequence[Match]], rag: RagConfig) -> Sequence[Match]:
    """One list of the matches of all sources, each segment once, the best first.

    ``merge`` goes by weight times similarity, ``sequential`` by the order of the sources, ``ensemble`` by the sum of
    weight / (k + rank) where there are several sources; one source's order stays as it is.
    """
    first: dict[UUID, Match] = {}
    for matches in lists:
        for match in matches:
            first.setdefault(match.found.id, match)
    if rag.retrieval_strategy is RetrievalStrategy.SEQUENTIAL or len(lists) == 1:
        return list(first.values())
    scores: dict[UUID, float] = {}
    for source, matches in zip(rag.sources, lists, strict=True):
        for rank, match in enumerate(matches, start=1):
            key = match.found.id
            if rag.retrieval_strategy is RetrievalStrategy.MERGE:
                scores[key] = max(scores.get(key, -1.0), source.weight * match.score)
            else:
                scores[key] = scores.get(key, 0.0) + source.weight / (RRF_K + rank)
    order = sorted(scores, key=lambda key: (-scores[key], str(key)))
    return [replace(first[key], score=scores[key]) for key in order]
