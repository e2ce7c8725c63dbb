"""A config that is edited or deleted while it runs: the execution goes on with what was frozen on it."""

from __future__ import annotations

import asyncio

import pytest

from adapters.memory.ledger import MemoryLedger
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.yaml.parser import YamlConfigParser
from application.configs import Configs
from application.executions import Executions
from application.ports.pipeline_adapter import AdapterResult, PipelineContext
from domain.pipeline_config import ConfigInactive
from tests.unit.engines import bench, ended_well

YAML = """
version: "1.0"
routes:
  first:
    inbound: {queue: first}
    adapters: [{type: wait}]
    outbound: second
  second:
    inbound: {queue: second}
    adapters: [{type: see}]
init_message: {route: first, payload: {n: 1}}
"""


@pytest.mark.parametrize("how", ["edited", "deleted"])
async def test_an_execution_keeps_the_config_it_began_with(how: str) -> None:
    """Its second route is still fed after the config has lost it, and no new execution starts of a deleted one."""
    begun, may_go_on, seen = asyncio.Event(), asyncio.Event(), []

    async def wait(context: PipelineContext) -> AdapterResult:
        begun.set()
        await may_go_on.wait()
        return AdapterResult(message=context.message)

    async def see(context: PipelineContext) -> AdapterResult:
        seen.append(context.message)
        return AdapterResult(message=context.message)

    ledger = MemoryLedger()
    async with bench({"wait": wait, "see": see}, ledger=ledger, executions=ledger) as on:
        work, ports = MemoryUnitOfWork(ledger), on.engine.ports
        configs = Configs(
            work=work, parser=YamlConfigParser(), registry=ports.registry, clock=ports.clock, ids=ports.ids
        )
        executions = Executions(configs=configs, work=work, engine=on.engine, limit=10)
        config = (await configs.create(name="one", yaml=YAML)).config
        started = await executions.start(config.id)
        await begun.wait()
        if how == "edited":
            shorter = YAML.replace("    outbound: second\n", "")
            await configs.update(config.id, yaml=shorter)
        else:
            await configs.deactivate(config.id)
            with pytest.raises(ConfigInactive):
                await executions.start(config.id)
        may_go_on.set()
        assert ended_well(await on.ended(started.id))
    assert seen == [{"n": 1}]
