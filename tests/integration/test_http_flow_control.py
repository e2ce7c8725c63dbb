"""How routes at work, and what keeps them from it, are told over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.pipeline.registry import PipelineAdapters
from application.contents import Application
from application.engine.engine import Engine
from application.health import OrchestratorReadiness, SystemHealth
from application.ports.pipeline_adapter import AdapterResult, Emission, PipelineContext
from tests.http_server import Api, World, _registration, serving


class Fan:
    """Emits twenty messages."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        return AdapterResult(message=context.message, emitted=[Emission(payload={"n": n}) for n in range(20)])


class Away:
    """Needs something that is not there."""

    async def process(self, context: PipelineContext) -> AdapterResult:
        raise ConnectionError(f"nobody answers {context.message_id}")


class Frank(World):
    """A world whose health is what the engine says of itself."""

    def application(self, engine: Engine) -> Application:
        health = SystemHealth(
            components=[OrchestratorReadiness(engine=engine)],
            clock=engine.ports.clock,
            started_at=engine.ports.clock.now(),
        )
        return replace(super().application(engine), health=health)


class Outage(Frank):
    """A world in which what every second route needs is away."""

    def registry(self) -> PipelineAdapters:
        return PipelineAdapters([_registration("fan", Fan()), _registration("echo", Away())])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(world=Frank()) as api:
        yield api


@pytest.fixture
async def outage() -> AsyncIterator[Api]:
    async with serving(world=Outage()) as api:
        yield api


async def routes_of(api: Api, execution_id: str, page: str = "routes") -> dict[str, Any]:
    status, told = await api.ask("GET", f"/api/v1/executions/{execution_id}/{page}")
    assert status == 200
    return {route["route_id"]: route for route in told["routes"]}


async def orchestrator(api: Api, *, debug: bool = False) -> tuple[Any, Any]:
    """What health tells of the orchestrator, and its details."""
    _, health = await api.ask("GET", f"/api/v1/system/health?debug={str(debug).lower()}")
    (component,) = [one for one in health["components"] if one["name"] == "orchestrator"]
    return component, health.get("debug", {}).get("orchestrator")


@pytest.mark.parametrize("page", ["routes", "monitor"])
async def test_a_route_at_work_is_told_with_its_slots_and_breakers(api: Api, page: str) -> None:
    """What has not had a message is there too."""
    execution_id = await api.execution("wait")
    routes = await routes_of(api, execution_id, page)
    first = routes["first"]["work"]
    assert (first["state"], first["concurrency"], first["max_concurrency"]) == ("open", 5, 5)
    assert first["breakers"] == [
        {"adapter": "wait", "index": 0, "state": "closed", "failures": 0, "results": 0, "probes_at": None}
    ]
    queues = {node["route_id"]: node["queue"] for node in routes.values()}
    _, dag = await api.ask("GET", f"/api/v1/executions/{execution_id}/dag")
    assert queues == {"first": dag["init_queue"], "second": dag["edges"][0]["queue"]}
    assert routes["second"]["total_messages"] == 0
    assert routes["second"]["work"]["in_flight"] == 0


async def test_a_route_that_has_ended_is_not_at_work(api: Api) -> None:
    execution_id = await api.execution("echo")
    await api.ended(execution_id)
    routes = await routes_of(api, execution_id)
    assert (routes["first"]["completed"], routes["first"]["work"]) == (1, None)


async def test_a_pause_is_told_with_its_route(api: Api) -> None:
    execution_id = await api.execution("wait")
    await api.ask("PATCH", "/api/v1/pipelines/first", json={"state": "paused"})
    routes = await routes_of(api, execution_id)
    assert routes["first"]["paused_by"] == ["route_paused_everywhere"]
    assert routes["second"]["paused_by"] == []


async def test_an_open_breaker_is_told_by_its_route_and_makes_the_server_degraded(outage: Api) -> None:
    """By name, with the moment at which it will be probed; the server stays ready."""
    execution_id = await outage.execution("fan")
    for _ in range(500):
        if (await routes_of(outage, execution_id))["second"]["work"]["state"] == "breaker":
            break
        await asyncio.sleep(0.01)
    (breaker,) = (await routes_of(outage, execution_id))["second"]["work"]["breakers"]
    assert (breaker["adapter"], breaker["state"], breaker["failures"]) == ("echo", "open", 10)
    assert breaker["probes_at"] is not None
    component, details = await orchestrator(outage, debug=True)
    assert component["status"] == "degraded"
    assert component["message"] == f"open circuit breakers: echo in route second of execution {execution_id}"
    assert [one["adapter_name"] for one in details["circuit_breakers"]] == ["echo"]
    status, _ = await outage.ask("GET", "/api/v1/system/ready")
    assert status == 200


async def test_a_server_whose_breakers_are_closed_is_healthy(api: Api) -> None:
    await api.execution("wait")
    component, details = await orchestrator(api, debug=True)
    assert (component["status"], details["circuit_breakers"]) == ("healthy", [])
