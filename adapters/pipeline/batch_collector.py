"""The pipeline adapter ``batch_collector``: joins the payloads of many messages into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.pipeline.registry import Registration
from application.ports.pipeline_adapter import AdapterExample, AdapterResult, CollectedMessage, GroupContext
from domain.grouping import Grouping
from domain.json import JsonObject

MOST_BYTES_OF_A_MESSAGE = 1_000_000
"""What is joined must be a message again, and those have a mebibyte at most, with their provenance."""


@dataclass(frozen=True, kw_only=True)
class BatchCollectorConfig(Grouping):
    """When a batch is complete, as for every pipeline adapter that collects; ``field`` is what its items are called."""

    field: str = "items"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_bytes > MOST_BYTES_OF_A_MESSAGE:
            raise ValueError(f"max_bytes is above {MOST_BYTES_OF_A_MESSAGE}")
        if not self.field or self.field.startswith("$"):
            raise ValueError("field is empty or begins with a dollar sign")
        if self.key is not None and self.field == "key":
            raise ValueError("field is `key`, which the value of the key is called")


class BatchCollector:
    """Joins what belongs to one group, in the order in which it came."""

    def __init__(self, config: BatchCollectorConfig) -> None:
        self.grouping = config

    async def collect(
        self, messages: Sequence[CollectedMessage], context: GroupContext
    ) -> AdapterResult | None:
        """``{"items": [payload, …]}``, and the value of the key as ``key`` where batches have one."""
        items: JsonObject = {self.grouping.field: [one.message for one in messages]}
        return AdapterResult(message=items if self.grouping.key is None else {**items, "key": context.key})


def registration() -> Registration:
    """How YAML names it and how it is built."""
    return Registration(
        type="batch_collector",
        description="Joins many messages into one, by count, size, time, a field's value, or all of a run.",
        version="1",
        config=BatchCollectorConfig,
        build=BatchCollector,
        example=AdapterExample(payload={"document_id": "handbook"}),
        collects=True,
    )
