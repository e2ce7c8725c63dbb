"""What a sweep over the ledger does when owners are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.database import Connection
from adapters.postgres.ledger_settling import apply_deltas
from application.ports.execution_ledger import Recovered
from domain.crash import SUSPECT_FROM, Suspect

_SWEEP = """
    WITH held AS MATERIALIZED (
        SELECT id, execution_id FROM message
        WHERE state = 'claimed' AND claimed_by <> ALL(%(live)s::uuid[])
        ORDER BY id FOR UPDATE
    ), locked AS MATERIALIZED (
        -- Looked at under its lock: a redrive may be reopening it, and then nothing of it is cancelled.
        SELECT id, status IN ('running', 'interrupted') AS goes_on FROM pipeline_execution
        WHERE id = ANY (ARRAY(SELECT DISTINCT execution_id FROM held))
        ORDER BY id FOR UPDATE
    ), orphan AS (
        SELECT held.id, locked.goes_on FROM held JOIN locked ON locked.id = held.execution_id
    )
    UPDATE message m
    SET state = CASE WHEN orphan.goes_on THEN 'queued' ELSE 'cancelled' END, claim_token = NULL, claimed_by = NULL,
        crashes = m.crashes + 1, settled_at = CASE WHEN orphan.goes_on THEN NULL ELSE %(now)s END
    FROM orphan WHERE m.id = orphan.id
    RETURNING m.execution_id, m.state, m.route_id, m.id
"""

# Whoever has locked an execution is at it: the next sweep will see whether it was its last act.
_INTERRUPT = """
    UPDATE pipeline_execution SET status = 'interrupted'
    WHERE id IN (
        SELECT id FROM pipeline_execution
        WHERE status = 'running' AND started_at <= %(begun_by)s AND id <> ALL(%(kept)s::uuid[])
        ORDER BY id FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""

# The number is written out, because the planner must see that it is the one of the partial index.
_SUSPECTS = f"""
    SELECT id, execution_id, route_id, crashes FROM message
    WHERE crashes >= {SUSPECT_FROM} AND state = 'queued' AND execution_id = ANY (%(executions)s)
        AND (not_before IS NULL OR not_before <= %(now)s)
    ORDER BY position LIMIT %(limit)s
"""  # noqa: S608 (our own constant)


async def sweep(
    connection: Connection,
    *,
    live_owners: Sequence[UUID],
    kept: Collection[UUID] | None,
    begun_by: datetime,
    now: datetime,
) -> Sequence[Recovered]:
    """Give back what the dead had claimed, then interrupt the executions that nobody keeps (None: all are kept)."""
    rows = await (await connection.execute(_SWEEP, {"live": list(live_owners), "now": now})).fetchall()
    await _count_cancelled(connection, rows, now)
    interrupted: set[UUID] = set()
    if kept is not None:
        cursor = await connection.execute(_INTERRUPT, {"kept": list(kept), "begun_by": begun_by})
        interrupted = {execution_id for (execution_id,) in await cursor.fetchall()}
    returned: dict[UUID, dict[str, list[UUID]]] = {}
    for execution_id, state, route_id, message_id in rows:
        if state == "queued":
            returned.setdefault(execution_id, {}).setdefault(route_id, []).append(message_id)
    return [
        Recovered(
            execution_id=one,
            messages=sum(map(len, returned.get(one, {}).values())),
            is_interrupted=one in interrupted,
            by_route=returned.get(one, {}),
        )
        for one in sorted(returned.keys() | interrupted)
    ]


async def _count_cancelled(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> None:
    cancelled = Counter(execution_id for execution_id, state, *_ in rows if state == "cancelled")
    if cancelled:
        deltas = {one: {"cancelled": count, "outstanding": -count} for one, count in cancelled.items()}
        await apply_deltas(connection, deltas, {}, now)


async def suspects(
    connection: Connection, execution_ids: Sequence[UUID], *, limit: int, now: datetime
) -> Sequence[Suspect]:
    """The suspects among what waits of some executions, in the order in which they came."""
    values = {"executions": list(execution_ids), "limit": limit, "now": now}
    rows = await (await connection.execute(_SUSPECTS, values)).fetchall()
    return [Suspect(message_id=row[0], execution_id=row[1], route_id=row[2], crashes=row[3]) for row in rows]
