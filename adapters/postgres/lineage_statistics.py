"""Sums lineage up in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres.database import Database
from application.ports.lineage_statistics import (
    SAMPLES,
    AdapterStatistics,
    FailureGroup,
    Percentiles,
    RouteStatistics,
)
from domain.lineage import MESSAGE_CHARACTERS, NAMES_AND_NUMBERS, REPAIRED, StageStatus

_PERCENTILES = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms)"

_ROUTES = f"""
    WITH attempt AS (
        SELECT route_id, message_id, attempt,
            bool_or(status = 'failed') AS failed,
            bool_and(status = 'completed') AS completed,
            bool_or(status IN ('pending', 'initiated', 'processing')) AS open,
            CASE WHEN count(*) = count(completed_at) AND NOT bool_or(metadata ? '{REPAIRED}')
                THEN (1000 * extract(epoch FROM max(completed_at) - min(started_at)))::float8 END AS ms
        FROM lineage_entry
        WHERE execution_id = ANY(%(execution_ids)s) AND (%(route_id)s::text IS NULL OR route_id = %(route_id)s)
        GROUP BY route_id, message_id, attempt
    ), last_attempt AS (
        SELECT DISTINCT ON (route_id, message_id) * FROM attempt ORDER BY route_id, message_id, attempt DESC
    )
    SELECT route_id, count(*), count(*) FILTER (WHERE completed), count(*) FILTER (WHERE failed),
        count(*) FILTER (WHERE open AND NOT failed), avg(ms), {_PERCENTILES}
    FROM last_attempt GROUP BY route_id ORDER BY route_id COLLATE "C"
"""  # noqa: S608 - constants

_ADAPTERS = f"""
    WITH handling AS (
        SELECT route_id, adapter_name, adapter_index, status,
            CASE WHEN NOT metadata ? '{REPAIRED}'
                THEN (1000 * extract(epoch FROM completed_at - started_at))::float8 END AS ms
        FROM lineage_entry WHERE execution_id = %s
    )
    SELECT route_id, adapter_name, adapter_index,
        {", ".join(f"count(*) FILTER (WHERE status = '{status.value}')" for status in StageStatus)}, avg(ms), {_PERCENTILES}
    FROM handling GROUP BY route_id, adapter_name, adapter_index
    ORDER BY route_id COLLATE "C", adapter_index, adapter_name COLLATE "C"
"""  # noqa: S608 - constants

_IN_COMMON = "message"
for _place in range(len(NAMES_AND_NUMBERS)):
    _IN_COMMON = f"regexp_replace({_IN_COMMON}, %(pattern{_place})s, %(placeholder{_place})s, 'g')"
_RULES = {
    name: text
    for place, (pattern, placeholder) in enumerate(NAMES_AND_NUMBERS)
    for name, text in ((f"pattern{place}", pattern), (f"placeholder{place}", placeholder))
}

# Twice grouped: first what says the very same, so that the regular expressions run once for all of it.
_FAILURES = f"""
    WITH same AS (
        SELECT error->>'code' AS code, error->>'type' AS type, coalesce(error->>'message', '') AS message,
            route_id, adapter_name, count(*) AS entries, min(started_at) AS first_at, max(started_at) AS last_at,
            (array_agg(id ORDER BY started_at DESC, id DESC))[1:{SAMPLES}] AS ids,
            (array_agg(started_at ORDER BY started_at DESC, id DESC))[1:{SAMPLES}] AS moments
        FROM lineage_entry
        WHERE status = 'failed' AND (%(execution_id)s::uuid IS NULL OR execution_id = %(execution_id)s)
        GROUP BY 1, 2, 3, 4, 5
    ), alike AS (
        SELECT *, left({_IN_COMMON}, {MESSAGE_CHARACTERS}) AS in_common FROM same
    ), grouped AS (
        SELECT code, type, in_common, route_id, adapter_name, sum(entries)::bigint AS entries,
            min(first_at) AS first_at, max(last_at) AS last_at
        FROM alike GROUP BY 1, 2, 3, 4, 5
        ORDER BY entries DESC, last_at DESC, in_common COLLATE "C", adapter_name COLLATE "C" LIMIT %(limit)s
    )
    SELECT code, type, in_common, route_id, adapter_name, entries, first_at, last_at, ARRAY(
        SELECT one.id FROM alike, unnest(alike.ids, alike.moments) AS one (id, moment)
        WHERE (alike.code, alike.type, alike.in_common, alike.route_id, alike.adapter_name)
            IS NOT DISTINCT FROM
            (grouped.code, grouped.type, grouped.in_common, grouped.route_id, grouped.adapter_name)
        ORDER BY one.moment DESC, one.id DESC LIMIT {SAMPLES}
    )
    FROM grouped
    ORDER BY entries DESC, last_at DESC, in_common COLLATE "C", adapter_name COLLATE "C"
"""  # noqa: S608 - constants


class PostgresLineageStatistics:
    """Answers from the table ``lineage_entry``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def routes(self, *execution_ids: UUID, route_id: str | None = None) -> Sequence[RouteStatistics]:
        """See the port."""
        values = {"execution_ids": list(execution_ids), "route_id": route_id}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_ROUTES, values)).fetchall()
        return [
            RouteStatistics(
                route_id=name,
                total_messages=total,
                completed=completed,
                failed=failed,
                in_progress=in_progress,
                avg_duration_ms=duration,
                durations=_percentiles(found),
            )
            for name, total, completed, failed, in_progress, duration, found in rows
        ]

    async def adapters(self, execution_id: UUID) -> Sequence[AdapterStatistics]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_ADAPTERS, (execution_id,))).fetchall()
        return [
            AdapterStatistics(
                route_id=row[0],
                adapter_name=row[1],
                adapter_index=row[2],
                counts={status: n for status, n in zip(StageStatus, row[3:-2], strict=True) if n},
                avg_duration_ms=row[-2],
                durations=_percentiles(row[-1]),
            )
            for row in rows
        ]

    async def failures(self, execution_id: UUID | None = None, *, limit: int = 100) -> Sequence[FailureGroup]:
        """See the port."""
        values = {"execution_id": execution_id, "limit": limit, **_RULES}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_FAILURES, values)).fetchall()
        return [
            FailureGroup(
                code=row[0],
                type=row[1],
                message=row[2],
                route_id=row[3],
                adapter_name=row[4],
                count=row[5],
                first_at=row[6],
                last_at=row[7],
                correlation_ids=tuple(row[8]),
            )
            for row in rows
        ]


def _percentiles(found: Sequence[float | None] | None) -> Percentiles | None:
    if found is None or found[0] is None or found[1] is None or found[2] is None:
        return None
    return Percentiles(p50_ms=found[0], p95_ms=found[1], p99_ms=found[2])
