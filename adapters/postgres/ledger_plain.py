"""Settlements and chunks in which nothing is out of the ordinary: one statement, and one answer to wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow

from adapters.postgres.arrays import Uuids
from adapters.postgres.database import Connection
from adapters.postgres.messages import Newborn
from adapters.postgres.webhook_rows import object_events
from domain.execution import ExecutionStatus
from domain.message import Outcome, Settlement

Ended: TypeAlias = Mapping[UUID, ExecutionStatus]

NOT_PLAIN = frozenset({"FF001", "23505"})
"""What the functions of migration 13 raise when something is out of the ordinary; then they have done nothing."""

_SETTLE = """
    SELECT * FROM settle_plainly(
        %(ids)s, %(tokens)s, %(states)s::text[], %(rows)s::json, %(count)s, %(owner)s::uuid,
        %(executions)s, %(done)s::bigint[], %(skipped)s::bigint[], %(born)s::bigint[], %(now)s
    )
"""

_SETTLE_WITH_OBJECTS = _SETTLE.replace("settle_plainly(", "settle_plainly_with_objects(").replace(
    "%(now)s\n", "%(now)s, %(events)s\n"
)

_EXTEND = "SELECT extend_plainly(%(id)s, %(token)s, %(rows)s::json, %(count)s, %(owner)s::uuid)"

_PLAIN = frozenset({Outcome.DONE, Outcome.SKIPPED})


def are_plain(settlements: Sequence[Settlement]) -> bool:
    """Whether all of them only say that their message is done or skipped."""
    return all(settlement.outcome in _PLAIN and settlement.error is None for settlement in settlements)


async def settle_plainly(
    connection: Connection, settlements: Sequence[Settlement], newborn: Newborn, now: datetime
) -> Ended | None:
    """The executions that ended with it; None, and nothing is done, when it takes more than this."""
    values = _asked(settlements) | _moved(settlements) | newborn.values | {"count": newborn.count, "now": now}
    query = _SETTLE
    if events := object_events(settlements, now):
        query, values["events"] = _SETTLE_WITH_OBJECTS, events
    rows = await _answer(connection, query, values)
    if rows is None:
        return None
    return {row[0]: status for row in rows if (status := ExecutionStatus(row[1])).is_terminal}


async def extend_plainly(connection: Connection, parent_id: UUID, token: UUID, newborn: Newborn) -> bool:
    """Whether the children have come into being; False, and nothing is done, when it takes more than this."""
    values = newborn.values | {"id": parent_id, "token": token, "count": newborn.count}
    return await _answer(connection, _EXTEND, values) is not None


async def _answer(
    connection: Connection, statement: str, values: Mapping[str, object]
) -> Sequence[TupleRow] | None:
    try:
        return await (await connection.execute(statement.encode(), values)).fetchall()
    except psycopg.Error as error:
        if error.sqlstate in NOT_PLAIN:
            return None
        raise


def _asked(settlements: Sequence[Settlement]) -> dict[str, object]:
    return {
        "ids": Uuids.of(one.message_id for one in settlements),
        "tokens": Uuids.of(one.token for one in settlements),
        # What the outcome is called is what the state is called.
        "states": "{" + ",".join([one.outcome for one in settlements]) + "}",
    }


def _moved(settlements: Sequence[Settlement]) -> dict[str, object]:
    moved: dict[UUID, _Moved] = {}
    latest, counts = None, _Moved()
    for one in settlements:
        # Mostly they are all of one run, and the same object tells so without comparing.
        if one.execution_id is not latest:
            latest = one.execution_id
            counts = moved.setdefault(latest, _Moved())
        if one.outcome is Outcome.DONE:
            counts.done += 1
        else:
            counts.skipped += 1
        counts.born += len(one.children)
    executions = sorted(moved)
    return {
        "executions": Uuids.of(executions),
        "done": [moved[one].done for one in executions],
        "skipped": [moved[one].skipped for one in executions],
        "born": [moved[one].born for one in executions],
    }


@dataclass(slots=True)
class _Moved:
    done: int = 0
    skipped: int = 0
    born: int = 0
