"""The test collection Cranfield: 1,400 abstracts and 225 questions in BEIR's layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from application.evaluation_set import CorpusDocument, corpus_documents, evaluation_queries
from benchmarks.outcome import NotMeasurable
from domain.errors import Invalid

VARIABLE = "FACTFLOW_EVAL_CRANFIELD"
BESIDE_THE_PROJECT = Path(__file__).resolve().parents[2] / "shared" / "eval" / "cranfield"


def collection_folder() -> Path:
    """Where the collection is; raises NotMeasurable."""
    folder = Path(os.environ.get(VARIABLE) or BESIDE_THE_PROJECT).expanduser()
    if not (folder / "corpus.jsonl").is_file():
        raise NotMeasurable(
            f"the collection Cranfield is not in {folder}: set {VARIABLE} to a folder that holds corpus.jsonl, "
            "queries.jsonl and qrels/test.tsv (BEIR's layout)"
        )
    return folder


def documents(count: int | None) -> Sequence[CorpusDocument]:
    """The first ``count`` documents that have a text, all when None; raises NotMeasurable."""
    try:
        found = (document for document in corpus_documents(collection_folder()) if document.content)
        return list(islice(found, count))
    except Invalid as error:
        raise NotMeasurable(error.message) from error


def queries() -> Sequence[str]:
    """The texts of all questions; raises NotMeasurable."""
    try:
        return list(evaluation_queries(collection_folder()).values())
    except Invalid as error:
        raise NotMeasurable(error.message) from error


def write_files(chosen: Sequence[CorpusDocument], folder: Path) -> Path:
    """One text file per document, its title first; returns the folder."""
    folder.mkdir(parents=True)
    for document in chosen:
        (folder / f"{document.id}.txt").write_text(document.content, encoding="utf-8")
    return folder
