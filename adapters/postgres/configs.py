"""Pipeline configs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.database import Connection
from domain.pipeline_config import ConfigChanged, ConfigNotFound, ConfigSource, PipelineConfig


class PostgresPipelineConfigs:
    """The configs as one open transaction sees them; the transaction is its giver's to commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, config: PipelineConfig) -> None:
        """Store a new config; raises ConfigChanged when its id is taken."""
        cursor = await self._connection.execute(
            _ADD, (config.id, config.created_at, config.version, config.is_active)
        )
        if cursor.rowcount == 0:
            raise ConfigChanged("a config of that id exists already")
        await self._add_version(config)

    async def get(self, config_id: UUID, *, version: int | None = None) -> PipelineConfig:
        """The latest version or the one asked for."""
        cursor = await self._connection.execute(_GET, {"id": config_id, "version": version})
        row = await cursor.fetchone()
        if row is None:
            raise ConfigNotFound
        return _config(row)

    async def replace(self, config: PipelineConfig, *, expected_version: int) -> None:
        """Compare-and-set on the latest version; the row's lock lets the second of two writers see the first."""
        cursor = await self._connection.execute(
            _REPLACE, (config.version, config.is_active, config.id, expected_version)
        )
        if cursor.rowcount == 0:
            await self.get(config.id)
            raise ConfigChanged
        if config.version == expected_version:
            await self._connection.execute(_TOUCH, (config.updated_at, config.id, config.version))
        else:
            await self._add_version(config)

    async def list(
        self, *, is_active: bool | None = True, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of the latest versions, by creation, and how many there are in all."""
        wanted = {"is_active": is_active, "limit": limit, "offset": offset}
        rows = await (await self._connection.execute(_LIST, wanted)).fetchall()
        total = await (await self._connection.execute(_COUNT, wanted)).fetchone()
        return _configs(rows), total[0] if total else 0

    async def versions(
        self, config_id: UUID, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[PipelineConfig], int]:
        """A page of a config's versions, the latest first, and how many there are in all."""
        latest = await self.get(config_id)
        rows = await (await self._connection.execute(_VERSIONS, (config_id, limit, offset))).fetchall()
        return _configs(rows), latest.version

    async def by_source_path(self, source_path: str) -> PipelineConfig | None:
        """The latest version of the first config that came from that file."""
        row = await (await self._connection.execute(_BY_SOURCE_PATH, (source_path,))).fetchone()
        return None if row is None else _config(row)

    async def _add_version(self, config: PipelineConfig) -> None:
        values = (config.id, config.version, config.name, config.description, config.yaml)
        origin = (config.source, config.source_path, config.updated_at)
        await self._connection.execute(_ADD_VERSION, (*values, *origin))


_ADD = """
    INSERT INTO pipeline_config (id, created_at, latest_version, is_active) VALUES (%s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""

_ADD_VERSION = """
    INSERT INTO pipeline_config_version
        (config_id, version, name, description, yaml, source, source_path, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

_SELECT = """
    SELECT config.id, name, yaml, created_at, updated_at, source, source_path, description, version, is_active
    FROM pipeline_config AS config
    JOIN pipeline_config_version AS edition ON edition.config_id = config.id
"""

_GET = (
    _SELECT
    + """
    WHERE config.id = %(id)s AND version = coalesce(%(version)s::integer, latest_version)
"""
)

_IS_WANTED = "(%(is_active)s::boolean IS NULL OR is_active = %(is_active)s)"

_LIST = (
    _SELECT
    + f"""
    WHERE version = latest_version AND {_IS_WANTED}
    ORDER BY created_at, id LIMIT %(limit)s OFFSET %(offset)s
"""
)

_COUNT = f"SELECT count(*) FROM pipeline_config WHERE {_IS_WANTED}"  # noqa: S608 - a constant

_BY_SOURCE_PATH = (
    _SELECT
    + """
    WHERE version = latest_version AND source_path = %s
    ORDER BY created_at, id LIMIT 1
"""
)

_VERSIONS = _SELECT + "WHERE config.id = %s ORDER BY version DESC LIMIT %s OFFSET %s"

_REPLACE = """
    UPDATE pipeline_config SET latest_version = %s, is_active = %s WHERE id = %s AND latest_version = %s
"""

_TOUCH = "UPDATE pipeline_config_version SET updated_at = %s WHERE config_id = %s AND version = %s"


def _configs(rows: list[tuple[Any, ...]]) -> Sequence[PipelineConfig]:
    return tuple(_config(row) for row in rows)


def _config(row: tuple[Any, ...]) -> PipelineConfig:
    config_id, name, yaml, created_at, updated_at, source, source_path, description, version, is_active = row
    return PipelineConfig(
        id=config_id,
        name=name,
        yaml=yaml,
        created_at=created_at,
        updated_at=updated_at,
        source=ConfigSource(source),
        source_path=source_path,
        description=description,
        version=version,
        is_active=is_active,
    )
