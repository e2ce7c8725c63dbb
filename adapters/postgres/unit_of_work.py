"""Repositories in one PostgreSQL transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.postgres.configs import PostgresPipelineConfigs
from adapters.postgres.database import Database
from adapters.postgres.executions import PostgresExecutions
from application.ports.readiness import Health
from application.ports.unit_of_work import Repositories


class PostgresUnitOfWork:
    """The ``UnitOfWork`` port over the pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Repositories]:
        """See the port."""
        async with self._database.transaction() as connection:
            yield Repositories(
                configs=PostgresPipelineConfigs(connection), executions=PostgresExecutions(connection)
            )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Repositories]:
        """See the port."""
        async with self._database.connection() as connection:
            yield Repositories(
                configs=PostgresPipelineConfigs(connection), executions=PostgresExecutions(connection)
            )

    async def is_reachable(self) -> bool:
        """See the port."""
        return (await self._database.check()).health is Health.HEALTHY
