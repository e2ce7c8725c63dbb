"""Opens just enough to migrate a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from adapters.postgres.migration import migrate
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.settings import Settings


async def migrated(settings: Settings) -> Sequence[str]:
    """Bring the database of the settings, or the embedded one, up to date; returns the names of what was applied."""
    adapters = EmbeddedAdapters(settings=settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(adapters.data_folder())
        postgres = adapters.postgres()
        if postgres is not None:
            await stack.enter_async_context(postgres)
        database = await stack.enter_async_context(adapters.database())
        applied = await migrate(database)
    return [f"{migration.number:04d} {migration.name}" for migration in applied]
