"""`migrate`: bring a database's schema up to date and say what was done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from entrypoints.composition.migrating import migrated
from entrypoints.logs import configure_logging
from entrypoints.settings import Settings


def run(settings: Settings, *, output: str = "table") -> int:
    """Migrate the database of the settings, or the embedded one of the data folder; returns the exit code."""
    configure_logging(settings)
    applied = asyncio.run(migrated(settings))
    print(_as_json(applied) if output == "json" else _as_text(applied))
    return 0


def _as_text(applied: Sequence[str]) -> str:
    lines = [f"applied {name}" for name in applied]
    return "\n".join([*lines, f"the schema is up to date ({len(applied)} applied)"])


def _as_json(applied: Sequence[str]) -> str:
    steps = [{"number": int(name.split()[0]), "name": name.split(maxsplit=1)[1]} for name in applied]
    return json.dumps({"up_to_date": True, "applied": steps})
