"""The places for running executions, given out one after another."""

from __future__ import annotations

from adapters.postgres.database import Connection
from domain.execution import TooManyConcurrentExecutions

_LOCK = 0x73746172

_COUNT_RUNNING = "SELECT count(*) FROM pipeline_execution WHERE status = 'running'"


async def lock_places(connection: Connection) -> None:
    """Let nobody else take a place until the transaction ends, so that two cannot both take the last one."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


async def require_place(connection: Connection, places: int | None) -> None:
    """Raise TooManyConcurrentExecutions when so many are running; None is no limit. The places must be locked."""
    if places is None:
        return
    row = await (await connection.execute(_COUNT_RUNNING)).fetchone()
    if row is not None and row[0] >= places:
        raise TooManyConcurrentExecutions(f"{row[0]} executions are running, and {places} is the limit")
