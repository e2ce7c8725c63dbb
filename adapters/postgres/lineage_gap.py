"""Compares the table ``message`` with the table ``lineage_entry``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.lineage_rows import COLUMNS, to_json
from adapters.postgres.messages import message_of
from application.ports.lineage_gap import RouteGap
from domain.expected_lineage import ExpectedSteps
from domain.lineage import LineageEntry
from domain.message import MessageState
from domain.unrecorded_message import UnrecordedMessage

PAGE = 500

# Both sides are hashed: neither table has an index on what they are compared by, for it would cost every message and every
# entry something, and this is asked seldom. Of an entry a tenth of its row is needed, and that is read once.
#
# The rule is that of ExpectedSteps.are_lacking. ``certain`` counts entries of adapters that handle every message, ``so_far``
# how many of those there should be up to the last that handled it.
_COMPARED = """
    WITH step AS (
        SELECT * FROM unnest(
            %(routes)s::text[], %(places)s::integer[], %(certain)s::boolean[], %(so_far)s::integer[],
            %(collects)s::boolean[]
        ) AS step (route_id, adapter_index, is_certain, so_far, collects)
    ), route AS (
        SELECT route_id, count(*) FILTER (WHERE is_certain) AS certain, bool_or(collects) AS collects
        FROM step GROUP BY route_id
    ), entry AS MATERIALIZED (
        SELECT id, message_id, attempt, adapter_index, step.is_certain, step.so_far,
            status IN ('completed', 'failed', 'cancelled') AS has_ended,
            CASE WHEN step.collects AND adapter_index = 0
                THEN collected_into IS NULL AND NOT metadata ? 'repaired' END AS stands_for_group
        FROM lineage_entry LEFT JOIN step USING (route_id, adapter_index)
        WHERE execution_id = %(execution_id)s
    ), handled AS (
        SELECT message_id, attempt, max(adapter_index) AS furthest, coalesce(max(so_far), 0) AS so_far,
            count(*) FILTER (WHERE is_certain) AS certain,
            coalesce(bool_or(stands_for_group), false) AS stands_for_group{places}
        FROM entry WHERE has_ended GROUP BY message_id, attempt
    ), child AS NOT MATERIALIZED (
        SELECT parent_id, parent_correlation_id FROM message
        WHERE execution_id = %(execution_id)s AND parent_id IS NOT NULL AND parent_correlation_id IS NOT NULL
    ), orphaned AS (
        SELECT DISTINCT parent_id FROM child
        WHERE NOT EXISTS (SELECT FROM entry WHERE entry.id = child.parent_correlation_id)
    )
"""

_SETTLED = """
    FROM message m
    LEFT JOIN handled ON handled.message_id = m.id AND handled.attempt = m.attempt
    LEFT JOIN orphaned ON orphaned.parent_id = m.id
    LEFT JOIN route ON route.route_id = m.route_id
    {named}
    WHERE m.execution_id = %(execution_id)s AND m.state IN ('done', 'skipped', 'dead') AND m.attempt > 0
"""

_IS_MISSING = """(
    handled.message_id IS NULL
    OR orphaned.parent_id IS NOT NULL
    OR handled.certain < CASE
        WHEN m.state = 'done' AND (handled.stands_for_group OR NOT route.collects) THEN route.certain
        ELSE handled.so_far END
    OR CASE WHEN m.state = 'dead' AND jsonb_typeof(m.error -> 'adapter_index') = 'number'
        THEN (m.error -> 'adapter_index')::numeric > handled.furthest ELSE false END
)"""

_COUNT = f"""
    {_COMPARED.format(places="")}
    SELECT m.route_id, count(*), count(*) FILTER (WHERE {_IS_MISSING}) {_SETTLED.format(named="")}
    GROUP BY m.route_id ORDER BY m.route_id COLLATE "C"
"""

_PLACES = ", array_agg(adapter_index) AS places"
_NAMED = """LEFT JOIN (
        SELECT parent_id, array_agg(DISTINCT parent_correlation_id) AS entries FROM child GROUP BY parent_id
    ) named ON named.parent_id = m.id"""

_MISSING = f"""
    {_COMPARED.format(places=_PLACES)}
    SELECT m.id, m.execution_id, m.route_id, m.payload, m.metadata, m.parent_id, m.parent_correlation_id,
        m.state, m.attempt, m.settled_at, m.error, named.entries, handled.places,
        coalesce(handled.stands_for_group, false), m.purged_at IS NULL
    {_SETTLED.format(named=_NAMED)} AND {_IS_MISSING}
"""

# While a run is young its tables have no statistics; for few rows, and for the first rows of a cursor, a plan looks best
# that reads one side again for each row of the other, which takes minutes. With the usual 4 MB half of the time goes into
# temporary files.
_HASH_THEM = """
    SELECT set_config('enable_nestloop', 'off', true), set_config('cursor_tuple_fraction', '1', true),
        set_config('work_mem', '32MB', true)
"""

_FILL = f"""
    INSERT INTO lineage_entry ({COLUMNS})
    SELECT {COLUMNS} FROM json_populate_recordset(NULL::lineage_entry, %s::json)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - constants


class PostgresLineageGap:
    """Answers from one snapshot of both tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]) -> Sequence[RouteGap]:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_HASH_THEM)
            rows = await (await connection.execute(_COUNT, _values(execution_id, expected))).fetchall()
        return [
            RouteGap(route_id=route_id, settled=settled, missing=missing)
            for route_id, settled, missing in rows
        ]

    async def missing(
        self, execution_id: UUID, expected: Mapping[str, ExpectedSteps]
    ) -> AsyncGenerator[Sequence[UnrecordedMessage], None]:
        """See the port."""
        async with self._database.transaction() as connection, connection.cursor("unrecorded") as cursor:
            await connection.execute(_HASH_THEM)
            await cursor.execute(_MISSING, _values(execution_id, expected))
            while rows := await cursor.fetchmany(PAGE):
                yield [_unrecorded(row) for row in rows]

    async def fill(self, entries: Sequence[LineageEntry]) -> int:
        """See the port."""
        ordered = sorted(entries, key=lambda entry: entry.id)
        async with self._database.transaction() as connection:
            return (await connection.execute(_FILL, (to_json(ordered),))).rowcount


def _values(execution_id: UUID, expected: Mapping[str, ExpectedSteps]) -> dict[str, Any]:
    rows = [
        (route_id, place, place in steps.certain, sum(one <= place for one in steps.certain), steps.collects)
        for route_id, steps in expected.items()
        for place in range(steps.places)
    ]
    names = ("routes", "places", "certain", "so_far", "collects")
    return {"execution_id": execution_id} | {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _unrecorded(row: Sequence[Any]) -> UnrecordedMessage:
    return UnrecordedMessage(
        message=message_of(row[:7]),
        state=MessageState(row[7]),
        attempt=row[8],
        settled_at=row[9],
        error=row[10],
        named=frozenset(row[11] or ()),
        handled=frozenset(row[12] or ()),
        stands_for_group=row[13],
        is_payload_known=row[14],
    )
