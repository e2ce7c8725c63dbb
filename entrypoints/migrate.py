"""`migrate`: bring a database's schema up to date and say what was done."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from adapters.embedded_postgres.server import EmbeddedPostgres
from adapters.postgres.database import Database
from adapters.postgres.migration import migrate
from entrypoints.data_folder import DataFolder
from entrypoints.settings import Settings


def run(settings: Settings) -> int:
    """Migrate the database of the settings, or the embedded one of the data folder; returns the exit code."""
    asyncio.run(_migrate(settings))
    return 0


async def _migrate(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        url = settings.database_url
        if url is None:
            folder = await stack.enter_async_context(DataFolder(settings.data_dir))
            url = (await stack.enter_async_context(EmbeddedPostgres(folder.folder("postgres")))).url
        database = await stack.enter_async_context(Database(url))
        applied = await migrate(database)
    for migration in applied:
        print(f"applied {migration.number:04d} {migration.name}")
    print(f"the schema is up to date ({len(applied)} applied)")
