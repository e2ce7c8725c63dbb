"""The pipeline adapters without a server: `process` is a coroutine, and a context is a value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from example_pipeline_adapters.boilerplate_remover import BoilerplateRemover, BoilerplateRemoverConfig
from example_pipeline_adapters.collector import Collector, CollectorConfig

from factflow_server.plugin import AdapterResult, Invalid, JsonObject, PipelineContext, RouteContext

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


def context(
    message: JsonObject, *, message_id: UUID | None = None, stage: Shelf | None = None
) -> PipelineContext:
    return PipelineContext(
        message=message,
        metadata={},
        execution_id=EXECUTION,
        route_id="gather",
        message_id=message_id or uuid4(),
        correlation_id=uuid4(),
        attempt=1,
        stage=stage or Shelf(),
    )


def test_boilerplate_is_removed() -> None:
    adapter = BoilerplateRemover(BoilerplateRemoverConfig(lines=("Cookies!",)))
    result = asyncio.run(adapter.process(context({"text": "Title\n Cookies! \nBody", "url": "u"})))
    assert result == AdapterResult(message={"text": "Title\nBody", "url": "u"})
    assert asyncio.run(adapter.process(context({"text": "Cookies!"}))) is None
    with pytest.raises(Invalid):
        asyncio.run(adapter.process(context({"page": 1})))


def test_a_batch_is_sent_once_it_is_full() -> None:
    async def run() -> list[AdapterResult | None]:
        collector = Collector(CollectorConfig(count=3, seconds=60))
        await collector.open(RouteContext(execution_id=EXECUTION, route_id="gather"))
        results = await asyncio.gather(*(collector.process(context({"n": n})) for n in range(3)))
        await collector.close()
        return list(results)

    first, *others = asyncio.run(run())
    assert first is not None
    assert [item["payload"] for item in first.message["items"]] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert others == [None, None]


def test_a_batch_is_sent_when_its_time_is_up() -> None:
    async def run() -> AdapterResult | None:
        return await Collector(CollectorConfig(count=3, seconds=0.01)).process(context({"n": 0}))

    result = asyncio.run(run())
    assert result is not None
    assert len(result.message["items"]) == 1


def test_a_second_attempt_sends_the_same_batch() -> None:
    async def run() -> tuple[AdapterResult | None, AdapterResult | None]:
        shelf = Shelf()
        config = CollectorConfig(count=2, seconds=60)
        one = Collector(config)
        first, _ = await asyncio.gather(
            one.process(context({"n": 0}, stage=shelf)), one.process(context({"n": 1}))
        )
        return first, await Collector(config).process(context({"n": 0}, stage=shelf))

    first, second = asyncio.run(run())
    assert first == second


def test_a_cancelled_message_leaves_the_batch() -> None:
    async def run() -> AdapterResult | None:
        collector = Collector(CollectorConfig(count=2, seconds=60))
        gone = asyncio.create_task(collector.process(context({"n": 0})))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        results = await asyncio.gather(*(collector.process(context({"n": n})) for n in (1, 2)))
        return results[0]

    result = asyncio.run(run())
    assert result is not None
    assert [item["payload"]["n"] for item in result.message["items"]] == [1, 2]
