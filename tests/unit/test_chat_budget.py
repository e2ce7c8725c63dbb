"""What fits in the tokens that a language model is given."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.models import MemoryTokenizer
from adapters.models.tokenizer import MiniLmTokenizer
from application.chat_prompts import Prompting
from domain.chat import budget
from domain.chat.answer import Source
from domain.chat.prompt import quotation
from domain.chat.request import ChatRequest, ContextMode, Turn

OFFSETS = MemoryTokenizer().offsets
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"

texts = st.one_of(
    st.integers(0, 800).map("word ".__mul__),
    st.integers(0, 3_000).map("ก".__mul__),
    st.integers(0, 300).map("<source>".__mul__),
    st.integers(0, 2_000).map(" ".__mul__),
    st.lists(st.sampled_from(["word", "x" * 70, "\n\n", ". ", "<source", "  ", "ก" * 25]), max_size=90).map(
        " ".join
    ),
)
headings = st.lists(st.integers(0, 60).map("deep ".__mul__), max_size=3).map(tuple)


def source(text: str, number: int = 1, title: str = "", path: tuple[str, ...] = ()) -> Source:
    return Source(number=number, text=text, end=len(text), title=title, heading_path=path)


sources = st.lists(st.tuples(texts, st.integers(0, 50).map("title ".__mul__), headings), max_size=12).map(
    lambda made: [source(text, number, title, path) for number, (text, title, path) in enumerate(made, 1)]
)


@given(sources, st.integers(40, 2_000))
def test_sources_fit_the_budget_as_they_are_quoted(given_sources: list[Source], tokens: int) -> None:
    """Title and headings are counted, and a word that no tokenizer knows is by its length."""
    for fitting in (
        budget.within_budget(given_sources, tokens, OFFSETS),
        budget.shared_budget(given_sources, tokens, OFFSETS),
    ):
        assert sum(budget.tokens_of(quotation(one), OFFSETS) for one in fitting) <= tokens
        for one in fitting:
            whole = given_sources[one.number - 1]
            assert whole.text.startswith(one.text)
            assert one.end == one.start + len(one.text)
            assert one.is_cut == (one.text != whole.text)


@given(st.lists(texts.filter(bool), max_size=9), st.integers(0, 500))
def test_earlier_turns_fit_the_budget(contents: list[str], tokens: int) -> None:
    history = [Turn(role="user", content=content) for content in contents]
    kept = budget.recent(history, tokens, OFFSETS)
    assert sum(budget.tokens_of(turn.content, OFFSETS) for turn in kept) <= tokens


@pytest.mark.parametrize("text", [THAI * 400, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * 800, "\u200b" * 24_000])
def test_what_the_tokenizer_does_not_know_counts_by_its_length(text: str) -> None:
    """To it 25,000 characters of Thai are one token, and characters without a width none."""
    offsets = MiniLmTokenizer().offsets
    assert len(offsets(text)) <= 1
    assert budget.tokens_of(text, offsets) >= len(text) // budget.GAP_CHARACTERS - 1
    request = ChatRequest(query="What?", context_mode=ContextMode.DOCUMENT, document="k", context_tokens=200)
    prompting = Prompting(tokenizer=MiniLmTokenizer())
    (shown,) = asyncio.run(prompting.prompt(request, [source(text)])).sources
    assert shown.is_cut
    assert 0 < len(shown.text) <= 200 * budget.GAP_CHARACTERS


def test_ordinary_words_count_as_the_tokenizer_has_them() -> None:
    text = "Every hop of a message is recorded, and what was lost is shown as a gap."
    offsets = MiniLmTokenizer().offsets
    assert budget.tokens_of(text, offsets) == len(offsets(text))


def test_many_short_segments_with_long_titles_fit() -> None:
    segments = [
        Source(
            number=number,
            text=f"Short fact number {number}.",
            title="A rather long document title about many things " * 6,
            heading_path=("Some heading of a chapter that goes on " * 4, "And a section below it " * 5),
            segment_id=UUID(int=number),
        )
        for number in range(1, 51)
    ]
    prompting = Prompting(tokenizer=MiniLmTokenizer())
    asked = asyncio.run(prompting.prompt(ChatRequest(query="What?", context_tokens=600), segments))
    assert asked.sources
    assert sum(prompting.tokens_of(quotation(one)) for one in asked.sources) <= 600


def test_a_source_is_shown_even_where_its_title_takes_all_the_room() -> None:
    """A model that is given none would answer from nothing."""
    long = Source(
        number=1, text="word " * 900, title="1 " * 200, heading_path=("2 " * 200,), segment_id=UUID(int=1)
    )
    prompting = Prompting(tokenizer=MemoryTokenizer())
    (shown,) = asyncio.run(
        prompting.prompt(ChatRequest(query="What?", context_tokens=200), [long, long])
    ).sources
    assert len(OFFSETS(shown.text)) == budget.LEAST_SOURCE_TOKENS


def test_objects_share_the_room() -> None:
    """What a short one leaves over goes to the long ones."""
    given_sources = [source("a " * 100, 1), source("b " * 9_000, 2), source("c " * 9_000, 3)]
    framed = 3 * budget.frame_of(given_sources[0], OFFSETS)
    shared = budget.shared_budget(given_sources, 2_100 + framed, OFFSETS)
    assert [len(OFFSETS(one.text)) for one in shared] == [100, 1_000, 1_000]


def test_of_more_objects_than_there_is_room_for_the_first_are_kept() -> None:
    shared = budget.shared_budget([source("a " * 900, number) for number in range(1, 9)], 170, OFFSETS)
    assert [one.number for one in shared] == [1, 2, 3]


def test_the_latest_turns_are_kept() -> None:
    history = [Turn(role="user", content="a " * 50), Turn(role="assistant", content="b " * 50)]
    assert budget.recent(history, 60, OFFSETS) == history[1:]
    assert budget.recent(history, 100, OFFSETS) == history


def test_of_a_latest_turn_that_is_too_long_its_beginning_is_kept() -> None:
    history = [Turn(role="user", content="Tell me!"), Turn(role="assistant", content="word " * 50)]
    (kept,) = budget.recent(history, 10, OFFSETS)
    assert (kept.role, kept.content) == ("assistant", "word " * 9 + "…")
    assert budget.recent(history, 0, OFFSETS) == []
