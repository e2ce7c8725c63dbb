"""The schema as something that is opened: afterwards it is up to date."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from adapters.postgres.database import Database
from adapters.postgres.migration import migrate

log = logging.getLogger(__name__)


class Schema:
    """Migrates the database on entering ``async with``; leaving does nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Self:
        for migration in await migrate(self._database):
            log.debug("applied migration %d %s", migration.number, migration.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None
