"""Reads a test collection in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv`` in one folder."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Invalid

CORPUS = "corpus.jsonl"
QUERIES = "queries.jsonl"
JUDGEMENTS = "qrels/test.tsv"

# JSON can write half of a character, which no file and no database takes.
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_HALF_CHARACTER_READ = re.compile("[\ud800-\udfff]")
_HEADER = ["query-id", "corpus-id", "score"]


class BrokenEvaluationSet(Invalid):
    """The test collection cannot be read."""

    code = "evaluation_set_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusDocument:
    """A document of the collection; its title, its text or both may be empty."""

    id: str
    title: str
    text: str

    @property
    def content(self) -> str:
        """What is to be ingested: the title, a blank line, the text. Empty when there is nothing to ingest."""
        return "\n\n".join(part for part in (self.title.strip(), self.text.strip()) if part)


def corpus_documents(folder: Path) -> Iterator[CorpusDocument]:
    """The documents in order; raises BrokenEvaluationSet naming the file and the line."""
    return parse_corpus(_lines(folder, CORPUS), CORPUS)


def evaluation_queries(folder: Path) -> Mapping[str, str]:
    """The text of every query by its id; raises BrokenEvaluationSet naming the file and the line."""
    return parse_queries(_lines(folder, QUERIES), QUERIES)


def evaluation_judgements(
    folder: Path, *, queries: Container[str], documents: Container[str]
) -> Mapping[str, Mapping[str, int]]:
    """The grade of every judged document, by query; raises BrokenEvaluationSet naming the file and the line."""
    return parse_judgements(_lines(folder, JUDGEMENTS), JUDGEMENTS, queries=queries, documents=documents)


def judged_queries(folder: Path, *, documents: Container[str]) -> Sequence[tuple[str, Mapping[str, int]]]:
    """Text and judgements of every query that has a relevant document; raises BrokenEvaluationSet."""
    queries = evaluation_queries(folder)
    judgements = evaluation_judgements(folder, queries=queries, documents=documents)
    judged = ((text, judgements.get(query_id, {})) for query_id, text in queries.items())
    return [(text, grades) for text, grades in judged if any(grade > 0 for grade in grades.values())]


def parse_corpus(lines: Iterable[str], name: str = CORPUS) -> Iterator[CorpusDocument]:
    """Documents of JSON lines with ``_id``, ``text`` and perhaps ``title``."""
    lines_by_id: dict[str, int] = {}
    for number, entry in _entries(lines, name):
        document = CorpusDocument(
            id=_id(entry, name, number),
            title=_text(entry, "title", name, number) if entry.get("title") is not None else "",
            text=_text(entry, "text", name, number),
        )
        _require_new(document.id, lines_by_id, name, number)
        yield document
    _require_some(lines_by_id, name, "documents")


def parse_queries(lines: Iterable[str], name: str = QUERIES) -> Mapping[str, str]:
    """Queries of JSON lines with ``_id`` and ``text``."""
    queries: dict[str, str] = {}
    lines_by_id: dict[str, int] = {}
    for number, entry in _entries(lines, name):
        query_id, text = _id(entry, name, number), _text(entry, "text", name, number)
        _require_new(query_id, lines_by_id, name, number)
        if not text.strip():
            raise BrokenEvaluationSet(f"{name}, line {number}: the query {query_id!r} is empty")
        queries[query_id] = text
    _require_some(queries, name, "queries")
    return queries


def parse_judgements(
    lines: Iterable[str], name: str = JUDGEMENTS, *, queries: Container[str], documents: Container[str]
) -> Mapping[str, Mapping[str, int]]:
    """Grades of lines ``query-id TAB corpus-id TAB score`` after a header; those of no known query or document are errors."""
    judgements: dict[str, dict[str, int]] = {}
    for number, line in _numbered(lines):
        fields = [field.strip() for field in line.split("\t")]
        if number == 1 and fields == _HEADER:
            continue
        if len(fields) != 3 or not all(fields):
            raise BrokenEvaluationSet(
                f"{name}, line {number}: expected query-id, corpus-id and score between tabs"
            )
        query_id, document_id, grade = fields
        for kind, known, wanted in (("query", queries, query_id), ("document", documents, document_id)):
            if wanted not in known:
                raise BrokenEvaluationSet(f"{name}, line {number}: there is no {kind} {wanted!r}")
        grades = judgements.setdefault(query_id, {})
        if document_id in grades:
            raise BrokenEvaluationSet(
                f"{name}, line {number}: the document {document_id!r} is judged twice for the query {query_id!r}"
            )
        grades[document_id] = _grade(grade, name, number)
    _require_some(judgements, name, "judgements")
    return judgements


def _lines(folder: Path, name: str) -> Iterator[str]:
    try:
        with (folder / name).open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise BrokenEvaluationSet(f"{name}, line {number}: not UTF-8: {error}") from error
    except OSError as error:
        raise BrokenEvaluationSet(f"{folder / name} cannot be read: {error.strerror or error}") from error


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _entries(lines: Iterable[str], name: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in _numbered(lines):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BrokenEvaluationSet(f"{name}, line {number}: not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise BrokenEvaluationSet(f"{name}, line {number}: expected a JSON object")
        if _HALF_CHARACTER.search(line) and _HALF_CHARACTER_READ.search("".join(map(str, entry.values()))):
            raise BrokenEvaluationSet(
                f"{name}, line {number}: half a character (a lone surrogate) is no text"
            )
        yield number, entry


def _id(entry: Mapping[str, object], name: str, number: int) -> str:
    value = entry.get("_id")
    found = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(found, str) or not found.strip():
        raise BrokenEvaluationSet(f"{name}, line {number}: `_id` is missing or empty")
    return found


def _text(entry: Mapping[str, object], field: str, name: str, number: int) -> str:
    value = entry.get(field)
    if not isinstance(value, str):
        raise BrokenEvaluationSet(f"{name}, line {number}: `{field}` is missing or not text")
    return value


def _grade(text: str, name: str, number: int) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BrokenEvaluationSet(
            f"{name}, line {number}: the score {text!r} is not a whole number"
        ) from error


def _require_new(entry_id: str, lines_by_id: dict[str, int], name: str, number: int) -> None:
    if (first := lines_by_id.setdefault(entry_id, number)) != number:
        raise BrokenEvaluationSet(f"{name}, line {number}: `_id` {entry_id!r} stands in line {first} already")


def _require_some(found: Iterable[object], name: str, what: str) -> None:
    if not any(True for _ in found):
        raise BrokenEvaluationSet(f"{name}: there are no {what}")
