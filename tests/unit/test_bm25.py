"""BM25 against the formula written out."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.bm25 import Bm25, Corpus, inverse_document_frequency

texts = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)
corpora = st.lists(texts, min_size=1, max_size=8)


def scores(query: list[str], corpus: list[list[str]], parameters: Bm25) -> list[float]:
    counts = [Counter(text) for text in corpus]
    totals = Corpus(segments=len(corpus), total_length=sum(map(len, corpus)))
    frequencies = Counter(word for count in counts for word in count)
    return [parameters.score(query, count, corpus=totals, frequencies=frequencies) for count in counts]


@given(texts, corpora, st.floats(0, 3), st.floats(0, 1))
def test_the_score_is_the_formula(query: list[str], corpus: list[list[str]], k1: float, b: float) -> None:
    """Written out once more, from counting."""
    mean = sum(len(text) for text in corpus) / len(corpus)
    for text, score in zip(corpus, scores(query, corpus, Bm25(k1=k1, b=b)), strict=True):
        expected = 0.0
        for word in set(query) & set(text):
            holding = sum(word in other for other in corpus)
            idf = math.log(1 + (len(corpus) - holding + 0.5) / (holding + 0.5))
            expected += idf * text.count(word) / (text.count(word) + k1 * (1 - b + b * len(text) / mean))
        assert score == pytest.approx(expected, abs=1e-8)


@given(corpora)
def test_the_order_of_a_querys_words_cannot_matter(corpus: list[list[str]]) -> None:
    """Scores are settled to nine places, so ties stay ties."""
    query = sorted({word for text in corpus for word in text})
    assert scores(query, corpus, Bm25()) == scores(query[::-1] + query, corpus, Bm25())


@given(st.integers(1, 10**9), st.data())
def test_rare_words_weigh_more_and_none_weighs_less_than_nothing(segments: int, data: st.DataObject) -> None:
    """Even a word that every segment holds adds a little."""
    holding = data.draw(st.integers(1, segments))
    assert inverse_document_frequency(segments, holding) > 0
    if holding > 1:
        assert inverse_document_frequency(segments, holding - 1) > inverse_document_frequency(
            segments, holding
        )


def test_an_empty_corpus_has_no_length() -> None:
    """And no division by nothing."""
    assert Corpus(segments=0, total_length=0).mean_length == 0.0
    assert Bm25().score(["a"], {}, corpus=Corpus(segments=0, total_length=0), frequencies={}) == 0.0
