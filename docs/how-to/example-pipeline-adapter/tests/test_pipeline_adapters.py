"""The pipeline adapters without a server: `process` and `collect` are coroutines, and a context is a value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from example_pipeline_adapters.boilerplate_remover import BoilerplateRemover, BoilerplateRemoverConfig
from example_pipeline_adapters.collector import Collector, CollectorConfig

from factflow_server.plugin import (
    AdapterResult,
    CollectedMessage,
    GroupContext,
    Invalid,
    JsonObject,
    PipelineContext,
)

EXECUTION = uuid4()


@dataclass
class Shelf:
    """A stage that keeps in memory what one message left there."""

    objects: dict[str, bytes] = field(default_factory=dict)

    async def keep(
        self,
        stage: str,
        content: bytes,
        *,
        extension: str = "",
        content_type: str = "",
        metadata: JsonObject | None = None,
    ) -> str:
        self.objects.setdefault(stage + extension, content)
        return stage + extension

    async def kept(self, stage: str, *, extension: str = "") -> bytes | None:
        return self.objects.get(stage + extension)


def context(message: JsonObject) -> PipelineContext:
    return PipelineContext(
        message=message,
        metadata={},
        execution_id=EXECUTION,
        route_id="gather",
        message_id=uuid4(),
        correlation_id=uuid4(),
        attempt=1,
        stage=Shelf(),
    )


def test_boilerplate_is_removed() -> None:
    adapter = BoilerplateRemover(BoilerplateRemoverConfig(lines=("Cookies!",)))
    result = asyncio.run(adapter.process(context({"text": "Title\n Cookies! \nBody", "url": "u"})))
    assert result == AdapterResult(message={"text": "Title\nBody", "url": "u"})
    assert asyncio.run(adapter.process(context({"text": "Cookies!"}))) is None
    with pytest.raises(Invalid):
        asyncio.run(adapter.process(context({"page": 1})))


def group(*messages: JsonObject) -> list[CollectedMessage]:
    return [CollectedMessage(message=message, metadata={}, message_id=uuid4()) for message in messages]


def group_context(stage: Shelf) -> GroupContext:
    return GroupContext(
        execution_id=EXECUTION,
        route_id="gather",
        group_id=uuid4(),
        key=None,
        metadata={},
        correlation_id=uuid4(),
        attempt=1,
        stage=stage,
    )


def test_a_group_becomes_one_digest_that_is_kept() -> None:
    collector, shelf = Collector(CollectorConfig(characters=3)), Shelf()
    result = asyncio.run(collector.collect(group({"text": "Title"}, {"text": "Ab"}), group_context(shelf)))
    assert result == AdapterResult(message={"route": "gather", "texts": ["Tit", "Ab"]}, stage="digest")
    assert shelf.objects == {"digest.json": b'["Tit", "Ab"]'}


def test_a_group_of_empty_pages_ends_here() -> None:
    assert (
        asyncio.run(Collector(CollectorConfig()).collect(group({"text": ""}), group_context(Shelf()))) is None
    )


def test_a_message_without_text_is_refused() -> None:
    with pytest.raises(Invalid):
        asyncio.run(Collector(CollectorConfig()).collect(group({"page": 1}), group_context(Shelf())))


def test_the_config_says_when_a_group_is_complete() -> None:
    assert Collector(CollectorConfig(max_messages=7)).grouping.max_messages == 7
    for wrong in ({"max_messages": 0}, {"characters": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CollectorConfig(**wrong)
