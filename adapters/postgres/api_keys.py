"""API keys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from adapters.postgres.database import Database
from domain.access.api_key import ApiKey
from domain.access.errors import ApiKeyChanged, ApiKeyNotFound
from domain.access.scope import Scope

_NAMES = tuple(field.name for field in fields(ApiKey))
_COLUMNS = ", ".join(_NAMES)

_ADD = f"INSERT INTO api_key ({_COLUMNS}) VALUES ({', '.join(f'%({name})s' for name in _NAMES)}) ON CONFLICT DO NOTHING"  # noqa: S608 (only our own constants are joined)

_GET = f"SELECT {_COLUMNS} FROM api_key WHERE id = %s"  # noqa: S608

_FIND = f"""
    SELECT {_COLUMNS} FROM api_key WHERE digest = %(digest)s OR old_digest = %(digest)s
    ORDER BY (digest = %(digest)s) DESC LIMIT 1
"""  # noqa: S608

_REPLACE = """
    UPDATE api_key SET
        name = %(name)s, digest = %(digest)s, hint = %(hint)s, scopes = %(scopes)s, updated_at = %(updated_at)s,
        expires_at = %(expires_at)s, requests_per_minute = %(requests_per_minute)s, revoked_at = %(revoked_at)s,
        old_digest = %(old_digest)s, old_until = %(old_until)s, version = %(version)s
    WHERE id = %(id)s AND version = %(expected_version)s
"""

_TOUCH = """
    UPDATE api_key SET last_used_at = used.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS used (id, at)
    WHERE api_key.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)
"""

_LIST = f"""
    SELECT {_COLUMNS} FROM api_key
    WHERE %(is_revoked)s::boolean IS NULL OR (revoked_at IS NOT NULL) = %(is_revoked)s
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608

_COUNT = """
    SELECT count(*) FROM api_key
    WHERE %(is_revoked)s::boolean IS NULL OR (revoked_at IS NOT NULL) = %(is_revoked)s
"""


class PostgresApiKeys:
    """The ``ApiKeys`` port over table ``api_key``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            if not (await connection.execute(_ADD, _values(key))).rowcount:
                raise ApiKeyChanged("that key exists already")

    async def get(self, key_id: UUID) -> ApiKey:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_GET, (key_id,))).fetchone()
        if row is None:
            raise ApiKeyNotFound
        return _key(row)

    async def find(self, digest: str) -> ApiKey | None:
        """See the port."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_FIND, {"digest": digest})).fetchone()
        return None if row is None else _key(row)

    async def replace(self, key: ApiKey, *, expected_version: int) -> None:
        """See the port."""
        values = _values(key) | {"expected_version": expected_version}
        async with self._database.transaction() as connection:
            try:
                changed = (await connection.execute(_REPLACE, values)).rowcount
            except UniqueViolation as error:
                raise ApiKeyChanged from error
            if not changed:
                known = (await connection.execute(_GET, (key.id,))).rowcount
                raise ApiKeyChanged if known else ApiKeyNotFound

    async def touch(self, used_at: Mapping[UUID, datetime]) -> None:
        """See the port."""
        # In the order of their ids, so that two processes that touch the same keys do not wait for each other.
        ids = sorted(used_at)
        async with self._database.connection() as connection:
            await connection.execute(_TOUCH, (ids, [used_at[one] for one in ids]))

    async def list(
        self, *, is_revoked: bool | None = None, limit: int, offset: int = 0
    ) -> tuple[Sequence[ApiKey], int]:
        """See the port."""
        wanted = {"is_revoked": is_revoked, "limit": limit, "offset": offset}
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_LIST, wanted)).fetchall()
            total = await (await connection.execute(_COUNT, wanted)).fetchone()
        return [_key(row) for row in rows], total[0] if total else 0


def _values(key: ApiKey) -> dict[str, Any]:
    values = {name: getattr(key, name) for name in _NAMES}
    return values | {"scopes": sorted(map(str, key.scopes))}


def _key(row: Sequence[Any]) -> ApiKey:
    values = dict(zip(_NAMES, row, strict=True))
    return ApiKey(**values | {"scopes": frozenset(map(Scope.parse, values["scopes"]))})
