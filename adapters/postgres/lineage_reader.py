"""Reads lineage from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from adapters.postgres.database import Connection, Database
from adapters.postgres.lineage_rows import COLUMNS, to_entry
from application.ports.lineage import EXACT_TOTAL, LineageQuery, RouteStatistics
from domain.lineage import LineageEntry, LineageEntryNotFound

_GET = f"SELECT {COLUMNS} FROM lineage_entry WHERE id = %s"  # noqa: S608 - constants

_BELOW = f"""
    SELECT {COLUMNS} FROM lineage_entry
    WHERE parent_id = ANY(%s) AND NOT id = ANY(%s) ORDER BY started_at, id LIMIT %s
"""  # noqa: S608 - constants

# One row at a time, each found by its primary key; CYCLE stops at an entry that has been seen.
_ABOVE = f"""
    WITH RECURSIVE above AS (
        SELECT {COLUMNS}, 0 AS distance FROM lineage_entry WHERE id = %(id)s
        UNION ALL
        SELECT {", ".join("e." + column for column in COLUMNS.split(", "))}, a.distance + 1
        FROM above a JOIN lineage_entry e ON e.id = a.parent_id
        WHERE a.distance < %(limit)s
    ) CYCLE id SET is_repeated USING path
    SELECT {COLUMNS} FROM above WHERE NOT is_repeated ORDER BY distance
"""  # noqa: S608 - constants

_STATISTICS = """
    WITH attempt AS (
        SELECT route_id, message_id, attempt,
            bool_or(status = 'failed') AS failed,
            bool_and(status = 'completed') AS completed,
            bool_or(status IN ('pending', 'initiated', 'processing')) AS open,
            CASE WHEN count(*) = count(completed_at) THEN max(completed_at) - min(started_at) END AS duration
        FROM lineage_entry WHERE execution_id = %s
        GROUP BY route_id, message_id, attempt
    ), last_attempt AS (
        SELECT DISTINCT ON (route_id, message_id) * FROM attempt ORDER BY route_id, message_id, attempt DESC
    )
    SELECT route_id, count(*), count(*) FILTER (WHERE completed), count(*) FILTER (WHERE failed),
        count(*) FILTER (WHERE open AND NOT failed), (1000 * extract(epoch FROM avg(duration)))::float8
    FROM last_attempt GROUP BY route_id ORDER BY route_id COLLATE "C"
"""

_SORTS = {
    "started_at": "started_at",
    "completed_at": "completed_at",
    "route_id": 'route_id COLLATE "C"',
    "adapter_name": 'adapter_name COLLATE "C"',
    "stage_name": 'stage_name COLLATE "C"',
    "status": 'status COLLATE "C"',
}


@dataclass(slots=True)
class _Conditions:
    """A WHERE clause in the making."""

    terms: list[str] = field(default_factory=lambda: ["TRUE"])
    values: list[object] = field(default_factory=list)

    def add(self, term: str, value: object) -> None:
        if value is not None:
            self.terms.append(term)
            self.values.append(value)


class PostgresLineageReader:
    """Answers from the table ``lineage_entry``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, query: LineageQuery) -> tuple[Sequence[LineageEntry], int]:
        where = _conditions(query)
        clause = f"FROM lineage_entry WHERE {' AND '.join(where.terms)}"
        direction = "DESC" if query.descending else "ASC"
        nulls = " NULLS LAST" if query.sort_by == "completed_at" else ""
        page = (
            f"SELECT {COLUMNS} {clause} ORDER BY {_SORTS[query.sort_by]} {direction}{nulls}, id {direction} "
            "LIMIT %s OFFSET %s"
        )
        async with self._database.connection() as connection:
            rows = await _rows(connection, page, [*where.values, query.limit, query.offset])
            return [to_entry(row) for row in rows], await _total(connection, clause, where.values)

    async def get(self, correlation_id: UUID) -> LineageEntry:
        async with self._database.connection() as connection:
            return await _get(connection, correlation_id)

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        async with self._database.connection() as connection:
            rows = await _rows(connection, _ABOVE, {"id": correlation_id, "limit": limit})
        if not rows:
            raise LineageEntryNotFound
        return [to_entry(row) for row in rows[1:]]

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        found: list[LineageEntry] = []
        async with self._database.transaction() as connection:
            level = [(await _get(connection, correlation_id)).id]
            seen = list(level)
            # Level by level, so that a root with a million descendants costs no more than what is asked for.
            while level and len(found) < limit:
                rows = await _rows(connection, _BELOW, (level, seen, limit - len(found)))
                found += map(to_entry, rows)
                level = [row[0] for row in rows]
                seen += level
        return found

    async def children(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        async with self._database.transaction() as connection:
            await _get(connection, correlation_id)
            return [to_entry(row) for row in await _rows(connection, _BELOW, ([correlation_id], [], limit))]

    async def route_statistics(self, execution_id: UUID) -> Sequence[RouteStatistics]:
        async with self._database.connection() as connection:
            rows = await _rows(connection, _STATISTICS, (execution_id,))
        return [
            RouteStatistics(
                route_id=route_id,
                total_messages=total,
                completed=completed,
                failed=failed,
                in_progress=in_progress,
                avg_duration_ms=duration,
            )
            for route_id, total, completed, failed, in_progress, duration in rows
        ]


def _conditions(query: LineageQuery) -> _Conditions:
    where = _Conditions()
    where.add("execution_id = %s", query.execution_id)
    where.add("route_id = %s", query.route_id)
    where.add("adapter_name = %s", query.adapter_name)
    where.add("replay_batch_id = %s", query.replay_batch_id)
    where.add("status = %s", query.status.value if query.status else None)
    where.add("(parent_id IS NULL) = %s", query.is_root)
    where.add("metadata->>'url' ILIKE %s", _pattern(query.url))
    where.add("metadata->>'origin' ILIKE %s", _pattern(query.origin))
    where.add("metadata->>'title' ILIKE %s", _pattern(query.title))
    where.add("metadata->>'document_id' = %s", query.document_id)
    where.add("started_at > %s", query.started_after)
    where.add("started_at < %s", query.started_before)
    return where


def _pattern(part: str | None) -> str | None:
    if part is None:
        return None
    return "%" + part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


async def _total(connection: Connection, clause: str, values: Sequence[object]) -> int:
    """Counted up to EXACT_TOTAL; above that what the planner believes, and at least one more."""
    count = f"SELECT count(*) FROM (SELECT {clause} LIMIT {EXACT_TOTAL + 1}) t"  # noqa: S608 - every value is a parameter
    counted = await _rows(connection, count, values)
    total: int = counted[0][0]
    if total <= EXACT_TOTAL:
        return total
    plan = await _rows(connection, f"EXPLAIN (FORMAT JSON) SELECT 1 {clause}", values)
    return max(total, int(plan[0][0][0]["Plan"]["Plan Rows"]))


async def _get(connection: Connection, correlation_id: UUID) -> LineageEntry:
    rows = await _rows(connection, _GET, (correlation_id,))
    if not rows:
        raise LineageEntryNotFound
    return to_entry(rows[0])


async def _rows(connection: Connection, statement: str, values: Any) -> list[tuple[Any, ...]]:
    # The statements are put together from constants of this module; every value is a parameter.
    cursor = await connection.execute(statement, values)
    return await cursor.fetchall()
