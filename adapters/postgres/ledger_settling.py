"""The steps of one settlement transaction, in the order in which they lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from adapters.postgres.database import Connection
from adapters.postgres.messages import json_text
from adapters.postgres.translation import ValueNotStorable
from domain.execution import ExecutionStatus
from domain.json import JsonObject
from domain.message import Message, MessageState, Outcome, PayloadRejected, Settlement

Finished: TypeAlias = Mapping[UUID, ExecutionStatus]

_STATE = {
    Outcome.DONE: MessageState.DONE,
    Outcome.SKIPPED: MessageState.SKIPPED,
    Outcome.DEAD: MessageState.DEAD,
    Outcome.RETRY: MessageState.QUEUED,
    Outcome.RELEASE: MessageState.QUEUED,
}

_LOCK = """
    WITH held AS MATERIALIZED (
        SELECT m.id, m.execution_id, m.state, m.parent_id IS NULL AS is_init
        FROM unnest(%s::uuid[], %s::uuid[]) AS s (id, token)
        JOIN message m ON m.id = s.id AND m.claim_token = s.token
        ORDER BY m.id
        FOR UPDATE OF m
    ), locked AS MATERIALIZED (
        SELECT e.id, e.status FROM pipeline_execution e
        -- An array, because that reads all of "held", and so locks every message, before the first execution.
        WHERE e.id = ANY (ARRAY(SELECT execution_id FROM held))
        ORDER BY e.id
        FOR UPDATE
    )
    SELECT held.id, held.execution_id, held.state, held.is_init, locked.status
    FROM held JOIN locked ON locked.id = held.execution_id
"""

_LOCK_EXECUTION = "SELECT status FROM pipeline_execution WHERE id = %s FOR UPDATE"

_WRITE_STATES = """
    UPDATE message m
    SET state = s.state, retries = m.retries + s.retried, not_before = s.not_before, error = s.error::jsonb,
        settled_at = CASE WHEN s.state = 'queued' THEN NULL ELSE %(now)s END
    FROM unnest(
        %(ids)s::uuid[], %(states)s::text[], %(retried)s::integer[], %(not_before)s::timestamptz[], %(errors)s::text[]
    ) AS s (id, state, retried, not_before, error)
    WHERE m.id = s.id
"""

_WRITE_COUNTERS = """
    UPDATE pipeline_execution e
    SET outstanding = e.outstanding + d.outstanding,
        done = e.done + d.done, skipped = e.skipped + d.skipped, dead = e.dead + d.dead,
        cancelled = e.cancelled + d.cancelled,
        status = CASE
            WHEN e.status NOT IN ('running', 'interrupted') THEN e.status
            WHEN d.failure IS NOT NULL THEN 'failed'
            WHEN e.outstanding + d.outstanding = 0 THEN 'completed'
            ELSE e.status END,
        completed_at = CASE
            WHEN e.status IN ('running', 'interrupted') AND (d.failure IS NOT NULL OR e.outstanding + d.outstanding = 0)
            THEN %(now)s ELSE e.completed_at END,
        error_info = coalesce(e.error_info, d.failure::jsonb)
    FROM unnest(
        %(execution_ids)s::uuid[], %(outstanding)s::bigint[], %(done)s::bigint[], %(skipped)s::bigint[], %(dead)s::bigint[],
        %(cancelled)s::bigint[], %(failures)s::text[]
    ) AS d (id, outstanding, done, skipped, dead, cancelled, failure)
    WHERE e.id = d.id
    RETURNING e.id, e.status
"""

_WRITE = f"WITH written AS ({_WRITE_STATES}) {_WRITE_COUNTERS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message whose claim token is the settlement's: still claimed, or settled by this very claim before."""

    execution_id: UUID
    state: MessageState
    is_init: bool
    execution_status: ExecutionStatus

    @property
    def is_cancelled(self) -> bool:
        """Whether it was settled as cancelled."""
        return self.state is MessageState.CANCELLED

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


@contextmanager
def naming_rejected_payloads() -> Iterator[None]:
    """Call a value that the database refuses what the port calls it."""
    try:
        yield
    except ValueNotStorable as error:
        raise PayloadRejected(error.message) from error


async def lock(connection: Connection, settlements: Sequence[Settlement]) -> dict[UUID, Held]:
    """The settlements' messages whose token matches, locked by id, and after them their executions, locked by id."""
    ids = [settlement.message_id for settlement in settlements]
    tokens = [settlement.token for settlement in settlements]
    rows = await (await connection.execute(_LOCK, (ids, tokens))).fetchall()
    return {
        row[0]: Held(
            execution_id=row[1],
            state=MessageState(row[2]),
            is_init=row[3],
            execution_status=ExecutionStatus(row[4]),
        )
        for row in rows
    }


async def is_running(connection: Connection, execution_id: UUID) -> bool:
    """Whether the execution goes on, with its row locked."""
    row = await (await connection.execute(_LOCK_EXECUTION, (execution_id,))).fetchone()
    return row is not None and not ExecutionStatus(row[0]).is_terminal


def rule(settlements: Sequence[Settlement], held: Mapping[UUID, Held]) -> dict[UUID, Ruling]:
    """What to write for those settlements whose claim still holds, by message id in order."""
    rulings: dict[UUID, Ruling] = {}
    for settlement in sorted(settlements, key=lambda settlement: settlement.message_id):
        one = held.get(settlement.message_id)
        if one is None or one.state is not MessageState.CLAIMED or settlement.message_id in rulings:
            continue
        has_ended = one.execution_status.is_terminal
        state = MessageState.CANCELLED if has_ended else _STATE[settlement.outcome]
        rulings[settlement.message_id] = Ruling(
            settlement=settlement,
            state=state,
            children=() if has_ended else settlement.children,
            failure=(settlement.error or {}) if state is MessageState.DEAD and one.is_init else None,
        )
    return rulings


async def write(
    connection: Connection, rulings: Mapping[UUID, Ruling], born: Mapping[UUID, UUID], now: datetime
) -> Finished:
    """Write each ruling to its message, and move the executions' counters by what really changed.

    ``born`` holds the children that came into being, ``{id: execution id}``. Returns the executions that have ended.
    """
    if not rulings:
        return {}
    deltas: dict[UUID, Counter[str]] = {}
    for ruling in rulings.values():
        delta = deltas.setdefault(ruling.settlement.execution_id, Counter())
        if ruling.state.is_settled:
            delta[ruling.state.value] += 1
            delta["outstanding"] -= 1
    for execution_id in born.values():
        deltas[execution_id]["outstanding"] += 1
    failures = {
        ruling.settlement.execution_id: ruling.failure
        for ruling in rulings.values()
        if ruling.failure is not None
    }
    values = _states(rulings) | _deltas(deltas, failures) | {"now": now}
    return _ended(await (await connection.execute(_WRITE, values)).fetchall())


def _states(rulings: Mapping[UUID, Ruling]) -> dict[str, object]:
    given = [ruling.settlement for ruling in rulings.values()]
    return {
        "ids": list(rulings),
        "states": [ruling.state.value for ruling in rulings.values()],
        "retried": [int(settlement.outcome is Outcome.RETRY) for settlement in given],
        "not_before": [settlement.not_before for settlement in given],
        "errors": [None if settlement.error is None else json_text(settlement.error) for settlement in given],
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
