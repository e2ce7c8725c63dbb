"""Forgets old executions, messages and lineage in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from adapters.postgres.database import Database

# Settled messages are found by their moment; there is no index on the execution of a message, which every message would
# have to pay for.
_FORGET_MESSAGES = """
    DELETE FROM message WHERE id = ANY (ARRAY(
        SELECT m.id FROM message m
        WHERE m.settled_at < %(before)s
            AND NOT EXISTS (SELECT FROM pipeline_execution e WHERE e.id = m.execution_id)
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
        AND settled_at < %(before)s
"""

_FORGET_EXECUTIONS = """
    WITH gone AS (
        DELETE FROM pipeline_execution WHERE id = ANY (ARRAY(
            SELECT id FROM pipeline_execution
            WHERE status NOT IN ('running', 'interrupted') AND outstanding = 0 AND completed_at < %(before)s
            ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
        RETURNING id
    ), resumed AS (
        DELETE FROM paused_route WHERE execution_id IN (SELECT id FROM gone)
    )
    SELECT count(*) FROM gone
"""

_FORGET_LINEAGE = """
    DELETE FROM lineage_entry WHERE id = ANY (ARRAY(
        SELECT l.id FROM lineage_entry l
        WHERE l.started_at < %(before)s
            AND NOT EXISTS (SELECT FROM pipeline_execution e WHERE e.id = l.execution_id)
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""

# A thread may have two thousand messages, which go with it.
_FORGET_THREADS = """
    DELETE FROM chat_thread WHERE updated_at < %(before)s AND id = ANY (ARRAY(
        SELECT id FROM chat_thread WHERE updated_at < %(before)s
        LIMIT least(%(limit)s, 100) FOR UPDATE SKIP LOCKED))
"""


class PostgresRetention:
    """The ``Retention`` port over the tables of the ledger and of lineage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget_executions(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        values = {"before": before, "limit": limit}
        async with self._database.transaction() as connection:
            # The execution goes first: from then on nobody can redrive what is left of its messages.
            row = await (await connection.execute(_FORGET_EXECUTIONS, values)).fetchone()
            if row and (executions := int(row[0])):
                return executions
            return (await connection.execute(_FORGET_MESSAGES, values)).rowcount

    async def forget_lineage(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_FORGET_LINEAGE, {"before": before, "limit": limit})).rowcount

    async def forget_threads(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_FORGET_THREADS, {"before": before, "limit": limit})).rowcount
