"""The schema as something that is opened: afterwards it is up to date."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from adapters.postgres.database import Database
from adapters.postgres.migration import migrate


class Schema:
    """Migrates the database on entering ``async with``; leaving does nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Self:
        await migrate(self._database)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None
