"""Gives executions that do not go on here their status."""

from __future__ import annotations

import logging
from contextlib import suppress
from uuid import UUID

from application.engine.announcing import announce_interruption
from application.engine.availability import until_available
from application.engine.failures import described
from application.engine.ports import EnginePorts
from domain.errors import FactflowError
from domain.execution import ExecutionStatus, StatusChangeNotAllowed

log = logging.getLogger(__name__)


async def conclude_failed(ports: EnginePorts, execution_id: UUID, error: BaseException) -> None:
    """Have an execution fail by an error, unless it has ended otherwise; waits while the ledger is away."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    told = described(error)
    reason = told if isinstance(error, FactflowError) else {**told, "code": "engine_failed"}
    with suppress(StatusChangeNotAllowed):
        await until_available(
            lambda: ports.executions.conclude(
                execution_id, ExecutionStatus.FAILED, now=ports.clock.now(), error_info=reason
            ),
            ports.clock.sleep,
        )


async def conclude_interrupted(ports: EnginePorts, execution_id: UUID, generation: int) -> None:
    """Mark an execution as interrupted and tell so, as well as that can be done now."""
    try:
        await ports.executions.conclude(execution_id, ExecutionStatus.INTERRUPTED, now=ports.clock.now())
    except FactflowError as error:
        log.warning("execution %s could not be marked as interrupted: %s", execution_id, error)
    else:
        announce_interruption(ports, execution_id, generation)
