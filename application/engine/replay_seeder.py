"""The pipeline adapter that sends out the messages of a replay. The engine builds it; YAML cannot name it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from application.engine.replay_sources import ReplaySources
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from domain.replay import Replay, ReplaySourceGone
from domain.replayed_message import ReplayedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySeeder:
    """Begins anew after a crash: emissions have the keys of what they stand for, so what is there already stays."""

    replay: Replay
    sources: ReplaySources

    async def process(self, context: PipelineContext) -> AdapterResult | None:
        """Emit every message of the replay. Raises ReplaySourceGone at the end when there are fewer than were found."""
        messages = self.sources.messages(self.replay, context.message)
        return AdapterResult(message=self.replay.as_json(), emitted=self._emissions(messages))

    async def _emissions(self, messages: AsyncIterator[ReplayedMessage]) -> AsyncIterator[Emission]:
        sent = 0
        async for message in messages:
            sent += 1
            yield Emission(payload=message.payload, metadata=message.metadata, key=message.key)
        if sent < self.replay.found:
            raise ReplaySourceGone(
                f"of {self.replay.found} messages that were to be replayed {sent} are still there"
            )
