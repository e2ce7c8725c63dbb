"""Cutting Markdown into segments."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.document import ReadDocument, Segment
from domain.segmentation import HARD_LIMIT_FACTOR, segments
from domain.segmentation.blocks import Kind, blocks, heading_title

_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> Sequence[tuple[int, int]]:
    """A tokenizer that counts words and marks."""
    return [match.span() for match in _WORD.finditer(text)]


def cut(
    markdown: str, max_tokens: int = 20, *, overlap: int = 0, format: str = "markdown"
) -> Sequence[Segment]:
    read = ReadDocument(markdown=markdown, metadata={"format": format})
    return segments(read, words, max_tokens=max_tokens, overlap_tokens=overlap)


def sentence(number: int, length: int = 7) -> str:
    return " ".join([f"Sentence{number}", *("word" for _ in range(length - 2))]) + "."


def kinds(text: str, **options: bool) -> list[tuple[Kind, str]]:
    return [(block.kind, text[block.start : block.end]) for block in blocks(text, **options)]


def test_blocks_are_told_apart() -> None:
    """Headings, paragraphs, items, code and tables are recognised, and every line belongs to one."""
    text = (
        "# One #\nText right below.\n\nTitle\n=====\n\n- item\n  more\n- next\n\n"
        "```py\n# no heading\n\nx\n```\n\n    indented\n\n    code\n\n| a | b |\n| - | - |\n| 1 | 2 |\n"
    )
    assert kinds(text) == [
        (Kind.HEADING, "# One #"),
        (Kind.TEXT, "Text right below."),
        (Kind.HEADING, "Title\n====="),
        (Kind.ITEM, "- item\n  more"),
        (Kind.ITEM, "- next"),
        (Kind.CODE, "```py\n# no heading\n\nx\n```"),
        (Kind.CODE, "    indented\n\n    code"),
        (Kind.TABLE, "| a | b |\n| - | - |\n| 1 | 2 |"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "#hashtag",
        "####### seven",
        "a - b\n---x",
        "line one\nline two\n-----",
        "# " + "x" * 400,
        "a `code` | b\n-----",
    ],
)
def test_what_only_looks_like_a_heading_is_text(text: str) -> None:
    """Hash tags, rules below longer paragraphs and endless lines do not open sections."""
    found = kinds(text)
    expected = Kind.HEADING if text.startswith("a `code`") else Kind.TEXT
    assert {kind for kind, _ in found} == {expected}


def test_an_indented_line_is_code_only_where_the_format_has_such_code() -> None:
    """Plain text is often indented and is no code for that; nor is what continues a list."""
    assert kinds("a\n\n    b")[-1][0] is Kind.CODE
    assert kinds("a\n\n    b", indented_code=False)[-1][0] is Kind.TEXT
    assert kinds("- a\n\n    b\n\n    c")[-1][0] is Kind.TEXT


def test_a_fence_that_is_never_closed_runs_to_the_end() -> None:
    """As in CommonMark; the text after it is not lost."""
    assert kinds("```\nx\n\ny\n\n") == [(Kind.CODE, "```\nx\n\ny")]


def test_titles_lose_their_marks() -> None:
    """A heading path shows words, not Markdown."""
    titles = [
        heading_title(text, next(iter(blocks(text)))) for text in ("##  A \\# B ##", "A\n===", "# C#", "#")
    ]
    assert titles == ["A # B", "A", "C#", ""]


def test_a_document_that_fits_is_one_segment() -> None:
    """A short document with several sections is a single rich segment."""
    text = "# Title\n\nIntro.\n\n## A\n\nOne.\n\n## B\n\nTwo."
    (only,) = cut(text, 30)
    assert (only.text, only.start, only.end, only.ordinal) == (text, 0, len(text), 0)
    assert only.heading_path == ("Title",)
    assert only.tokens == len(words(text))


def test_sections_that_do_not_fit_together_become_segments_of_their_own() -> None:
    """Each segment opens with its heading and knows its path."""
    text = f"# T\n\n## A\n\n{sentence(1)} {sentence(2)}\n\n## B\n\n{sentence(3)} {sentence(4)}"
    found = cut(text)
    assert [segment.heading_path for segment in found] == [("T", "A"), ("T", "B")]
    assert found[1].text.startswith("## B\n\nSentence3")


def test_tiny_neighbours_share_a_segment() -> None:
    """Sections of a few words are not segments by themselves; the path is what they share."""
    tiny = "\n\n".join(f"## S{number}\n\nTiny." for number in range(8))
    found = cut(f"# T\n\n{tiny}")
    assert len(found) == 3
    assert {segment.heading_path for segment in found} == {("T",)}


def test_large_sections_are_cut_between_paragraphs_into_even_parts() -> None:
    """Three paragraphs over the limit are not cut into two full segments and a crumb."""
    text = "\n\n".join((sentence(1, 9), sentence(2, 9), sentence(3, 4)))
    assert [segment.tokens for segment in cut(text)] == [9, 13]


def test_a_long_paragraph_is_cut_at_sentence_ends() -> None:
    """Every piece ends with a full sentence."""
    found = cut(" ".join(sentence(number) for number in range(20)))
    assert all(segment.text.endswith(".") for segment in found)
    assert all(segment.tokens <= 20 for segment in found)


def test_without_sentences_a_cut_falls_between_words_and_otherwise_anywhere() -> None:
    """Words stay whole while there are any."""
    assert {segment.text.split()[0] for segment in cut("word " * 100)} == {"word"}
    found = cut("x" * 5_000)
    assert "".join(segment.text for segment in found) == "x" * 5_000
    assert max(len(segment.text) for segment in found) <= 20 * 48


@pytest.mark.parametrize("block", ["```\n{}\n```", "| a |\n|---|\n{}"])
def test_code_and_tables_stay_whole_up_to_the_hard_limit(block: str) -> None:
    """One of three times the limit is one segment; a far larger one is cut at line ends."""
    line = "| x y |"
    whole = block.format("\n".join([line] * 12))
    text = f"{sentence(1)}\n\n{whole}\n\n{sentence(2)}"
    assert whole in [segment.text for segment in cut(text)]
    huge = block.format("\n".join([line] * 20 * HARD_LIMIT_FACTOR))
    found = cut(huge)
    assert len(found) > HARD_LIMIT_FACTOR
    assert all(segment.text.split("\n")[-1] in {line, "```"} for segment in found)


def test_the_sentence_that_leads_to_oversized_code_stays_with_it() -> None:
    """The embedding model reads the beginning of a segment: there the sentence says what the code is."""
    code = "```\n" + "x y\n" * 15 + "```"
    assert cut(f"As in:\n\n{code}\n\n{sentence(1)}", 24)[0].text == f"As in:\n\n{code}"


def test_pages_follow_from_where_a_segment_begins() -> None:
    """Pages count from 1, also for text before the first page's beginning."""
    text = f"{sentence(1, 15)}\n\n{sentence(2, 15)}\n\n{sentence(3, 15)}"
    starts = (2, text.index("Sentence2"), text.index("Sentence3"))
    read = ReadDocument(markdown=text, page_starts=starts)
    assert [segment.page for segment in segments(read, words, max_tokens=20)] == [1, 2, 3]
    assert cut(text)[0].page is None


def test_headings_above_a_segment_count_towards_its_limit() -> None:
    """What is embedded with its headings still fits the model."""
    title = "# " + " ".join(["Title"] * 5)
    text = title + "\n\n## A\n\n" + " ".join(sentence(number) for number in range(9))
    assert all(segment.tokens <= 15 for segment in cut(text) if not segment.text.startswith("# "))


def test_overlap_repeats_the_end_of_the_segment_before() -> None:
    """Only as much as asked for, and from the beginning of a word."""
    found = cut(" ".join(sentence(number) for number in range(20)), overlap=5)
    for before, after in itertools.pairwise(found):
        repeated = after.start < before.end
        assert repeated
        assert len(words(before.text[after.start - before.start :])) <= 5
        assert after.tokens <= 20


def test_a_document_of_headings_alone_still_has_a_segment() -> None:
    """What has words can be found."""
    assert [segment.text for segment in cut("# Only\n\n## Headings")] == ["# Only\n\n## Headings"]
    assert cut("# " + "many words " * 20 + "\n\n# b", 10)
    assert cut("") == ()


def test_limits_that_cannot_be_are_refused() -> None:
    """An overlap of more than half would never get on."""
    for max_tokens, overlap in ((0, 0), (10, 6), (10, -1)):
        with pytest.raises(ValueError, match="max_tokens"):
            cut("text", max_tokens, overlap=overlap)


_LINES = st.sampled_from(
    [
        "# One", "## Two", "### Three", "Setext", "===", "---", "", "", "", "- item one", "  - nested", "1. first",
        "Plain words that go on.", "Another sentence! And one more? Yes.", "```", "~~~~", "    code()", "\tx",
        "| a | b |", "|---|---|", "> quote", "<div>", "é́ ünï 漢字。漢字", "x" * 70, " \u00a0 ", "a\u2028b", "word " * 30,
    ]
)  # fmt: skip


@given(lines=st.lists(_LINES, max_size=40), most=st.integers(1, 40), overlap=st.integers(0, 10))
@settings(max_examples=300, deadline=None)
def test_every_text_is_covered_in_order(lines: list[str], most: int, overlap: int) -> None:
    """Segments are slices, in order, disjoint unless overlap is asked for, and leave out headings at most."""
    text = "\n".join(lines)
    overlap = min(overlap, most // 2)
    found = cut(text, most, overlap=overlap)
    assert [segment.ordinal for segment in found] == list(range(len(found)))
    covered = bytearray(len(text))
    for before, after in itertools.pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
        assert overlap or before.end <= after.start
    for segment in found:
        assert text[segment.start : segment.end] == segment.text
        assert segment.text.strip()
        covered[segment.start : segment.end] = b"\1" * (segment.end - segment.start)
    for block in blocks(text):
        if block.kind is not Kind.HEADING:
            missed = [p for p in range(block.start, block.end) if not covered[p] and not text[p].isspace()]
            assert not missed
    assert bool(found) == bool(text.strip())


@given(lines=st.lists(_LINES, max_size=40), most=st.integers(8, 40))
@settings(max_examples=200, deadline=None)
def test_only_code_and_tables_are_larger_than_the_limit(lines: list[str], most: int) -> None:
    """A segment over the limit is one atomic block, with a few words that lead to it at most."""
    text = "\n".join(lines)
    ends = {block.end: block.start for block in blocks(text) if block.kind.is_atomic}
    for segment in cut(text, most):
        if segment.tokens > most:
            atomic_start = next(
                start for end, start in ends.items() if text[:end].rstrip() == text[: segment.end]
            )
            assert len(words(text[segment.start : atomic_start])) <= most // 8
        assert segment.tokens <= most * HARD_LIMIT_FACTOR


@given(text=st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_at_all_can_be_cut(text: str) -> None:
    """No text makes the segmentation fail or lose a character that is not blank."""
    found = cut(text, 3)
    kept = "".join(segment.text for segment in found)
    lost = len("".join(text.split())) - len("".join(kept.split()))
    headings = sum(block.end - block.start for block in blocks(text) if block.kind is Kind.HEADING)
    assert 0 <= lost <= headings


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["word ", "x", "a\n\n", "# h\n\n", "- i\n", "    c\n", "|a|\n|-|\n", "漢字。", "```\n", "a\n", " ", "-" ],
)  # fmt: skip
def test_time_grows_in_proportion_to_the_text(unit: str) -> None:
    """Twice the text takes about twice as long, whatever they are made of."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        started = time.process_time()
        cut(text, 250)
        return time.process_time() - started

    seconds(10_000)
    assert seconds(200_000) < 4 * seconds(100_000) + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["Some words in a line that never ends. ", "x"])
@pytest.mark.parametrize("megabytes", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_many_megabytes_on_one_line_are_cut(unit: str, megabytes: int) -> None:
    """In time and memory that the text's size allows."""
    text = unit * (megabytes * 1_000_000 // len(unit))

    def offsets(part: str) -> Sequence[tuple[int, int]]:
        return [(start, min(start + 5, len(part))) for start in range(0, len(part), 5)]

    found = segments(ReadDocument(markdown=text), offsets, max_tokens=250)
    assert sum(len(segment.text.replace(" ", "")) for segment in found) == len(text.replace(" ", ""))
    assert max(segment.tokens for segment in found) <= 250
