"""The steps of one settlement transaction, in the order in which they lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from adapters.postgres.arrays import Uuids
from adapters.postgres.database import Connection
from adapters.postgres.messages import json_text
from adapters.postgres.translation import ValueNotStorable
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from domain.message import Message, MessageState, Outcome, PayloadRejected, Settlement

Finished: TypeAlias = Mapping[UUID, ExecutionStatus]
Cursor: TypeAlias = AsyncCursor[TupleRow]

_STATE = {
    Outcome.DONE: MessageState.DONE,
    Outcome.SKIPPED: MessageState.SKIPPED,
    Outcome.DEAD: MessageState.DEAD,
    Outcome.RETRY: MessageState.QUEUED,
    Outcome.RELEASE: MessageState.QUEUED,
    Outcome.HAND_BACK: MessageState.QUEUED,
}

# Rows are named by id even where a join says as much: the planner of a small table would rather join all of it.
# Only what is out of the ordinary is answered: in a group of hundreds that is next to nothing.
_LOCK = """
    WITH asked AS (
        SELECT * FROM unnest(%(ids)s, %(tokens)s) WITH ORDINALITY AS asked (id, token, position)
        ORDER BY id
    ), held AS MATERIALIZED (
        SELECT asked.position, m.execution_id, m.state, m.parent_id IS NULL AS is_init
        FROM asked CROSS JOIN LATERAL (
            SELECT execution_id, state, parent_id FROM message
            WHERE message.id = asked.id AND message.claim_token = asked.token FOR UPDATE
        ) AS m
    ), locked AS MATERIALIZED (
        SELECT e.id, e.status FROM pipeline_execution e
        -- An array, because that reads all of "held", and so locks every message, before the first execution.
        WHERE e.id = ANY (ARRAY(SELECT DISTINCT execution_id FROM held))
        ORDER BY e.id
        FOR UPDATE
    )
    SELECT asked.position, held.state, held.is_init, locked.status
    FROM asked LEFT JOIN held USING (position) LEFT JOIN locked ON locked.id = held.execution_id
    WHERE held.state IS DISTINCT FROM 'claimed' OR held.is_init OR locked.status NOT IN ('running', 'interrupted')
"""

_LOCK_EXECUTION = "SELECT status FROM pipeline_execution WHERE id = %s FOR UPDATE"

_WRITE_DONE = """
    UPDATE message SET state = 'done', not_before = NULL, error = NULL, settled_at = %(now)s
    WHERE id = ANY (%(done_ids)s)
"""

_WRITE_OTHERS = """
    UPDATE message m
    SET state = s.state, retries = m.retries + s.retried, attempt = m.attempt - s.untouched, not_before = s.not_before,
        error = s.error, settled_at = CASE WHEN s.state = 'queued' THEN NULL ELSE %(now)s END
    FROM json_to_recordset(%(others)s::json)
        AS s (id uuid, state text, retried integer, untouched integer, not_before timestamptz, error jsonb)
    WHERE m.id = ANY (%(other_ids)s) AND m.id = s.id
"""

_HAS_TOO_MANY_DEAD = "(d.dead > 0 AND e.dead + d.dead > e.max_dead_letters)"

# What is said of too many dead is what domain.execution.too_many_dead says.
_WRITE_COUNTERS = f"""
    UPDATE pipeline_execution e
    SET outstanding = e.outstanding + d.outstanding,
        done = e.done + d.done, skipped = e.skipped + d.skipped, dead = e.dead + d.dead,
        cancelled = e.cancelled + d.cancelled,
        status = CASE
            WHEN e.status NOT IN ('running', 'interrupted') THEN e.status
            WHEN d.failure IS NOT NULL OR {_HAS_TOO_MANY_DEAD} THEN 'failed'
            WHEN e.outstanding + d.outstanding = 0 THEN 'completed'
            ELSE e.status END,
        completed_at = CASE
            WHEN e.status IN ('running', 'interrupted')
                AND (d.failure IS NOT NULL OR {_HAS_TOO_MANY_DEAD} OR e.outstanding + d.outstanding = 0)
            THEN %(now)s ELSE e.completed_at END,
        error_info = coalesce(e.error_info, d.failure::jsonb, CASE WHEN {_HAS_TOO_MANY_DEAD} THEN jsonb_build_object(
            'code', 'too_many_dead_letters',
            'message', format('%%s messages are dead, and %%s is the most that the execution may have',
                e.dead + d.dead, e.max_dead_letters)) END)
    FROM unnest(
        %(execution_ids)s::uuid[], %(outstanding)s::bigint[], %(done)s::bigint[], %(skipped)s::bigint[], %(dead)s::bigint[],
        %(cancelled)s::bigint[], %(failures)s::text[]
    ) AS d (id, outstanding, done, skipped, dead, cancelled, failure)
    WHERE e.id = ANY (%(execution_ids)s::uuid[]) AND e.id = d.id
    RETURNING e.id, e.status
"""  # noqa: S608 (only our own constants are joined)

_WRITE = f"WITH done AS ({_WRITE_DONE}), others AS ({_WRITE_OTHERS}) {_WRITE_COUNTERS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message whose claim token is the settlement's: still claimed, or settled by this very claim before."""

    state: MessageState = MessageState.CLAIMED
    is_init: bool = False
    execution_status: ExecutionStatus = ExecutionStatus.RUNNING

    @property
    def ended(self) -> ExecutionStatus | None:
        """The terminal status of its execution, None while that goes on."""
        return self.execution_status if self.execution_status.is_terminal else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is written for one settlement: the state, and the children that come into being."""

    settlement: Settlement
    state: MessageState
    children: Sequence[Message]
    failure: JsonObject | None

    @property
    def is_plainly_done(self) -> bool:
        """Whether there is nothing to write but that it is done."""
        return self.state is MessageState.DONE and self.settlement.error is None


@contextmanager
def naming_rejected_payloads() -> Iterator[None]:
    """Call a value that the database refuses what the port calls it."""
    try:
        yield
    except ValueNotStorable as error:
        raise PayloadRejected(error.message) from error


async def lock(connection: Connection, settlements: Sequence[Settlement]) -> Sequence[Held | None]:
    """For each settlement its message, None when the token does not match.

    The messages are locked by id, and after them their executions, by id.
    """
    values = {
        "ids": Uuids.of(settlement.message_id for settlement in settlements),
        "tokens": Uuids.of(settlement.token for settlement in settlements),
    }
    held: list[Held | None] = [_AS_EXPECTED] * len(settlements)
    for position, state, is_init, status in await (await connection.execute(_LOCK, values)).fetchall():
        held[position - 1] = state and Held(
            state=MessageState(state), is_init=is_init, execution_status=ExecutionStatus(status)
        )
    return held


_AS_EXPECTED = Held()


async def is_running(connection: Connection, execution_id: UUID) -> bool:
    """Whether the execution goes on, with its row locked."""
    row = await (await connection.execute(_LOCK_EXECUTION, (execution_id,))).fetchone()
    return row is not None and not ExecutionStatus(row[0]).is_terminal


def rule(settlements: Sequence[Settlement], held: Sequence[Held | None]) -> dict[UUID, Ruling]:
    """What to write for those settlements whose claim still holds, by message id in the order asked."""
    rulings: dict[UUID, Ruling] = {}
    for settlement, one in zip(settlements, held, strict=True):
        if one is not None and one.state is MessageState.CLAIMED:
            rulings.setdefault(settlement.message_id, _ruling(settlement, one))
    return rulings


def _ruling(settlement: Settlement, held: Held) -> Ruling:
    has_ended = held.execution_status.is_terminal
    state = MessageState.CANCELLED if has_ended else _STATE[settlement.outcome]
    return Ruling(
        settlement=settlement,
        state=state,
        children=() if has_ended else settlement.children,
        failure=(settlement.error or {}) if state is MessageState.DEAD and held.is_init else None,
    )


def comes_too_late(settlement: Settlement, held: Held, ruling: Ruling | None) -> bool:
    """Whether the message is back in the queue by another settlement of its claim, and this one would end it."""
    return _now(held, ruling) is MessageState.QUEUED and _STATE[settlement.outcome].is_settled


def is_cancelled(held: Held, ruling: Ruling | None) -> bool:
    """Whether the message is settled as cancelled."""
    return _now(held, ruling) is MessageState.CANCELLED


def _now(held: Held, ruling: Ruling | None) -> MessageState:
    return held.state if ruling is None else ruling.state


async def write(
    connection: Connection, rulings: Mapping[UUID, Ruling], born: Mapping[UUID, int], now: datetime
) -> Cursor | None:
    """Write each ruling to its message, and move the executions' counters by what really changed.

    ``born`` holds how many children came into being, ``{execution id: count}``. Returns what ``ended`` reads.
    """
    if not rulings:
        return None
    deltas: dict[UUID, Counter[str]] = {}
    for ruling in rulings.values():
        delta = deltas.setdefault(ruling.settlement.execution_id, Counter())
        if ruling.state.is_settled:
            delta[ruling.state.value] += 1
            delta["outstanding"] -= 1
    for execution_id, count in born.items():
        deltas[execution_id]["outstanding"] += count
    failures = {
        ruling.settlement.execution_id: ruling.failure
        for ruling in rulings.values()
        if ruling.failure is not None
    }
    values = _states(rulings) | _deltas(deltas, failures) | {"now": now}
    return await connection.execute(_WRITE, values)


async def ended(written: Cursor | None) -> Finished:
    """The executions that a ``write`` has ended, with their status."""
    return {} if written is None else _ended(await written.fetchall())


def _states(rulings: Mapping[UUID, Ruling]) -> dict[str, object]:
    others = [_other(ruling) for ruling in rulings.values() if not ruling.is_plainly_done]
    return {
        "other_ids": Uuids.of(one for one, ruling in rulings.items() if not ruling.is_plainly_done),
        "done_ids": Uuids.of(one for one, ruling in rulings.items() if ruling.is_plainly_done),
        "others": msgspec.json.encode(others).decode(),
    }


def _other(ruling: Ruling) -> Mapping[str, object]:
    settlement = ruling.settlement
    error = settlement.error
    return {
        "id": settlement.message_id,
        "state": ruling.state.value,
        "retried": int(settlement.outcome is Outcome.RETRY),
        "untouched": int(settlement.outcome is Outcome.HAND_BACK),
        "not_before": settlement.not_before,
        "error": None if error is None else msgspec.Raw(json_text(error).encode()),
    }


async def apply_deltas(
    connection: Connection,
    deltas: Mapping[UUID, Mapping[str, int]],
    failures: Mapping[UUID, JsonObject],
    now: datetime,
) -> Finished:
    """Add to the counters; an execution that has nothing outstanding any more is completed. Returns what ended."""
    values = _deltas(deltas, failures) | {"now": now}
    return _ended(await (await connection.execute(_WRITE_COUNTERS, values)).fetchall())


def _deltas(
    deltas: Mapping[UUID, Mapping[str, int]], failures: Mapping[UUID, JsonObject]
) -> dict[str, object]:
    ids = sorted(deltas)
    columns = ("outstanding", "done", "skipped", "dead", "cancelled")
    return {column: [deltas[one].get(column, 0) for one in ids] for column in columns} | {
        "execution_ids": ids,
        "failures": [json_text(failures[one]) if one in failures else None for one in ids],
    }


def _ended(rows: Iterable[Sequence[Any]]) -> Finished:
    return {row[0]: status for row in rows if (status := ExecutionStatus(row[1])).is_terminal}
