"""Rows of dead messages to values, and filters to conditions on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from adapters.postgres.messages import message_of
from domain.dead_letter import DeadLetter, DeadLetterFilter

COLUMNS = """
    id, execution_id, route_id, payload, metadata, parent_id, parent_correlation_id, error, attempt, retries, settled_at,
    purged_at
"""

IS_THERE = "state = 'dead' AND purged_at IS NULL"
"""What holds for a dead letter that has not been purged; the partial indexes are over these."""

EARLIEST_FIRST = "ORDER BY settled_at, id"

_CONDITIONS = {
    "message_id": "id = %(message_id)s",
    "execution_id": "execution_id = %(execution_id)s",
    "route_id": "route_id = %(route_id)s",
    "adapter_name": "error ->> 'adapter_name' = %(adapter_name)s",
    "stage_name": "error ->> 'stage_name' = %(stage_name)s",
    "error_code": "error ->> 'code' = %(error_code)s",
    "dead_after": "settled_at > %(dead_after)s",
    "dead_before": "settled_at < %(dead_before)s",
}


def meant(wanted: DeadLetterFilter) -> tuple[str, dict[str, Any]]:
    """The condition under which a row of ``message`` is meant, and its parameters.

    Only what is given is in it, so that the planner sees which index serves.
    """
    values = {item.name: getattr(wanted, item.name) for item in fields(wanted)}
    given = {name: value for name, value in values.items() if value is not None}
    return " AND ".join([IS_THERE, *(_CONDITIONS[name] for name in given)]), given


def dead_letter_of(row: Sequence[Any]) -> DeadLetter:
    """A dead letter from the columns of ``COLUMNS``."""
    return DeadLetter(
        message=message_of(row[:7]),
        error=row[7] or {},
        attempts=row[8],
        retries=row[9],
        dead_at=row[10],
        purged_at=row[11],
    )
