"""Counts and sizes, asked of PostgreSQL."""

from __future__ import annotations

from adapters.postgres.database import Connection, Database
from application.ports.inspection import DatabaseFacts, Relation, Totals

# The counters of the executions say how their messages stand; to count the messages would read the whole ledger.
_EXECUTIONS = """
    SELECT status, count(*), sum(outstanding)::bigint, sum(done)::bigint, sum(skipped)::bigint, sum(dead)::bigint,
        sum(cancelled)::bigint
    FROM pipeline_execution
    GROUP BY status
"""
_STATES = ("outstanding", "done", "skipped", "dead", "cancelled")
_DELIVERIES = "SELECT state, count(*) FROM webhook_delivery GROUP BY state"
_DOCUMENTS = "SELECT count(*) FROM document_version WHERE is_current"
_SERVER = """
    SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
        (SELECT coalesce(max(number), 0) FROM schema_migration), pg_database_size(current_database()),
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
        current_setting('max_connections')::integer
"""
_RELATIONS = """
    SELECT relname, greatest(reltuples, 0)::bigint, pg_total_relation_size(oid)
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
    ORDER BY 3 DESC, 1
"""


class PostgresInspection:
    """A few statements over a connection of the pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(self) -> Totals:
        """See the port."""
        async with self._database.connection() as connection:
            executions = await (await connection.execute(_EXECUTIONS)).fetchall()
            deliveries = await (await connection.execute(_DELIVERIES)).fetchall()
            documents = await (await connection.execute(_DOCUMENTS)).fetchone()
        sums = [sum(row[column] for row in executions) for column in range(2, 2 + len(_STATES))]
        return Totals(
            executions={row[0]: row[1] for row in executions},
            messages={state: number for state, number in zip(_STATES, sums, strict=True) if number},
            deliveries=dict(deliveries),
            documents=documents[0] if documents else 0,
        )

    async def facts(self) -> DatabaseFacts:
        """See the port."""
        async with self._database.connection() as connection:
            server = await (await connection.execute(_SERVER)).fetchone()
            relations = await _relations(connection)
        version, vector, schema, size, connections, most = server or ("", None, 0, 0, 0, 0)
        return DatabaseFacts(
            product="PostgreSQL",
            version=version,
            vector_version=vector,
            schema_version=schema,
            size=size,
            connections=connections,
            max_connections=most,
            relations=relations,
        )


async def _relations(connection: Connection) -> list[Relation]:
    rows = await (await connection.execute(_RELATIONS)).fetchall()
    return [Relation(name=name, rows=number, size=size) for name, number, size in rows]
