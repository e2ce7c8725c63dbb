"""Reads lineage from PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from adapters.postgres.database import Connection, Database
from adapters.postgres.lineage_rows import COLUMNS, to_entry
from application.ports.counting import COUNTED_EXACTLY
from application.ports.lineage import LineagePlace, LineageQuery, LinkedEntry
from domain.lineage import LineageEntry, LineageEntryNotFound

PAGE = 500
_OF_ENTRY = ", ".join("e." + column for column in COLUMNS.split(", "))
_BEFORE_ALL = LineagePlace(started_at=datetime.min.replace(tzinfo=UTC), id=UUID(int=0))

_GET = f"SELECT {COLUMNS} FROM lineage_entry WHERE id = %s"  # noqa: S608 - constants

# Breadth first, each level in the order of its parents: a recursive query hands its rows on as it finds them, parent
# after parent, so the outer LIMIT ends the walk. The LIMIT inside keeps every step a short read of one index range;
# UNION leaves out what has been seen, so that a circle ends.
_BELOW = f"""
    WITH RECURSIVE below AS (
        SELECT id FROM lineage_entry WHERE id = %(id)s
        UNION
        SELECT child.id FROM below CROSS JOIN LATERAL (
            (SELECT g.id FROM lineage_entry e JOIN lineage_entry g ON g.id = e.collected_into WHERE e.id = below.id)
            UNION ALL
            (SELECT e.id FROM lineage_entry e WHERE e.parent_id = below.id ORDER BY e.started_at, e.id LIMIT %(limit)s)
        ) child
    ), found AS MATERIALIZED (
        SELECT id, row_number() OVER () AS place FROM (SELECT id FROM below LIMIT %(limit)s + 1) first_ones
    )
    SELECT {COLUMNS} FROM found JOIN lineage_entry USING (id) ORDER BY place
"""  # noqa: S608 - constants

_CHILDREN = f"""
    SELECT {COLUMNS} FROM lineage_entry
    WHERE parent_id = %(id)s AND started_at >= %(at)s AND (started_at, id) > (%(at)s, %(after)s)
    ORDER BY started_at, id LIMIT %(limit)s
"""  # noqa: S608 - constants

_LINKED = f"""
    SELECT {_OF_ENTRY}, p.route_id, p.stage_name
    FROM (
        SELECT * FROM lineage_entry
        WHERE execution_id = %s AND started_at >= %s AND (started_at, id) > (%s, %s)
        ORDER BY started_at, id LIMIT {PAGE}
    ) e LEFT JOIN lineage_entry p ON p.id = e.parent_id
    ORDER BY e.started_at, e.id
"""  # noqa: S608 - constants

# Likewise breadth first: the parent, found by its primary key, then what was collected into the entry.
_ABOVE = f"""
    WITH RECURSIVE above AS (
        SELECT id FROM lineage_entry WHERE id = %(id)s
        UNION
        SELECT origin.id FROM above CROSS JOIN LATERAL (
            (SELECT p.id FROM lineage_entry e JOIN lineage_entry p ON p.id = e.parent_id WHERE e.id = above.id)
            UNION ALL
            (SELECT e.id FROM lineage_entry e WHERE e.collected_into = above.id
             ORDER BY e.started_at, e.id LIMIT %(limit)s)
        ) origin
    ), found AS MATERIALIZED (
        SELECT id, row_number() OVER () AS place FROM (SELECT id FROM above LIMIT %(limit)s + 1) first_ones
    )
    SELECT {COLUMNS} FROM found JOIN lineage_entry USING (id) ORDER BY place
"""  # noqa: S608 - constants

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

    def add(self, term: str, *values: object) -> None:
        if None not in values:
            self.terms.append(term)
            self.values.extend(values)


class PostgresLineageReader:
    """Answers from the table ``lineage_entry``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, query: LineageQuery) -> tuple[Sequence[LineageEntry], int]:
        where = _conditions(query)
        clause = f"FROM lineage_entry WHERE {' AND '.join(where.terms)}"
        direction = "DESC" if query.descending else "ASC"
        nulls = " NULLS LAST" if query.sort_by == "completed_at" else ""
        behind = _behind(query)
        page = (
            f"SELECT {COLUMNS} {clause} AND {' AND '.join(behind.terms)} ORDER BY {_SORTS[query.sort_by]} {direction}{nulls}, id {direction} "
            "LIMIT %s OFFSET %s"
        )
        async with self._database.connection() as connection:
            values = [*where.values, *behind.values, query.limit, query.offset]
            rows = await _rows(connection, page, values)
            return [to_entry(row) for row in rows], await _total(connection, clause, where.values)

    async def get(self, correlation_id: UUID) -> LineageEntry:
        async with self._database.connection() as connection:
            return await _get(connection, correlation_id)

    async def ancestors(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL jit = off")
            rows = await _rows(connection, _ABOVE, {"id": correlation_id, "limit": limit})
        if not rows:
            raise LineageEntryNotFound
        return [to_entry(row) for row in rows[1:]]

    async def descendants(self, correlation_id: UUID, *, limit: int = 1000) -> Sequence[LineageEntry]:
        async with self._database.transaction() as connection:
            # The planner takes a recursive query for a hundred times what is read; it would compile code for it.
            await connection.execute("SET LOCAL jit = off")
            rows = await _rows(connection, _BELOW, {"id": correlation_id, "limit": limit})
        if not rows:
            raise LineageEntryNotFound
        return [to_entry(row) for row in rows[1:]]

    async def children(
        self, correlation_id: UUID, *, limit: int = 1000, after: LineagePlace | None = None
    ) -> Sequence[LineageEntry]:
        place = after or _BEFORE_ALL
        values = {"id": correlation_id, "at": place.started_at, "after": place.id, "limit": limit}
        async with self._database.transaction() as connection:
            await _get(connection, correlation_id)
            return [to_entry(row) for row in await _rows(connection, _CHILDREN, values)]

    async def linked(self, execution_id: UUID) -> AsyncIterator[Sequence[LinkedEntry]]:
        place = _BEFORE_ALL
        while True:
            values = (execution_id, place.started_at, place.started_at, place.id)
            async with self._database.connection() as connection:
                rows = await _rows(connection, _LINKED, values)
            if rows:
                entries = [to_entry(row) for row in rows]
                place = LineagePlace(started_at=entries[-1].started_at, id=entries[-1].id)
                yield [
                    LinkedEntry(entry=entry, parent_route_id=row[-2], parent_stage_name=row[-1])
                    for entry, row in zip(entries, rows, strict=True)
                ]
            if len(rows) < PAGE:
                return


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


def _behind(query: LineageQuery) -> _Conditions:
    behind = _Conditions()
    if query.after is not None:
        order = "<" if query.descending else ">"
        behind.add(f"started_at {order}= %s", query.after.started_at)
        behind.add(f"(started_at, id) {order} (%s, %s)", query.after.started_at, query.after.id)
    return behind


def _pattern(part: str | None) -> str | None:
    if part is None:
        return None
    return "%" + part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


async def _total(connection: Connection, clause: str, values: Sequence[object]) -> int:
    """Counted up to COUNTED_EXACTLY; above that what the planner believes, and at least one more."""
    count = f"SELECT count(*) FROM (SELECT {clause} LIMIT {COUNTED_EXACTLY + 1}) t"  # noqa: S608 - every value is a parameter
    counted = await _rows(connection, count, values)
    total: int = counted[0][0]
    if total <= COUNTED_EXACTLY:
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
    # In binary form ids and moments, of which a row has seven, cost a third of what they do as texts.
    cursor = await connection.execute(statement, values, binary=True)
    return await cursor.fetchall()
