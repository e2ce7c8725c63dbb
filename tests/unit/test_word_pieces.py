"""Splitting word by word against splitting whole texts with the library."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from adapters.models import word_pieces
from adapters.models.package import installed_package
from adapters.models.tokenizer import MiniLmTokenizer

MINILM = MiniLmTokenizer()

ODD = "aA1 ,.[]#_'-\t\n\r\x00\x01\x0b\x1c\x7f\x85\xa0\xad\u0301\u0308\u200b\u200d\u2003\u2028\u3000\ufeff\ufffdßéÉΣσİı東カ가กक🙂\U000e0041"
PARTS = [
    "[CLS]",
    "[MASK]",
    "[UNK]",
    "##ing",
    "unaffable",
    "w" * 70,
    "z" * 120,
    "Straße",
    "e\u0301",
    "O'Neill",
]


@cache
def whole() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(installed_package().tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def assert_the_same(text: str) -> None:
    expected = whole().encode(text, add_special_tokens=False)
    assert list(MINILM.offsets(text)) == expected.offsets
    kept = expected.ids[: MINILM.limit]
    assert MINILM.ids([text]) == [[101, *kept, 102]]


@given(
    st.lists(st.one_of(st.text(ODD), st.text(), st.sampled_from(PARTS), st.just(" ")), max_size=12).map(
        "".join
    )
)
def test_any_text_comes_out_as_the_library_splits_it(text: str) -> None:
    assert_the_same(text.encode("utf-8", "replace").decode())


@given(st.text("aeinrstABC019", max_size=70))
def test_any_word_is_found_in_the_vocabulary_as_the_library_splits_it(word: str) -> None:
    assert_the_same(word)


@pytest.mark.parametrize("first", range(0, 0x3000, 0x200))
def test_every_character_separates_or_joins_words_as_in_the_library(first: int) -> None:
    for code in range(first, first + 0x200):
        assert_the_same(f"wing{chr(code)}flow {chr(code)} Mach{chr(code)}, 2")


def test_a_long_text_is_cut_to_what_the_model_reads() -> None:
    assert_the_same("The boundary-layer's flow, at Mach 2.5 (approx.), separates. " * 40)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_pieces, "MOST_WORDS", 10)
    pieces = word_pieces.WordPieces(lambda word: ([len(word)] if word != " " else [], []), ())
    text = " ".join(f"{number}x" for number in range(100))
    assert pieces.ids(text, 1000) == [len(word) for word in text.split()]
    assert len(pieces._ids) <= 10
