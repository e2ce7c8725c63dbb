"""Rows of the table ``pipeline_execution``, and the repository that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack
from uuid import UUID

from adapters.postgres.database import Connection
from adapters.postgres.messages import json_text
from application.ports.counting import COUNTED_EXACTLY
from application.ports.unit_of_work import WantedExecutions
from domain.execution import (
    Execution,
    ExecutionNotFound,
    ExecutionStatus,
    ExecutionSummary,
    MessageCounts,
)
from domain.replay import ReplayBatchNotFound

COLUMNS = """
    id, config_id, config_snapshot, started_at, status, completed_at, parent_execution_id, replay_source, tag,
    root_correlation_id, metadata, error_info, generation, outstanding, done, skipped, dead, cancelled, paused_at,
    max_dead_letters
"""

_INSERT = f"""
    INSERT INTO pipeline_execution (
        id, config_id, config_snapshot, started_at, status, completed_at, parent_execution_id, replay_source, tag,
        root_correlation_id, metadata, max_dead_letters, outstanding
    ) VALUES (
        %(id)s, %(config_id)s, %(config_snapshot)s::json, %(started_at)s, %(status)s, %(completed_at)s,
        %(parent_execution_id)s, %(replay_source)s, %(tag)s, %(root_correlation_id)s, %(metadata)s::jsonb,
        %(max_dead_letters)s, %(outstanding)s
    ) RETURNING {COLUMNS}
"""  # noqa: S608 (only our own constants are joined)

_BY_ID = f"SELECT {COLUMNS} FROM pipeline_execution WHERE id = %s"  # noqa: S608
_BY_TAG = f"SELECT {COLUMNS} FROM pipeline_execution WHERE tag = %s"  # noqa: S608

_MATCHING = """
    FROM pipeline_execution
    WHERE (%(status)s::text IS NULL OR status = %(status)s)
        AND (%(config_id)s::uuid IS NULL OR config_id = %(config_id)s)
        AND (%(parent_execution_id)s::uuid IS NULL OR parent_execution_id = %(parent_execution_id)s)
"""
_ALL = {"status": None, "config_id": None, "parent_execution_id": None, "offset": 0, "before": None}

_COUNT = f"SELECT count(*) FROM (SELECT 1 {_MATCHING} LIMIT {COUNTED_EXACTLY + 1}) AS counted"  # noqa: S608
# The total comes with every row, so that a page takes one question; only an empty page has to ask for it.
_LISTED = COLUMNS.replace("config_snapshot", "NULL")
_PAGE = f"""
    {_MATCHING} AND (%(before)s::uuid IS NULL OR id < %(before)s)
    ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
_LIST = f"SELECT {_LISTED}, ({_COUNT}) {_PAGE}"
_SUMMARIES = f"SELECT {', '.join(ExecutionSummary._fields)}, ({_COUNT}) {_PAGE}"
_STATUS = {status.value: status for status in ExecutionStatus}

_REPLAYS = """
    FROM pipeline_execution
    WHERE replay_source IS NOT NULL
        AND (%(status)s::text IS NULL OR status = %(status)s)
        AND (%(parent)s::uuid IS NULL OR parent_execution_id = %(parent)s)
"""
_COUNT_REPLAYS = f"SELECT count(*) FROM (SELECT 1 {_REPLAYS} LIMIT {COUNTED_EXACTLY + 1}) AS counted"  # noqa: S608
_REPLAY_ALONE = COLUMNS.replace("config_snapshot", "json_build_object('replay', config_snapshot->'replay')")
_LIST_REPLAYS = f"""
    SELECT {_REPLAY_ALONE}, ({_COUNT_REPLAYS})
    {_REPLAYS} AND (%(before)s::uuid IS NULL OR id < %(before)s)
    ORDER BY id DESC LIMIT %(limit)s
"""
_BY_REPLAY_BATCH = f"""
    SELECT {COLUMNS} FROM pipeline_execution
    WHERE replay_source IS NOT NULL AND config_snapshot->'replay'->>'replay_batch_id' = %s
"""  # noqa: S608


def execution_of(row: Sequence[Any]) -> Execution:
    """An execution from the columns of ``COLUMNS``."""
    return Execution(
        id=row[0],
        config_id=row[1],
        config_snapshot=row[2] or {},
        started_at=row[3],
        status=ExecutionStatus(row[4]),
        completed_at=row[5],
        parent_execution_id=row[6],
        replay_source=row[7],
        tag=row[8],
        root_correlation_id=row[9],
        metadata=row[10],
        error_info=row[11],
        generation=row[12],
        counts=MessageCounts(
            outstanding=row[13], done=row[14], skipped=row[15], dead=row[16], cancelled=row[17]
        ),
        paused_at=row[18],
        max_dead_letters=row[19],
    )


async def insert_execution(connection: Connection, execution: Execution, *, outstanding: int) -> Execution:
    """Insert an execution that begins with so many outstanding messages; with none it is completed at once."""
    status = execution.status if outstanding else ExecutionStatus.COMPLETED
    values = {
        "id": execution.id,
        "config_id": execution.config_id,
        "config_snapshot": json_text(execution.config_snapshot),
        "started_at": execution.started_at,
        "status": status.value,
        "completed_at": None if outstanding else execution.started_at,
        "parent_execution_id": execution.parent_execution_id,
        "replay_source": execution.replay_source,
        "tag": execution.tag,
        "root_correlation_id": execution.root_correlation_id,
        "metadata": json_text(execution.metadata),
        "max_dead_letters": execution.max_dead_letters,
        "outstanding": outstanding,
    }
    row = await (await connection.execute(_INSERT, values)).fetchone()
    if row is None:
        raise ExecutionNotFound
    return execution_of(row)


class PostgresExecutions:
    """The ``Executions`` repository on an open connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, execution_id: UUID) -> Execution:
        """See the port."""
        return await self._one(_BY_ID, execution_id)

    async def by_tag(self, tag: str) -> Execution:
        """See the port."""
        return await self._one(_BY_TAG, tag)

    async def _one(self, query: str, key: UUID | str) -> Execution:
        row = await (await self._connection.execute(query.encode(), (key,))).fetchone()
        if row is None:
            raise ExecutionNotFound(f"there is no execution {key}")
        return execution_of(row)

    async def list(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[Execution], int]:
        """See the port."""
        return await self._page(_LIST, _COUNT, {**_ALL, **wanted})

    async def summaries(self, **wanted: Unpack[WantedExecutions]) -> tuple[Sequence[ExecutionSummary], int]:
        """See the port."""
        values = {**_ALL, **wanted}
        # In binary, ids and moments need not be read as text.
        found = await self._connection.cursor(binary=True).execute(_SUMMARIES.encode(), values)
        rows = await found.fetchall()
        total = rows[0][-1] if rows else await self._count(_COUNT, values)
        return [ExecutionSummary(row[0], row[1], _STATUS[row[2]], *row[3:-1]) for row in rows], total

    async def replays(
        self,
        *,
        status: ExecutionStatus | None = None,
        parent_execution_id: UUID | None = None,
        limit: int,
        before: UUID | None = None,
    ) -> tuple[Sequence[Execution], int]:
        """See the port."""
        values = {"status": status, "parent": parent_execution_id, "limit": limit, "before": before}
        return await self._page(_LIST_REPLAYS, _COUNT_REPLAYS, values)

    async def by_replay_batch(self, batch_id: UUID) -> Execution:
        """See the port."""
        row = await (await self._connection.execute(_BY_REPLAY_BATCH.encode(), (str(batch_id),))).fetchone()
        if row is None:
            raise ReplayBatchNotFound(f"there is no replay batch {batch_id}")
        return execution_of(row)

    async def _page(
        self, listing: str, counting: str, values: Mapping[str, Any]
    ) -> tuple[Sequence[Execution], int]:
        rows = await (await self._connection.execute(listing.encode(), values)).fetchall()
        if rows:
            return [execution_of(row) for row in rows], rows[0][-1]
        return [], await self._count(counting, values)

    async def _count(self, counting: str, values: Mapping[str, Any]) -> int:
        total = await (await self._connection.execute(counting.encode(), values)).fetchone()
        return total[0] if total else 0
