"""`eval`: measure retrieval on a BEIR-format folder, with its documents taken in by the shipped pipeline."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from application.contents import Application
from application.evaluation import Evaluation, EvaluationResult
from application.evaluation_set import CorpusDocument, corpus_documents
from domain.document import document_id
from domain.errors import Invalid
from domain.execution import ExecutionStatus
from domain.match import SearchMode
from entrypoints.composition.running import running
from entrypoints.ingestion import ingest
from entrypoints.logs import configure_logging
from entrypoints.progress import counted, shown
from entrypoints.settings import Settings

PREFIX = "uploads/evaluation/"
ORIGIN = "evaluation"
LONGEST_NAME_BYTES = 180


class EvaluationFailed(Invalid):
    """The documents of the collection could not be taken in."""

    code = "evaluation_failed"


def run(settings: Settings, *, folder: Path, modes: Sequence[str], output: str) -> int:
    """Evaluate and print; returns the exit code. The index is thrown away afterwards."""
    configure_logging(settings)
    result = asyncio.run(evaluate(settings, folder, [SearchMode(mode) for mode in modes]))
    print(msgspec.json.encode(result.as_json()).decode() if output == "json" else _table(result))
    return 0


async def evaluate(settings: Settings, folder: Path, modes: Sequence[SearchMode]) -> EvaluationResult:
    """Take the collection in, into a data folder of its own, and run its queries."""
    async with taken_in(settings, folder) as (application, names):
        with counted("Asking") as progress:
            return await Evaluation(search=application.search).run(
                folder, collection_id=names.get, modes=modes, progress=progress
            )


@asynccontextmanager
async def taken_in(settings: Settings, folder: Path) -> AsyncIterator[tuple[Application, Mapping[str, str]]]:
    """A service that has taken the collection in, and the collection's id for each document's id; thrown away afterwards."""
    documents = {document.id: as_markdown(document) for document in corpus_documents(folder)}
    with tempfile.TemporaryDirectory(prefix="factflow-eval-") as throw_away:
        async with running(_throw_away(settings, Path(throw_away))) as application:
            yield application, await take_in(application, documents)


def _throw_away(settings: Settings, data_dir: Path) -> Settings:
    models = settings.models_dir or settings.data_dir / "models"
    return replace(
        settings,
        data_dir=data_dir,
        database_url=None,
        # A model that a server has converted already need not be converted again.
        models_dir=models if models.is_dir() else None,
    )


def as_markdown(document: CorpusDocument) -> str:
    """A document of the collection as a file: its title as the heading, then its text; empty when both are."""
    title = " ".join(document.title.split())
    return "\n\n".join(part for part in (f"# {title}" if title else "", document.text.strip()) if part)


async def take_in(application: Application, documents: Mapping[str, str]) -> Mapping[str, str]:
    """Upload the documents and run the pipeline over them; returns the collection's id for each document's id.

    Raises EvaluationFailed when any document with text is not in the index afterwards.
    """
    names = {_file_name(number, own): own for number, own in enumerate(documents)}
    for name, own in names.items():
        if documents[own]:
            await application.stored_objects.put(
                PREFIX + name, documents[own].encode(), content_type="text/markdown"
            )
    with shown("Taking in") as progress:
        ingested = await ingest(application, {"prefix": PREFIX, "origin": ORIGIN}, progress)
    if ingested.execution.status is not ExecutionStatus.COMPLETED or ingested.failures:
        raise EvaluationFailed(f"{EvaluationFailed.__doc__} {'; '.join(ingested.failures[:5])}")
    return {document_id(ORIGIN, name): own for name, own in names.items()}


def _file_name(number: int, own: str) -> str:
    readable = quote(own, safe="")
    if len(readable) > LONGEST_NAME_BYTES or readable.startswith("."):
        readable = f"document-{number}"
    return f"{readable}.md"


def _table(result: EvaluationResult) -> str:
    lines = [f"{result.documents} documents, {result.queries} queries", ""]
    lines.append(f"{'mode':<10} {'nDCG@10':>8} {'AP':>8} {'R@100':>8}")
    for mode, found in result.modes.items():
        lines.append(
            f"{mode.value:<10} {found.ndcg:>8.4f} {found.average_precision:>8.4f} {found.recall:>8.4f}"
        )
    return "\n".join(lines)
