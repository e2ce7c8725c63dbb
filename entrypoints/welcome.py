"""What a server tells the person who started it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from application.contents import Application
from application.search_request import SearchRequest
from domain.execution import ExecutionStatus
from domain.match import SearchFilter
from entrypoints.ingestion import Ingested, absolute

MOST_FAILURES = 10


def summary(ingested: Ingested, folder: Path) -> Iterator[str]:
    """What became of a folder, in lines."""
    execution, counts = ingested.execution, ingested.execution.counts
    if execution.status is ExecutionStatus.COMPLETED:
        yield (
            f"{folder} is taken in: {counts.done} messages done, {counts.skipped} skipped as nothing had changed, "
            f"{counts.dead} dead (execution {execution.id})."
        )
    else:
        reason = (execution.error_info or {}).get("message", "")
        yield f"error: taking in {folder} ended as {execution.status}{': ' if reason else ''}{reason}"
    yield from (f"  could not be read: {failure}" for failure in ingested.failures[:MOST_FAILURES])
    if len(ingested.failures) > MOST_FAILURES:
        yield f"  … and {len(ingested.failures) - MOST_FAILURES} more: factflow execution dead-letters {execution.id}"


async def subject(application: Application, folder: Path) -> str | None:
    """What something in a folder that was taken in is about, in its own words; None when nothing is there."""
    where = SearchFilter(origins=[f"folder:{absolute(folder)}"])
    found = await application.search.find(
        SearchRequest(query="overview and introduction", limit=1, where=where)
    )
    if not found:
        return None
    headings = found[0].found.segment.heading_path
    return " ".join((headings[-1] if headings else found[0].found.document.title).split()) or None


def things_to_try(base: str, about: str | None = None) -> str:
    """Three lines: a search, a question, the API page; about a subject, or else about this project."""
    factflow = ".venv/bin/factflow" + ("" if base == "http://127.0.0.1:8000" else f" --url {base}")
    words, question = "how is a message settled exactly once", "What happens to a message whose worker dies?"
    if about is not None:
        words, question = about, f"What is said about {about}?"
    return "\n".join(
        [
            f"search:    {factflow} search {_quoted(words)}",
            f"question:  {factflow} chat {_quoted(question)}",
            f"API page:  {base}/docs",
        ]
    )


def _quoted(text: str) -> str:
    """Text as one word of a shell, in the plainer kind of quotes where that is safe."""
    return shlex.quote(text) if set('"$`\\!') & set(text) else f'"{text}"'
