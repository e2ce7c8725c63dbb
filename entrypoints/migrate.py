"""`migrate`: bring a database's schema up to date and say what was done."""

from __future__ import annotations

import asyncio

from entrypoints.composition.migrating import migrated
from entrypoints.settings import Settings


def run(settings: Settings) -> int:
    """Migrate the database of the settings, or the embedded one of the data folder; returns the exit code."""
    applied = asyncio.run(migrated(settings))
    for name in applied:
        print(f"applied {name}")
    print(f"the schema is up to date ({len(applied)} applied)")
    return 0
