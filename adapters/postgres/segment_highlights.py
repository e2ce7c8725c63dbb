"""Where segments hold the words of a query, by the stems of each document's language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from adapters.postgres.database import Connection
from adapters.postgres.lexemes import Lexemes
from domain.language import text_search_configuration
from domain.match import IndexedSegment
from domain.retrieval.bm25 import MAX_QUERY_WORDS
from domain.retrieval.highlighting import Stretch, highlights, stretches
from domain.retrieval.words import words


async def highlighted(
    connection: Connection, lexemes: Lexemes, found: Sequence[IndexedSegment], query: str
) -> list[IndexedSegment]:
    """The segments with their highlights; asks the database for words that are new, once for each language."""
    wanted = list(dict.fromkeys(words(query)))[:MAX_QUERY_WORDS]
    placed = {segment.id: tuple(stretches(segment.segment.text)) for segment in found}
    by_configuration: defaultdict[str, list[IndexedSegment]] = defaultdict(list)
    for segment in found:
        by_configuration[text_search_configuration(segment.document.language)].append(segment)
    with_highlights = {}
    for configuration, segments in by_configuration.items():
        theirs = _words(placed[segment.id] for segment in segments)
        known = await lexemes.of_words(connection, configuration, theirs.union(wanted))
        looked_for = set(chain.from_iterable(known[word] for word in wanted))
        hits = {word for word in theirs if not looked_for.isdisjoint(known[word])}
        for segment in segments:
            with_highlights[segment.id] = highlights(placed[segment.id], hits.__contains__)
    return [replace(segment, highlights=with_highlights[segment.id]) for segment in found]


def _words(texts: Iterable[Iterable[Stretch]]) -> set[str]:
    return {word for text in texts for stretch in text for word in stretch.words}
