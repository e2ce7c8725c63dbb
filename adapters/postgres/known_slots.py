"""The slots as they were when they were last asked for, so that a search can ask again along with what it looks for."""

from __future__ import annotations

from adapters.postgres.database import Database
from adapters.postgres.embedding_slots import Cursor, Slot, slot, slot_of


class KnownSlots:
    """What a process remembers of the slots of one database; whoever goes by it must have it confirmed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Slot] = {}

    async def of(self, model_name: str, dimension: int) -> Slot | None:
        """The slot as it is remembered, else, and where it has another dimension, as it is; None when there is none."""
        known = self._known.get(model_name)
        if known is not None and known.dimension == dimension:
            return known
        return await self.now(model_name)

    async def now(self, model_name: str) -> Slot | None:
        """The slot as it is, which is remembered."""
        async with self._database.connection() as connection:
            return self._noted(model_name, await slot(connection, model_name))

    async def confirms(self, told: Cursor, model_name: str, assumed: Slot) -> bool:
        """Whether the answer to ``asked_slot`` tells what was assumed; what it tells is remembered."""
        return self._noted(model_name, slot_of(await told.fetchone())) == assumed

    def _noted(self, model_name: str, found: Slot | None) -> Slot | None:
        if found is None:
            self._known.pop(model_name, None)
        else:
            self._known[model_name] = found
        return found
