"""Where words stand: in scripts with spaces and without, whatever normalisation does to their lengths."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.highlighting import MAX_HIGHLIGHTS, highlights, stretches
from domain.retrieval.words import words


def shown(text: str, query: str) -> list[str]:
    wanted = set(words(query))
    return [text[start:end] for start, end in highlights(stretches(text), wanted.__contains__)]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Zebras graze; zebras_sleep.", "zebras", ["Zebras", "zebras"]),
        ("the \ufb01ne print", "fine", ["\ufb01ne"]),
        ("ÜBER alles, über", "u\u0308ber", ["ÜBER", "über"]),
        ("co\u00adoperate", "cooperate", ["co\u00adoperate"]),
        ("東京都の人口は多い", "人口", ["人口"]),
        ("東京都の人口", "東京都", ["東京都"]),
        ("ABC東京x", "abc 東京", ["ABC", "東京"]),
        ("½ a cup", "2", ["½"]),
        ("", "zebra", []),
        ("zebra", "", []),
    ],
)
def test_the_words_of_the_query_are_pointed_at(text: str, query: str, expected: list[str]) -> None:
    assert shown(text, query) == expected


@given(st.text(max_size=60))
def test_every_word_is_found_where_it_stands(text: str) -> None:
    placed = list(stretches(text))
    assert all(0 <= one.start < one.end <= len(text) for one in placed)
    found = highlights(placed, lambda _: True)
    assert all(left[1] <= right[0] for left, right in pairwise(found))


@given(st.lists(st.sampled_from(["zebra", "Über", "東京", "x1", "ﬁn"]), max_size=8))
def test_the_words_are_those_of_a_search(parts: list[str]) -> None:
    text = " ".join(parts)
    assert [word for one in stretches(text) for word in one.words] == list(words(text))


def test_there_is_an_end_to_it() -> None:
    assert len(shown("zebra " * 1000, "zebra")) == MAX_HIGHLIGHTS
