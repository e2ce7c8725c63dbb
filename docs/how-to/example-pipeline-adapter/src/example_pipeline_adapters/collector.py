"""The pipeline adapter ``collector``: gathers many pages into one digest.

Its config is a ``Grouping``, so YAML says when a group is complete; the engine forms the groups, settles all messages of
one together with what becomes of it, and gives them again, in other groups perhaps, when it could not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from factflow_server.plugin import (
    AdapterResult,
    CollectedMessage,
    GroupContext,
    Grouping,
    Invalid,
    Registration,
)

STAGE = "digest"


@dataclass(frozen=True, kw_only=True)
class CollectorConfig(Grouping):
    """Beside the grouping: how many characters of each page go into the digest."""

    characters: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.characters < 1:
            raise ValueError("characters is below 1")


class Collector:
    """One instance gathers the messages of one route of one execution."""

    def __init__(self, config: CollectorConfig) -> None:
        self.grouping = config

    async def collect(
        self, messages: Sequence[CollectedMessage], context: GroupContext
    ) -> AdapterResult | None:
        texts = [self._beginning(one) for one in messages]
        if not any(texts):
            return None
        await context.stage.keep(
            STAGE, json.dumps(texts).encode(), extension=".json", content_type="application/json"
        )
        return AdapterResult(message={"route": context.route_id, "texts": texts}, stage=STAGE)

    def _beginning(self, one: CollectedMessage) -> str:
        text = one.message.get("text")
        if not isinstance(text, str):
            # Of this message alone: the engine tries each by itself after an error that no retry mends.
            raise Invalid("the message has no text")
        return text[: self.grouping.characters]


registration = Registration(
    type="collector",
    description="Gathers many pages into one digest.",
    config=CollectorConfig,
    build=Collector,
    collects=True,
)
