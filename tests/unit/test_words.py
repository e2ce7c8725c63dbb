"""The words that a text is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retrieval.words import MAX_CHARACTERS, MAX_WORD_LENGTH, MAX_WORDS, matched_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Boundary-layer, of a WING/body!", ["boundary", "layer", "of", "a", "wing", "body"]),
        ("snake_case and E42", ["snake", "case", "and", "e42"]),
        ("ﬁne ＡＢＣ ½", ["fine", "abc", "1", "2"]),
        ("docu\u00adment", ["document"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京都", ["東京", "京都"]),
        ("水 and abc東京", ["水", "and", "abc", "東京"]),
        ("...?! \x00\n", []),
        ("", []),
    ],
)
def test_words_are_letters_digits_and_marks_in_lower_case(text: str, expected: list[str]) -> None:
    """All else separates; scripts without spaces come as pairs."""
    assert list(words(text)) == expected


@given(st.text(max_size=300))
def test_a_texts_words_are_the_words_of_its_words(text: str) -> None:
    """So a query made of a segment's words finds it; pairs aside, which overlap."""
    once = words(text)
    if all(word.isascii() for word in once):
        assert list(words(" ".join(once))) == list(once)


@given(st.text(max_size=300))
def test_words_never_hold_what_separates(text: str) -> None:
    """Nothing in them means anything to a database."""
    for word in words(text):
        assert word
        assert not set(word) & set(" \x00'\"\\:&|!()<>*%{}\n\t")


def test_endless_texts_are_cut() -> None:
    """By words, by characters, and each word by its length."""
    assert len(words("a " * 50_000)) == MAX_WORDS
    assert sum(map(len, words(f"{'x' * 50} " * 15_000))) <= MAX_CHARACTERS
    assert words("x" * 1000) == ["x" * MAX_WORD_LENGTH]
    assert len(matched_words("a " * 50_000, ["b " * 50_000])) == MAX_WORDS


def test_headings_come_first_and_once() -> None:
    """A heading whose words stand in the text in a row, or in a heading before it, adds nothing."""
    found = matched_words("Wings of steel fly", ["Wings of steel", "Metal", "metal", "fly steel", ""])
    assert list(found) == ["metal", "fly", "steel", "wings", "of", "steel", "fly"]
