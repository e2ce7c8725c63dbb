"""Writes an execution that is to begin into the ledger."""

from __future__ import annotations

from dataclasses import replace

from application.engine.availability import available_within
from application.engine.claim_check import checked_in
from application.engine.ports import EnginePorts
from domain.execution import Execution
from domain.message import Message
from domain.pipeline import Pipeline

LONGEST_START_SECONDS = 15.0


async def written(
    ports: EnginePorts, execution: Execution, pipeline: Pipeline, init: Message | None, *, limit: int | None
) -> Execution:
    """The execution as it stands in the ledger; raises what ``ExecutionLedger.start`` does, Unavailable after a while."""
    own = pipeline.max_dead_letters
    most = ports.settings.max_dead_letters if own is None else own
    execution = replace(execution, max_dead_letters=most)

    async def start() -> Execution:
        kept = await checked_in(ports.storage, [init] if init else [])
        return await ports.executions.start(execution, kept[0] if kept else None, limit=limit)

    # Starting again is harmless, and right when the outcome of the commit is unknown.
    return await available_within(LONGEST_START_SECONDS, start, ports.clock.sleep)
