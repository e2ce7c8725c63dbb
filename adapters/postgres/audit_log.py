"""The audit log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from adapters.postgres.database import Database
from application.ports.audit_log import AuditPage
from application.ports.counting import COUNTED_EXACTLY
from domain.access.audit import AuditEntry, AuditFilter, AuditOutcome

_NAMES = tuple(field.name for field in fields(AuditEntry) if field.name != "position")
_COLUMNS = ", ".join(_NAMES)
_TYPES = {"at": "timestamptz", "status": "integer"}

_APPEND = f"""
    INSERT INTO audit_entry ({_COLUMNS})
    SELECT {_COLUMNS} FROM unnest({", ".join(f"%({name})s::{_TYPES.get(name, 'text')}[]" for name in _NAMES)})
        WITH ORDINALITY AS given ({_COLUMNS}, ordinal)
    ORDER BY ordinal
"""  # noqa: S608 (only our own constants are joined)

_MEANT = """
    (%(owner)s::text IS NULL OR owner = %(owner)s)
    AND (%(operation)s::text IS NULL OR operation = %(operation)s)
    AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)
    AND (%(request_id)s::text IS NULL OR request_id = %(request_id)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
"""

_LIST = f"""
    SELECT {_COLUMNS}, position FROM audit_entry
    WHERE {_MEANT} AND (%(before)s::bigint IS NULL OR position < %(before)s)
    ORDER BY position DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608

_COUNT = f"SELECT count(*) FROM (SELECT 1 FROM audit_entry WHERE {_MEANT} LIMIT %(most)s) AS counted"  # noqa: S608

_SAY_SO = "SET LOCAL factflow.forgets_audit = 'on'"
_FORGET = """
    DELETE FROM audit_entry WHERE position = ANY (ARRAY(
        SELECT position FROM audit_entry WHERE at < %(before)s ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
"""


class PostgresAuditLog:
    """The ``AuditLog`` port over table ``audit_entry``, which triggers keep from being changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        values = {name: [_plain(getattr(one, name)) for one in entries] for name in _NAMES}
        async with self._database.connection() as connection:
            await connection.execute(_APPEND, values)

    async def list(
        self, wanted: AuditFilter, *, limit: int, offset: int = 0, before: int | None = None
    ) -> AuditPage:
        """See the port."""
        values = {field.name: _plain(getattr(wanted, field.name)) for field in fields(wanted)}
        paging = {"limit": limit + 1, "offset": offset, "before": before}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_LIST, values | paging)).fetchall()
            counted = await connection.execute(_COUNT, values | {"most": COUNTED_EXACTLY + 1})
            total = (await counted.fetchone() or (0,))[0]
        entries = [_entry(row) for row in rows[:limit]]
        return AuditPage(
            entries=entries,
            total=min(total, COUNTED_EXACTLY),
            is_total_exact=total <= COUNTED_EXACTLY,
            following=entries[-1].position if len(rows) > limit else None,
        )

    async def forget(self, *, before: datetime, limit: int) -> int:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(_SAY_SO)
            return (await connection.execute(_FORGET, {"before": before, "limit": limit})).rowcount


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, AuditOutcome) else value


def _entry(row: Sequence[Any]) -> AuditEntry:
    values = dict(zip((*_NAMES, "position"), row, strict=True))
    return AuditEntry(**values | {"outcome": AuditOutcome(values["outcome"])})
