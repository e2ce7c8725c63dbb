"""Answers made of the sources' own sentences."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.chat.answer import Source
from domain.chat.extracting import MAX_SENTENCES, candidates, chosen, kept_sources
from domain.chat.markers import numbers_in
from domain.chat.quoting import excerpt, quoted
from domain.chat.sentences import MAX_CHARACTERS, plain, sentences

MANUAL = """\
# VACUUM

[Prev](a.html) » [Up](b.html) » Home » [Next](c.html)

VACUUM **reclaims** storage occupied by [dead tuples](#dead). In normal operation, tuples that are deleted, e.g. by an
UPDATE, are not physically removed. See `pg_stat_user_tables` for details!

| Option | Meaning |
| ------ | ------- |
| FULL   | Writes a new copy of the table. |

To vacuum a table, use this command:

```sql
VACUUM (VERBOSE) onek;
```

- It locks nothing that a reader would wait for.
- short item

- shared_buffers (integer)

  The default is typically 128 megabytes on most systems.
"""


def source(text: str, number: int = 1, document: str = "d", start: int = 0) -> Source:
    return Source(
        number=number,
        text=text,
        document_id=document,
        start=start,
        end=start + len(text),
        segment_id=UUID(int=number),
    )


def test_only_whole_sentences_of_running_text_are_quotable() -> None:
    """No headings, navigation, tables or code; Markdown's marks are gone."""
    assert [sentence.text for sentence in sentences(MANUAL)] == [
        "VACUUM reclaims storage occupied by dead tuples.",
        "In normal operation, tuples that are deleted, e.g. by an UPDATE, are not physically removed.",
        "See `pg_stat_user_tables` for details!",
        "To vacuum a table, use this command:",
        "It locks nothing that a reader would wait for.",
        "The default is typically 128 megabytes on most systems.",
    ]


def test_a_sentence_knows_its_place_its_heading_and_what_it_introduces() -> None:
    first, *_, introducing, _, of_term = sentences(MANUAL)
    assert plain(MANUAL[first.start : first.end]) == first.text
    assert first.heading == "VACUUM"
    assert "VACUUM (VERBOSE) onek;" in introducing.code
    assert of_term.term == "shared_buffers (integer)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came, i.e. he walked in. Then Dr. Smith left him there.", 2),
        ("It needs no reparsing at all. jsonb also supports indexing of keys.", 2),
        ("the flow is studied here . the wing is in a slipstream too .", 2),
        ("The value is 3.14 in version 2.0 of the manual. Use it with care, please!", 2),
        ("東京は日本の首都です。人口は約千四百万人です。", 2),
        ("(Only a remark in brackets about this.)", 1),
        ("A line that never ends with anything", 0),
        ("1.2 3.4 5.6 7.8 9.0 1.2 3.4 5.6.", 0),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: int) -> None:
    assert len(sentences(text)) == expected


@given(st.text(max_size=400) | st.text(alphabet="Ab. \n#-|`*[]()!?:1", max_size=400))
def test_any_text_is_split_into_pieces_of_itself(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert end <= sentence.start < sentence.end <= len(text)
        assert 0 < len(sentence.text) <= MAX_CHARACTERS
        end = sentence.end


@pytest.mark.parametrize(
    "text", ["(" * 50_000, "[a](" * 20_000, "*" * 50_000, "a." * 50_000, "<a" * 50_000, "- " * 50_000]
)
def test_hostile_text_takes_no_longer(text: str) -> None:
    began = time.perf_counter()
    sentences(text)
    assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize(
    "text",
    [
        "ab. " * 20_000,
        "a.\n" * 20_000,
        "1" * 80_000 + "ab. cd",
        "i.e. ab. " * 10_000,
        "<http://" * 20_000,
        "a|b\n" + " " * 40_000 + "x|",
        "a|b\n-" + " " * 80_000 + "x|",
    ],
    ids=lambda text: repr(text[:9]),
)
def test_a_long_block_is_read_once(text: str) -> None:
    """A fraction of a second; were it read anew at each stop, half a minute and more."""
    began = time.perf_counter()
    sentences(text)
    assert time.perf_counter() - began < 10.0


def similarities_of(query: str, texts: list[str]) -> list[float]:
    asked = set(query.lower().split())
    return [len(asked & set(text.lower().split())) / (len(asked) + 5) for text in texts]


def answer(query: str, *sources: Source) -> str:
    found = candidates(query, sources)
    picked = chosen(query, found, similarities_of(query, [one.sentence.text for one in found]))
    text, citations = quoted(picked)
    for citation in citations:
        assert text[citation.answer_start : citation.answer_end].count(citation.marker) == 1
        cited = citation.source.text[
            citation.start - citation.source.start : citation.end - citation.source.start
        ]
        quote = text[citation.answer_start : citation.answer_end].replace(f" {citation.marker}", "")
        assert plain(cited) in {quote, quote.partition(": ")[2]}
    return text


def test_the_sentence_that_answers_comes_with_its_marker_before_the_full_stop() -> None:
    text = answer("what does VACUUM reclaim", source(MANUAL, start=100))
    assert text.startswith("VACUUM reclaims storage occupied by dead tuples [1].")


def test_a_question_for_the_way_is_answered_with_the_command() -> None:
    assert "```sql\nVACUUM (VERBOSE) onek;\n```" in answer(
        "how do I vacuum a table with a command", source(MANUAL)
    )


def test_nothing_is_said_twice() -> None:
    """Two documents say the same: one is quoted."""
    said = "A partial index is an index over a subset of a table."
    text = answer("what is a partial index", source(said, 1, "one"), source(said + " It is small.", 2, "two"))
    assert text.count("subset of a table") == 1


def test_a_lone_value_is_given_the_name_of_what_it_is_of() -> None:
    text = answer("default megabytes shared_buffers", source(MANUAL))
    assert "shared_buffers (integer): The default is typically 128 megabytes on most systems [1]." in text


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_an_answer_is_short_and_in_reading_order(similarities: list[float]) -> None:
    found = candidates("VACUUM", [source(MANUAL)])
    picked = chosen("VACUUM", found, similarities)
    assert 1 <= len(picked) <= MAX_SENTENCES
    assert [one.place for one in picked] == sorted(one.place for one in picked)


def test_a_source_without_sentences_is_shown_as_it_stands() -> None:
    text, (citation,) = excerpt(source("| a | b |\n| - | - |\n| 1 | 2 |", start=7))
    assert text.endswith("| 1 | 2 |\n\n[1]")
    assert (citation.start, citation.end) == (7, 36)


def test_quoted_segments_are_shown_before_those_that_are_not() -> None:
    sources = [
        source(f"Sentence number {number} is about wings.", number, str(number)) for number in range(1, 10)
    ]
    picked = [one for one in candidates("wings", sources) if one.source.number in {7, 9}]
    assert [kept.number for kept in kept_sources(sources, picked, 4)] == [1, 2, 7, 9]


def test_a_documents_own_references_are_not_the_answers() -> None:
    """What is cited stays as it stands in the document."""
    said = "Queens are reared from young larvae by the workers in the hive [3]. The drones of the hive all die in autumn [2, 7][9–11]."
    text, citations = quoted(candidates("queens drones", [source(said)]))
    assert text == (
        "Queens are reared from young larvae by the workers in the hive [1]. The drones of the hive all die in autumn [1]."
    )
    assert citations[0].passage == "Queens are reared from young larvae by the workers in the hive [3]."


def test_numbers_in_brackets_within_code_stay() -> None:
    text, _ = quoted(
        candidates("array", [source("The first element of it is `array[1]` in this language [4].")])
    )
    assert text == "The first element of it is `array[1]` in this language [1]."


def test_a_table_is_shown_without_its_references() -> None:
    text, (citation,) = excerpt(source("| wing | lift [12] |\n| - | - |\n| 1 | `a[2]` |"))
    assert text == "| wing | lift |\n| - | - |\n| 1 | `a[2]` |\n\n[1]"
    assert "[12]" in citation.passage


pieces = st.sampled_from([
    "The wing has a lift of nine [3]", ". ", " ", "Bees gather honey here [1, 2]", "`a[1]`", "`", "``", "\n\n", "\n",
    "```\nx[1]\n```", "~~~\nx[2]\n~~~", "```\n", "- ", "- term [4]\n\n  ", "[[1]2]", "[", "]", "9", "this way:\n\n",
    "    code ``` [5]\n", "The drag of a wing is like this here:\n\n", "| a [7] | b |\n| - | - |\n",
])  # fmt: skip


@given(st.lists(pieces, max_size=25).map("".join), st.lists(pieces, max_size=9).map("".join))
def test_the_markers_of_a_quotation_are_its_citations(one: str, other: str) -> None:
    sources = [source(one, 1, "one"), source(other, 2, "two")]
    text, citations = quoted(candidates("wing", sources))
    assert numbers_in(text) == [citation.number for citation in citations]
    for shown in sources:
        text, citations = excerpt(shown)
        assert numbers_in(text) == [shown.number]
