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
    if init is not None:
        (init,) = await checked_in(ports.storage, [init])
    # Starting again is harmless, and right when the outcome of the commit is unknown.
    return await available_within(
        LONGEST_START_SECONDS,
        lambda: ports.executions.start(execution, init, limit=limit),
        ports.clock.sleep,
    )
