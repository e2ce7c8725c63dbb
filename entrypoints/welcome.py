"""What a server tells the person who started it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from domain.execution import ExecutionStatus
from entrypoints.ingestion import Ingested

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


def things_to_try(base: str) -> str:
    """Three lines: a search, a question, the API page."""
    url = "" if base == "http://127.0.0.1:8000" else f" --url {base}"
    return "\n".join(
        [
            f'search:    .venv/bin/factflow{url} search "how is a message settled exactly once"',
            f'question:  .venv/bin/factflow{url} chat "What happens to a message whose worker dies?"',
            f"API page:  {base}/docs",
        ]
    )
