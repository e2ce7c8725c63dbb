"""Opens just enough to migrate a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from adapters.postgres.migration import migrate
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.running import open_slots
from entrypoints.settings import Settings


async def migrated(settings: Settings) -> Sequence[str]:
    """Bring the database of the settings, or the embedded one, up to date; returns the names of what was applied."""
    adapters = EmbeddedAdapters(settings=settings)
    async with AsyncExitStack() as stack:
        await open_slots(stack, adapters, ("data_folder", "postgres", "database"))
        database = adapters.database()
        applied = [] if database is None else await migrate(database)
    return [f"{migration.number:04d} {migration.name}" for migration in applied]
