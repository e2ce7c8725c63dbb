"""Opens just enough to migrate a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from adapters.postgres.migration import migrate
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.running import open_slots
from entrypoints.settings import Settings


async def migrated(settings: Settings) -> Sequence[str]:
    """Bring the database of the settings, or the embedded one, up to date; returns the names of what was applied.

    One by its address may be in use, by those that share the data folder too; the embedded one is in that folder.
    """
    adapters = EmbeddedAdapters(settings=settings)
    slots = ("database",) if settings.database_url else ("data_folder", "postgres", "database")
    async with AsyncExitStack() as stack:
        await open_slots(stack, adapters, slots)
        database = adapters.database()
        applied = [] if database is None else await migrate(database)
    return [f"{migration.number:04d} {migration.name}" for migration in applied]
