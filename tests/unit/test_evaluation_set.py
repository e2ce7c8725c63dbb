"""Reading collections in BEIR's layout, and what is said of broken ones."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from application.evaluation_set import (
    BrokenEvaluationSet,
    corpus_documents,
    evaluation_judgements,
    evaluation_queries,
    parse_corpus,
    parse_judgements,
    parse_queries,
)

BUNDLED = Path(str(files("entrypoints"))) / "evaluation_set"


def test_the_bundled_collection_is_whole() -> None:
    """Thirty documents, thirty questions, each with a relevant document."""
    documents = [document.id for document in corpus_documents(BUNDLED)]
    queries = evaluation_queries(BUNDLED)
    judgements = evaluation_judgements(BUNDLED, queries=queries, documents=documents)
    assert (len(documents), len(queries)) == (30, 30)
    assert set(judgements) == set(queries)
    assert all(max(grades.values()) > 0 for grades in judgements.values())


def test_a_documents_content_is_title_and_text() -> None:
    """A blank line between; either may be empty, and numbers may be ids."""
    lines = [
        '{"_id": "a", "title": "T", "text": "x"}',
        '{"_id": 2, "text": " x "}',
        "",
        '{"_id": "c", "title": null, "text": ""}',
    ]
    contents = [(document.id, document.content) for document in parse_corpus(lines)]
    assert contents == [("a", "T\n\nx"), ("2", "x"), ("c", "")]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "corpus.jsonl: there are no documents"),
        (["{"], "corpus.jsonl, line 1: not JSON"),
        (["[" * 100_000], "corpus.jsonl, line 1: not JSON"),
        (["[]"], "corpus.jsonl, line 1: expected a JSON object"),
        (['{"text": "x"}'], "corpus.jsonl, line 1: `_id` is missing or empty"),
        (['{"_id": " ", "text": "x"}'], "corpus.jsonl, line 1: `_id` is missing or empty"),
        (['{"_id": true, "text": "x"}'], "corpus.jsonl, line 1: `_id` is missing or empty"),
        (['{"_id": "a", "text": "x \\ud800"}'], "corpus.jsonl, line 1: half a character (a lone surrogate)"),
        (['{"_id": "a"}'], "corpus.jsonl, line 1: `text` is missing or not text"),
        (['{"_id": "a", "text": "", "title": 3}'], "corpus.jsonl, line 1: `title` is missing or not text"),
        (
            ['{"_id": "a", "text": "x"}', "", '{"_id": "a", "text": "y"}'],
            "corpus.jsonl, line 3: `_id` 'a' stands in line 1 already",
        ),
    ],
)
def test_a_broken_corpus_is_told_by_file_and_line(lines: list[str], message: str) -> None:
    """So that it can be mended."""
    with pytest.raises(BrokenEvaluationSet) as told:
        list(parse_corpus(lines))
    assert told.value.message.startswith(message)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "queries.jsonl: there are no queries"),
        (['{"_id": "q", "text": " "}'], "queries.jsonl, line 1: the query 'q' is empty"),
        (
            ['{"_id": "q", "text": "x"}', '{"_id": "q", "text": "y"}'],
            "queries.jsonl, line 2: `_id` 'q' stands in line 1 already",
        ),
    ],
)
def test_broken_queries_are_told_by_file_and_line(lines: list[str], message: str) -> None:
    """A query needs a text."""
    with pytest.raises(BrokenEvaluationSet) as told:
        parse_queries(lines)
    assert told.value.message.startswith(message)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "qrels/test.tsv: there are no judgements"),
        (["query-id\tcorpus-id\tscore"], "qrels/test.tsv: there are no judgements"),
        (["q d 1"], "qrels/test.tsv, line 1: expected query-id, corpus-id and score between tabs"),
        (["q\td\t"], "qrels/test.tsv, line 1: expected query-id, corpus-id and score between tabs"),
        (["q\td\tgood"], "qrels/test.tsv, line 1: the score 'good' is not a whole number"),
        (["x\td\t1"], "qrels/test.tsv, line 1: there is no query 'x'"),
        (["q\tx\t1"], "qrels/test.tsv, line 1: there is no document 'x'"),
        (
            ["q\td\t1", "q\td\t2"],
            "qrels/test.tsv, line 2: the document 'd' is judged twice for the query 'q'",
        ),
    ],
)
def test_broken_judgements_are_told_by_file_and_line(lines: list[str], message: str) -> None:
    """Each names a query and a document that are there."""
    with pytest.raises(BrokenEvaluationSet) as told:
        parse_judgements(lines, queries={"q"}, documents={"d"})
    assert told.value.message.startswith(message)


def test_a_folder_without_files_is_told(tmp_path: Path) -> None:
    """By the path that cannot be read."""
    with pytest.raises(BrokenEvaluationSet, match=r"corpus\.jsonl cannot be read"):
        list(corpus_documents(tmp_path))


def test_files_are_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    """Other bytes are told by their line."""
    (tmp_path / "queries.jsonl").write_bytes(b'\xef\xbb\xbf{"_id": "q", "text": "x"}\r\n')
    assert evaluation_queries(tmp_path) == {"q": "x"}
    (tmp_path / "queries.jsonl").write_bytes(b'{"_id": "q", "text": "x"}\n\xff\n')
    with pytest.raises(BrokenEvaluationSet, match=r"queries\.jsonl, line 2: not UTF-8"):
        evaluation_queries(tmp_path)
