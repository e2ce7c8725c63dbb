"""What a process that stops does from the first moment on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from dependency_injector import providers

from adapters.pipeline.registry import PipelineAdapters
from adapters.postgres.database import Database
from application.contents import Application
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext, Registration
from application.webhooks.delivery_worker import WorkerSettings
from entrypoints.composition.adapters import EmbeddedAdapters
from entrypoints.composition.running import running
from entrypoints.settings import Settings
from tests.proof.service import Words
from tests.unit.engines import Act, ActingAdapter
from tests.unit.test_sharing import SharedQueue
from tests.webhook_receiver import running_receiver

pytestmark = pytest.mark.slow

FAN = 400
PACE = 0.05
CONCURRENCY = 2
YAML = f"""
version: "1.0"
routes:
  fan: {{inbound: {{queue: fan}}, adapters: [{{type: fan}}], outbound: work}}
  work: {{inbound: {{queue: work, concurrency: {CONCURRENCY}}}, adapters: [{{type: work}}]}}
init_message: {{route: fan, payload: {{}}}}
"""


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The config of adapters that have none."""


async def fan(context: PipelineContext) -> AdapterResult:
    async def emissions() -> AsyncIterator[Emission]:
        for number in range(FAN):
            yield Emission(payload={"number": number})

    return AdapterResult(message=context.message, emitted=emissions())


def registered(name: str, act: Act) -> Registration:
    return Registration(
        type=name,
        description="a part of the test",
        version="1",
        config=Nothing,
        build=lambda _: ActingAdapter(act),
    )


def sharing(settings: Settings, acts: dict[str, Act]) -> EmbeddedAdapters:
    """The adapters of a process that others may work beside."""
    adapters = EmbeddedAdapters(settings=settings)
    adapters.model.override(providers.Singleton(Words))
    adapters.queue.override(providers.Singleton(SharedQueue))
    adapters.registry.override(providers.Object(PipelineAdapters([registered(*one) for one in acts.items()])))
    return adapters


async def begin(application: Application, url: str) -> None:
    """Start an execution that a webhook is told of."""
    await application.webhook_subscriptions.create(url=url, event_types=["execution.started"])
    config = (await application.configs.create(name="many", yaml=YAML)).config
    await application.executions.start(config.id)


async def until(is_so: Callable[[], object]) -> None:
    """Return when it is so."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110  # asked in another process
            await asyncio.sleep(0.02)


async def test_a_process_that_stops_takes_no_more_messages_though_a_webhook_hangs(
    database: Database, tmp_path: Path
) -> None:
    """It waits for the webhook first, and what is in the queue is for the others from the beginning."""
    taken: list[float] = []

    async def work(context: PipelineContext) -> AdapterResult:
        taken.append(monotonic())
        await asyncio.sleep(PACE)
        return AdapterResult(message=context.message)

    settings = Settings.read(
        {
            "FACTFLOW_DATABASE_URL": database.url,
            "FACTFLOW_DATA_DIR": str(tmp_path),
            "FACTFLOW_CONFIG_VALIDATOR_STRICT": "0",
            "FACTFLOW_WEBHOOK_ALLOW_HTTP": "1",
            "FACTFLOW_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
    )
    with running_receiver() as receiver:
        async with running(settings, sharing(settings, {"fan": fan, "work": work})) as application:
            await begin(application, receiver.url("hang"))
            await until(lambda: taken and receiver.received())
            left_at = monotonic()
    assert monotonic() - left_at >= WorkerSettings().grace_seconds
    assert 0 < len(taken) < FAN
    assert len([at for at in taken if at > left_at]) <= CONCURRENCY
