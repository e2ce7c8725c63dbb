"""BM25: how well a segment's words answer a query's.

The formula is Lucene's: Kamphuis, de Vries, Boytsov and Lin, "Which BM25 Do You Mean?", ECIR 2020, with exact lengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_QUERY_WORDS = 128
"""Distinct words of a query that are looked for, from its front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bm25:
    """The two parameters: ``k1`` says how soon more of a word adds nothing, ``b`` how much long segments are marked down."""

    k1: float = 1.2
    b: float = 0.75

    def term_score(
        self, *, frequency: int, length: int, mean_length: float, segments: int, segments_with_term: int
    ) -> float:
        """What one of the query's words adds to the score of a segment that holds it ``frequency`` times.

        ``length`` and ``mean_length`` are in words; the last two count the whole corpus.
        """
        norm = self.k1 * (1.0 - self.b + self.b * length / mean_length)
        return inverse_document_frequency(segments, segments_with_term) * frequency / (frequency + norm)

    def score(
        self,
        query: Iterable[str],
        segment: Mapping[str, int],
        *,
        corpus: Corpus,
        frequencies: Mapping[str, int],
    ) -> float:
        """The score of one segment, given how often it holds each word; each of the query's words counts once.

        ``frequencies`` maps each word to the number of segments of the corpus that hold it.
        """
        length = sum(segment.values())
        return settled(
            math.fsum(
                self.term_score(
                    frequency=segment[word],
                    length=length,
                    mean_length=corpus.mean_length,
                    segments=corpus.segments,
                    segments_with_term=frequencies[word],
                )
                for word in dict.fromkeys(query)
                if segment.get(word)
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """How many segments there are, and how many words they have together."""

    segments: int
    total_length: int

    @property
    def mean_length(self) -> float:
        """Words per segment; 0 in an empty corpus."""
        return self.total_length / self.segments if self.segments else 0.0


def inverse_document_frequency(segments: int, segments_with_term: int) -> float:
    """ln(1 + (N - n + ½) / (n + ½)): positive for every n up to N."""
    return math.log1p((segments - segments_with_term + 0.5) / (segments_with_term + 0.5))


def settled(score: float) -> float:
    """The score to nine places, so that the order in which terms were added cannot decide a tie."""
    return round(score, 9)
