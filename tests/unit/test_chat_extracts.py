"""Quotations point into what is shown, however little of the sources fits."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.models import MemoryEmbeddingModel, MemoryTokenizer
from application.chat_extracts import Extracts
from application.chat_prompts import Prompting
from domain.chat import budget
from domain.chat.answer import ChatAnswer, Source
from domain.chat.request import ChatRequest, ContextMode, RagConfig

QUESTION = "When must the zirconium valve of the pump be replaced?"
VALVE = "The zirconium valve must be replaced every forty hours of operation."
OFFSETS = MemoryTokenizer().offsets


def padding(paragraphs: int, about: str = "weather") -> str:
    return "\n\n".join(
        f"This paragraph {number} speaks of the {about} and of nothing else at all."
        for number in range(paragraphs)
    )


def answered(request: ChatRequest, *sources: Source) -> ChatAnswer:
    extracts = Extracts(
        model=MemoryEmbeddingModel(dimension=256), prompting=Prompting(tokenizer=MemoryTokenizer())
    )
    return asyncio.run(extracts.answer(request, sources))


def stored(text: str, number: int = 1, **more: object) -> Source:
    return Source(number=number, text=text, end=len(text), storage_key=f"k{number}", **more)  # type: ignore[arg-type]


def require_citations_within(answer: ChatAnswer, *wholes: Source) -> None:
    by_key = {(one.storage_key, one.segment_id): one for one in wholes}
    for source in answer.sources:
        whole = by_key[source.storage_key, source.segment_id]
        assert source.text == whole.text[source.start - whole.start : source.end - whole.start]
    for citation in answer.citations:
        source = citation.source
        whole = by_key[source.storage_key, source.segment_id]
        assert source in answer.sources
        assert source.start <= citation.start < citation.end <= source.end
        assert citation.passage == whole.text[citation.start - whole.start : citation.end - whole.start]
        assert citation.passage.strip()


sentences = st.sampled_from([
    VALVE,
    "A pump is replaced when its valve has failed in operation.",
    "The valve of the pump costs " + "a very large sum of " * 20 + "money.",
    "See [the valve manual](https://example.org/" + "valve/" * 200 + ") about the pump here.",
    "Bees gather honey in the summer months of the year.",
    "# Heading of a chapter", "## Valve", "| a | b |\n| - | - |\n| 1 | 2 |", "```\nvalve[1]\n```", "short",
    "วาล์วของปั๊มต้องเปลี่ยนทุกสี่สิบชั่วโมง" * 9, padding(40), padding(9, "pump"),
])  # fmt: skip
documents = st.lists(sentences, min_size=1, max_size=14).map("\n\n".join)


@settings(deadline=None)
@given(
    st.lists(st.tuples(documents, st.booleans(), st.integers(0, 500)), min_size=1, max_size=5),
    st.integers(200, 1_500),
    st.integers(1, 8),
)
def test_every_citation_lies_in_its_source_and_has_its_text(
    made: list[tuple[str, bool, int]], tokens: int, most: int
) -> None:
    """Objects and segments of any length, within any number of tokens."""
    sources = [
        Source(
            number=number,
            text=text,
            start=start if is_segment else 0,
            end=(start if is_segment else 0) + len(text),
            segment_id=UUID(int=number) if is_segment else None,
            storage_key=f"k{number}",
        )
        for number, (text, is_segment, start) in enumerate(made, start=1)
    ]
    request = ChatRequest(
        query=QUESTION,
        context_mode=ContextMode.HYBRID,
        attachments=("k",),
        context_tokens=tokens,
        rag=RagConfig(max_context_items=most),
    )
    answer = answered(request, *sources)
    assert answer.citations
    require_citations_within(answer, *sources)
    assert sum(budget.cost_of(source, OFFSETS) for source in answer.sources) <= tokens
    assert [source.number for source in answer.sources] == list(range(1, len(answer.sources) + 1))


@pytest.mark.parametrize("segment_id", [None, UUID(int=1)])
def test_a_sentence_far_down_in_a_long_text_is_quoted_with_what_surrounds_it(segment_id: UUID | None) -> None:
    whole = stored(f"{padding(60)}\n\n{VALVE}\n\n{padding(60)}", segment_id=segment_id)
    answer = answered(ChatRequest(query=QUESTION, context_tokens=200), whole)
    (citation,) = answer.citations
    assert citation.passage == VALVE
    require_citations_within(answer, whole)
    (source,) = answer.sources
    assert source.is_cut
    assert source.start < citation.start < citation.end < source.end


def test_sentences_far_apart_are_quoted_from_a_passage_each() -> None:
    other = "A pump whose zirconium seals leak must be taken apart."
    whole = stored(f"{VALVE}\n\n{padding(60)}\n\n{other}\n\n{padding(60)}")
    request = ChatRequest(
        query="zirconium valve replaced; zirconium seals leak, pump taken apart", context_tokens=200
    )
    answer = answered(request, whole)
    assert [(one.number, one.passage) for one in answer.citations] == [(1, VALVE), (2, other)]
    require_citations_within(answer, whole)


def test_what_is_quoted_is_shown_before_what_is_not() -> None:
    """Of many segments that do not fit, the one with the answer is the last."""
    sources = [
        Source(number=number, text=padding(9), end=len(padding(9)), segment_id=UUID(int=number))
        for number in range(1, 8)
    ]
    sources.append(Source(number=8, text=VALVE, end=len(VALVE), segment_id=UUID(int=8)))
    answer = answered(ChatRequest(query=QUESTION, context_tokens=200), *sources)
    assert VALVE in [citation.passage for citation in answer.citations]
    require_citations_within(answer, *sources)


def test_a_quotation_from_an_object_tells_its_page_and_its_headings() -> None:
    first = f"# Pump\n\n{padding(30)}\n\n"
    text = f"{first}## Valve\n\n{VALVE}\n\n# Rest\n\n{padding(30)}"
    whole = stored(text, page_starts=(0, len(first), len(first) + 90))
    for tokens in (200, 8_000):
        answer = answered(ChatRequest(query=QUESTION, context_tokens=tokens), whole)
        citation = answer.citations[0]
        assert (citation.passage, citation.page) == (VALVE, 2)
        assert citation.heading_path == ("Pump", "Valve")
