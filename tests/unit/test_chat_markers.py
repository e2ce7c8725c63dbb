"""Citation markers in an answer that arrives in pieces."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.chat.answer import Source, SourceCited, TextWritten
from domain.chat.citing import AnswerWriter

SOURCES = tuple(
    Source(number=number, text="…", start=10 * number, end=10 * number + 5) for number in (1, 2, 3)
)

fragments = st.sampled_from([
    "[1]", "[2]", "[3]", "[7]", "[0]", "[12", "]", "[", " ", "  ", "\n", "`", "``", "```", "a", "Lift.", "1", ",", ";",
    "[1, 2]", "[1,9]", "[ 3 ]", "[1][2]", "[2024]", "[x]", "(1)", "é", "。", "[" * 30, "[1,1,1,1", " [3].",
])  # fmt: skip
answers = st.lists(fragments, max_size=30).map("".join)


def written(pieces: list[str]) -> AnswerWriter:
    writer = AnswerWriter(SOURCES)
    events = [event for piece in pieces for event in writer.feed(piece)] + list(writer.end())
    assert "".join(event.content for event in events if isinstance(event, TextWritten)) == writer.text
    assert [event.citation for event in events if isinstance(event, SourceCited)] == writer.citations
    return writer


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(answers, st.lists(st.integers(0, 1000), max_size=40))
def test_where_the_answer_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    """Text, citations and unknown markers are those of the answer in one piece."""
    whole, pieces = written([text]), written(cut(text, cuts))
    assert pieces.text == whole.text
    assert pieces.citations == whole.citations
    assert pieces.unknown == whole.unknown
    assert written(list(text)).text == whole.text


@given(answers)
def test_a_citation_spans_a_statement_that_ends_with_its_marker(text: str) -> None:
    writer = written([text])
    for citation in writer.citations:
        assert 0 <= citation.answer_start < citation.answer_end <= len(writer.text)
        assert writer.text[citation.answer_start : citation.answer_end].endswith(citation.marker)
        assert citation.number in {1, 2, 3}


@given(st.text(alphabet=st.characters(exclude_characters="[\0"), max_size=200))
def test_text_without_brackets_comes_back_as_it_was(text: str) -> None:
    assert written([text]).text == text


def test_a_nul_is_left_out() -> None:
    """No store holds one."""
    writer = written(["a\0b [", "\x001]"])
    assert (writer.text, [one.number for one in writer.citations]) == ("ab [1]", [1])


def cited(text: str) -> list[tuple[str, int]]:
    writer = written([text])
    return [(writer.text[one.answer_start : one.answer_end], one.number) for one in writer.citations]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lift is 4 [1]. Drag is 5 [2].", [("Lift is 4 [1]", 1), ("Drag is 5 [2]", 2)]),
        ("Lift is 4. [1] Drag is 5. [2]", [("Lift is 4. [1]", 1), ("Drag is 5. [2]", 2)]),
        ("Lift is 4 [1, 3].", [("Lift is 4 [1]", 1), ("Lift is 4 [1][3]", 3)]),
        ("- first [1]\n- second[2]", [("- first [1]", 1), ("- second[2]", 2)]),
    ],
)
def test_a_marker_closes_the_statement_before_it(text: str, expected: list[tuple[str, int]]) -> None:
    assert cited(text) == expected


@pytest.mark.parametrize(
    ("text", "clean", "unknown"),
    [
        ("Lift is 4 [9].", "Lift is 4.", [9]),
        ("Lift is 4 [1][9][0].", "Lift is 4 [1].", [9, 0]),
        ("Lift is 4 [8, 2, 9].", "Lift is 4 [2].", [8, 9]),
        ("In [2024] and [a] and [12345].", "In [2024] and [a] and [12345].", []),
    ],
)
def test_a_marker_without_a_source_is_taken_out_and_told(text: str, clean: str, unknown: list[int]) -> None:
    writer = written([text])
    assert (writer.text, writer.unknown) == (clean, unknown)


@pytest.mark.parametrize("code", ["`array[1]`", "```\nrow[9] = [1]\n```", "``a`[1]``"])
def test_brackets_in_code_cite_nothing(code: str) -> None:
    writer = written([f"Use {code} here [2]."])
    assert writer.text == f"Use {code} here [2]."
    assert [citation.number for citation in writer.citations] == [2]


def test_brackets_stay_where_there_are_no_sources_at_all() -> None:
    writer = AnswerWriter(())
    events = [*writer.feed("See [1] and x[2]."), *writer.end()]
    assert writer.text == "See [1] and x[2]."
    assert not any(isinstance(event, SourceCited) for event in events)


def test_a_long_run_of_backticks_is_read_once() -> None:
    """Milliseconds; from each of them to the end anew, more than half a minute."""
    began = time.perf_counter()
    assert written(["`" * 100_000 + "x"]).text == "`" * 100_000 + "x"
    assert time.perf_counter() - began < 10.0


@pytest.mark.parametrize(("start", "page"), [(0, 1), (40, 2), (75, 3)])
def test_a_citation_of_an_object_tells_the_page_on_which_its_passage_begins(start: int, page: int) -> None:
    whole = Source(number=1, text="…" * 9, start=start, end=start + 9, page_starts=(0, 30, 70))
    writer = AnswerWriter([whole])
    for _ in (*writer.feed("Lift is 4 [1]."), *writer.end()):
        pass
    assert [citation.page for citation in writer.citations] == [page]
