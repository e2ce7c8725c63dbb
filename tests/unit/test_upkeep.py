"""What is looked after when executions have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from adapters.memory.corpus import Corpus
from adapters.memory.event_bus import InProcessEventBus
from adapters.memory.index_administration import MemoryIndexAdministration
from application.search_indexes import Indexes
from application.upkeep import Upkeep
from domain.errors import Unavailable
from domain.event import Event
from domain.retrieval.vector_indexes import VectorIndex

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Failing(MemoryIndexAdministration):
    """Fails for as long as there are errors left, and then tells of its first answer."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(Corpus())
        self.errors = list(errors)
        self.answered = asyncio.Event()

    async def indexes(self) -> Sequence[VectorIndex]:
        if self.errors:
            raise self.errors.pop(0)
        self.answered.set()
        return await super().indexes()


async def test_indexes_are_seen_to_after_an_outage_and_a_defect() -> None:
    """Neither ends it for all executions to come, nor keeps the server from its own end."""
    events, administration = InProcessEventBus(), Failing(Unavailable(), ZeroDivisionError())
    async with Upkeep(events=events, indexes=Indexes(administration=administration)):
        for _ in range(3):
            events.publish(Event(id=uuid4(), type="execution.completed", execution_id=uuid4(), at=NOW))
        async with asyncio.timeout(5):
            await administration.answered.wait()
