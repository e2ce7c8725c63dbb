"""What is searched for a chat's question, and how the matches of several data sources become one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from domain.chat.errors import InvalidChatRequest
from domain.chat.extracting import content_stems
from domain.chat.request import RagConfig, RetrievalStrategy, Turn
from domain.json import Json, JsonObject
from domain.match import Match, SearchFilter

FEW_WORDS = 2
RRF_K = 60.0
"""Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", SIGIR 2009."""


def retrieval_query(query: str, history: Sequence[Turn]) -> str:
    """The question to search for: one of few words ("and how do I drop it?") goes with the one before it."""
    if len(content_stems(query)) > FEW_WORDS:
        return query
    earlier = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    return f"{earlier[:1_000]}\n{query}" if earlier else query


def search_filter(filters: JsonObject) -> SearchFilter:
    """``metadata_filters`` as a filter; raises InvalidChatRequest for a field that segments do not have."""
    known = {"origin": "origins", "document_id": "document_ids", "execution_id": "execution_ids"}
    language = filters.get("language")
    if language is not None and not isinstance(language, str):
        raise InvalidChatRequest("metadata_filters.language is a language code")
    restrictions: dict[str, tuple[str, ...]] = {}
    for name, value in filters.items():
        field = known.get(name, name)
        if field in known.values():
            restrictions[field] = (*restrictions.get(field, ()), *_texts(name, value))
        elif name != "language":
            allowed = ", ".join((*known, "language"))
            raise InvalidChatRequest(f"metadata_filters has no field {name!r}; there are: {allowed}")
    return SearchFilter(
        origins=restrictions.get("origins", ()),
        document_ids=restrictions.get("document_ids", ()),
        execution_ids=tuple(map(_id, restrictions.get("execution_ids", ()))),
        language=language,
    )


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


def _texts(name: str, value: Json) -> Sequence[str]:
    values = [value] if isinstance(value, str) else value
    if isinstance(values, Sequence) and all(isinstance(one, str) for one in values):
        return [str(one) for one in values]
    raise InvalidChatRequest(f"metadata_filters.{name} is a text or a list of texts")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidChatRequest(f"{text!r} is not the id of an execution") from error
