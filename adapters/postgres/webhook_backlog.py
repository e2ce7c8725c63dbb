"""What disabled and removed webhook subscriptions leave behind, put aside in batches."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from adapters.postgres.database import Database
from domain.errors import Unavailable

BATCH = 1000
BATCHES_AT_ONCE = 5

# What somebody writes just now is passed over: whoever waits for nobody cannot be part of a deadlock.
_SKIP = """
    UPDATE webhook_delivery w SET state = 'skipped', due_at = NULL, settled_at = found.at
    FROM (
        SELECT d.id, coalesce(s.disabled_at, s.updated_at) AS at FROM webhook_subscription s CROSS JOIN LATERAL (
            SELECT id FROM webhook_delivery WHERE subscription_id = s.id AND state = 'pending'
            ORDER BY position LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) AS d WHERE NOT s.is_enabled LIMIT %(limit)s
    ) AS found WHERE w.id = found.id
"""

# From one subscription's deliveries to the next one's, however many there are of each.
_ORPHANS = """
    WITH RECURSIVE pending (id) AS (
        (SELECT subscription_id FROM webhook_delivery WHERE state = 'pending' ORDER BY subscription_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.subscription_id FROM webhook_delivery d
            WHERE d.state = 'pending' AND d.subscription_id > p.id ORDER BY d.subscription_id LIMIT 1)
        FROM pending p WHERE p.id IS NOT NULL
    ), settled (id) AS (
        (SELECT subscription_id FROM webhook_delivery WHERE state <> 'pending' ORDER BY subscription_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.subscription_id FROM webhook_delivery d
            WHERE d.state <> 'pending' AND d.subscription_id > p.id ORDER BY d.subscription_id LIMIT 1)
        FROM settled p WHERE p.id IS NOT NULL
    )
    SELECT id FROM (SELECT id FROM pending UNION SELECT id FROM settled) AS known
    WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM webhook_subscription s WHERE s.id = known.id)
"""

# Each way it is the beginning of a range of an index.
_FORGET = """
    DELETE FROM webhook_delivery WHERE id = ANY (ARRAY(
        SELECT d.id FROM unnest(%(ids)s::uuid[]) AS g (id) CROSS JOIN LATERAL (
            SELECT id FROM webhook_delivery WHERE subscription_id = g.id AND {state}
            ORDER BY position LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ) AS d LIMIT %(limit)s))
    RETURNING id
"""

_FORGET_PENDING = _FORGET.format(state="state = 'pending'").encode()
_FORGET_SETTLED = _FORGET.format(state="state <> 'pending'").encode()

# A statement of its own: it sees the attempts that were written while the deliveries were waited for.
FORGET_ATTEMPTS = "DELETE FROM webhook_attempt WHERE delivery_id = ANY (%s)"


async def clear_backlog(database: Database, *, limit: int) -> int:
    """Skip up to ``limit`` deliveries of disabled subscriptions and forget as many of removed ones; returns how many."""
    async with database.transaction() as connection:
        skipped = (await connection.execute(_SKIP, {"limit": limit})).rowcount
    async with database.transaction() as connection:
        orphans = [row[0] for row in await (await connection.execute(_ORPHANS)).fetchall()]
        if not orphans:
            return skipped
        gone: list[UUID] = []
        for query in (_FORGET_PENDING, _FORGET_SETTLED):
            found = await connection.execute(query, {"ids": orphans, "limit": limit - len(gone)})
            gone += [row[0] for row in await found.fetchall()]
        await connection.execute(FORGET_ATTEMPTS, (gone,))
    return skipped + len(gone)


async def begin_clearing(database: Database) -> None:
    """A few batches at once; the rest, and all when the store is away, is left to who clears now and then."""
    with suppress(Unavailable):
        for _ in range(BATCHES_AT_ONCE):
            if not await clear_backlog(database, limit=BATCH):
                return
