"""Due deliveries in PostgreSQL, for those who send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg.types.json import Json

from adapters.postgres.arrays import Uuids
from adapters.postgres.database import Database
from adapters.postgres.webhook_rows import CLAIM_COLUMNS, claimed_of
from application.ports.webhook_queue import ClaimedDelivery, Recorded, Room, Standing
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.outcome import Failure

# Each subscription's due deliveries are the beginning of a range of the index, however many lie behind it. What is locked
# is found again by where it lies: an index by id grows with what is pending. A row that has moved since the statement
# began is left to the next claim.
_CLAIM = f"""
    WITH room AS MATERIALIZED (
        SELECT r.subscription_id, r.most, r.is_ordered, s.version
        FROM unnest(%(ids)s::uuid[], %(most)s::int[], %(ordered)s::boolean[]) AS r (subscription_id, most, is_ordered)
        JOIN webhook_subscription s ON s.id = r.subscription_id AND s.is_enabled
    ), found AS MATERIALIZED (
        SELECT d.place, room.version FROM room CROSS JOIN LATERAL (
            SELECT ctid AS place FROM webhook_delivery
            WHERE subscription_id = room.subscription_id AND state = 'pending' AND due_at <= %(now)s
            ORDER BY due_at, position LIMIT room.most FOR UPDATE SKIP LOCKED
        ) AS d WHERE NOT room.is_ordered
        UNION ALL
        SELECT d.place, room.version FROM room CROSS JOIN LATERAL (
            SELECT ctid AS place FROM webhook_delivery
            WHERE id = (
                SELECT id FROM webhook_delivery WHERE subscription_id = room.subscription_id AND state = 'pending'
                ORDER BY position LIMIT 1
            ) AND state = 'pending' AND due_at <= %(now)s
            FOR UPDATE SKIP LOCKED
        ) AS d WHERE room.is_ordered
    )
    UPDATE webhook_delivery d SET claim_token = %(token)s, due_at = %(until)s, attempts = d.attempts + 1
    FROM found, webhook_event e
    WHERE d.ctid = found.place AND e.id = d.event_id
    RETURNING {CLAIM_COLUMNS}, found.version
"""  # noqa: S608 (only our own constants are joined)

_RECORD = """
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS g (
            id uuid, token uuid, subscription_id uuid, state text, due_at timestamptz, failures integer,
            last_status integer, last_failure text, last_attempt_at timestamptz, settled_at timestamptz,
            number integer, started_at timestamptz, duration_ms double precision, request_headers jsonb,
            response_headers jsonb, response_body text, is_truncated boolean, detail text)
        ORDER BY id
    ), held AS MATERIALIZED (
        -- Found by id one after the other: joined with as many rows, the planner of a young table compares each with each.
        SELECT g.*, w.claim_token = g.token
            AND (w.state = 'pending' OR (w.state = 'skipped' AND g.state = 'delivered')) AS is_current
        FROM given g CROSS JOIN LATERAL (
            SELECT claim_token, state FROM webhook_delivery WHERE webhook_delivery.id = g.id FOR UPDATE
        ) AS w
    ), attempts AS (
        INSERT INTO webhook_attempt (
            delivery_id, number, started_at, duration_ms, request_headers, status, response_headers, response_body,
            is_truncated, failure, detail)
        SELECT id, number, started_at, duration_ms, request_headers, last_status, response_headers,
            decode(response_body, 'base64'), coalesce(is_truncated, false), last_failure, detail
        FROM held
        ON CONFLICT DO NOTHING
    ), health AS MATERIALIZED (
        SELECT subscription_id AS id, bool_or(state = 'delivered') AS is_well, min(last_attempt_at) AS at
        FROM given GROUP BY subscription_id
    ), standing AS MATERIALIZED (
        -- Locked by id, so that two who record of the same ones never wait for each other both.
        SELECT s.id, health.is_well, health.at FROM health JOIN webhook_subscription s ON s.id = health.id
        WHERE health.is_well = (s.failing_since IS NOT NULL)
        ORDER BY s.id FOR UPDATE OF s
    ), recovered AS (
        UPDATE webhook_subscription s SET failing_since = NULL, warned_at = NULL
        FROM standing health WHERE s.id = health.id AND health.is_well AND s.failing_since IS NOT NULL
    ), failing AS (
        UPDATE webhook_subscription s SET failing_since = health.at
        FROM standing health WHERE s.id = health.id AND NOT health.is_well AND s.failing_since IS NULL
    )
    UPDATE webhook_delivery d SET
        state = g.state, due_at = g.due_at, failures = g.failures, last_status = g.last_status,
        last_failure = g.last_failure, last_attempt_at = g.last_attempt_at, settled_at = g.settled_at, claim_token = NULL
    FROM held g WHERE d.id = ANY (%(ids)s) AND d.id = g.id AND g.is_current
"""

_RELEASE = """
    UPDATE webhook_delivery d SET due_at = %(now)s, attempts = d.attempts - 1, claim_token = NULL
    FROM (
        SELECT w.id FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS g (id, token)
        JOIN webhook_delivery w ON w.id = g.id AND w.claim_token = g.token AND w.state = 'pending'
        ORDER BY w.id FOR UPDATE OF w
    ) AS held WHERE d.id = held.id
"""

_STANDING = "SELECT id, failing_since, warned_at FROM webhook_subscription WHERE id = ANY (%s)"


class PostgresWebhookQueue:
    """The ``WebhookQueue`` port over tables ``webhook_delivery`` and ``webhook_attempt``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, rooms: Sequence[Room], *, token: UUID, now: datetime, until: datetime
    ) -> Sequence[ClaimedDelivery]:
        """See the port."""
        values = {
            "ids": Uuids.of(room.subscription_id for room in rooms),
            "most": [room.most for room in rooms],
            "ordered": [room.is_ordered for room in rooms],
            "token": token,
            "now": now,
            "until": until,
        }
        async with self._database.connection() as connection:
            found = await connection.execute(_CLAIM, values, binary=True)
            rows = await found.fetchall()
        claimed = [claimed_of(row, token) for row in rows]
        return sorted(claimed, key=lambda one: one.delivery.position)

    async def release(self, claims: Sequence[ClaimedDelivery], *, now: datetime) -> None:
        """See the port."""
        values = {
            "ids": [claim.delivery.id for claim in claims],
            "tokens": [claim.token for claim in claims],
            "now": now,
        }
        async with self._database.pipelined() as connection:
            await connection.execute(_RELEASE, values)

    async def record(self, recorded: Sequence[Recorded]) -> Sequence[Standing]:
        """See the port."""
        rows = Json([_row(one) for one in recorded])
        ids = Uuids.of(one.delivery.id for one in recorded)
        failed = {
            one.delivery.subscription_id
            for one in recorded
            if one.delivery.state is not DeliveryState.DELIVERED
        }
        standings: dict[UUID, Standing] = {}
        async with self._database.connection() as connection:
            await connection.execute(_RECORD, {"rows": rows, "ids": ids})
            if failed:
                found = await connection.execute(_STANDING, (sorted(failed),))
                standings = {
                    row[0]: Standing(failing_since=row[1], warned_at=row[2]) for row in await found.fetchall()
                }
        return [standings.get(one.delivery.subscription_id, Standing()) for one in recorded]


class _Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What ``_RECORD`` reads; what is left out is null, and the body becomes base64."""

    id: UUID
    token: UUID
    subscription_id: UUID
    state: DeliveryState
    due_at: datetime | None
    failures: int
    last_status: int | None
    last_failure: Failure | None
    last_attempt_at: datetime | None
    settled_at: datetime | None
    number: int
    started_at: datetime
    duration_ms: float
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    response_body: bytes
    is_truncated: bool = False
    detail: str | None = None


def _row(recorded: Recorded) -> _Row:
    delivery, attempt, answer = recorded.delivery, recorded.attempt, recorded.attempt.answer
    return _Row(
        id=delivery.id,
        token=recorded.token,
        subscription_id=delivery.subscription_id,
        state=delivery.state,
        due_at=delivery.due_at,
        failures=delivery.failures,
        last_status=delivery.last_status,
        last_failure=answer.failure,
        last_attempt_at=delivery.last_attempt_at,
        settled_at=delivery.settled_at,
        number=attempt.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        request_headers=attempt.request_headers,
        response_headers=answer.headers,
        response_body=answer.body,
        is_truncated=answer.is_truncated,
        detail=answer.detail,
    )
