"""The behaviour that ``application.ports.tokenizer`` promises, for every tokenizer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.memory.models import MemoryTokenizer
from adapters.models.tokenizer import MiniLmTokenizer
from application.ports.tokenizer import Tokenizer

MINILM = MiniLmTokenizer()


@pytest.fixture(params=["minilm", "memory"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return MINILM if request.param == "minilm" else MemoryTokenizer()


@pytest.mark.parametrize(
    "text",
    [
        "The wing's lift.",
        "Über  Größe\n\nnaïve",
        "東京 タワー",
        "🙂 ok 👩‍👩‍👧",
        "cafe\u0301 au lait",
        "half \ud800 pair",
    ],
)
def test_offsets_point_into_the_text_itself(tokenizer: Tokenizer, text: str) -> None:
    """In order, in characters, and together they hold everything that is not white space, marks apart."""
    offsets = list(tokenizer.offsets(text))
    assert offsets == sorted(offsets)
    assert all(0 <= start < end <= len(text) for start, end in offsets)
    covered = {index for start, end in offsets for index in range(start, end)}
    missed = {text[index] for index in range(len(text)) if index not in covered and not text[index].isspace()}
    assert not {character for character in missed if character.isalnum()}


def test_a_text_without_tokens_has_no_offsets(tokenizer: Tokenizer) -> None:
    assert list(tokenizer.offsets("")) == []
    assert list(tokenizer.offsets(" \n\t ")) == []


def test_a_long_text_is_not_cut_short(tokenizer: Tokenizer) -> None:
    offsets = tokenizer.offsets("word " * 5_000)
    assert len(offsets) == 5_000
    assert offsets[-1][1] == 5_000 * 5 - 1


def test_the_limit_leaves_room_for_a_passage(tokenizer: Tokenizer) -> None:
    assert tokenizer.limit > 100


def test_threads_may_share_it(tokenizer: Tokenizer) -> None:
    texts = [f"text {number} " * number for number in range(40)]
    alone = [list(tokenizer.offsets(text)) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert [list(offsets) for offsets in pool.map(tokenizer.offsets, texts)] == alone
