"""Pausing and resuming over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow

PIPELINES = "/api/v1/pipelines"
EXECUTIONS = "/api/v1/executions"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def control(api: Api, route_id: str, state: str, **query: str) -> tuple[int, Any]:
    return await api.ask("PATCH", f"{PIPELINES}/{route_id}", json={"state": state}, params=query)


async def test_a_route_is_paused_in_all_executions_and_resumed(api: Api) -> None:
    execution_id = await api.execution("wait")
    status, paused = await control(api, "first", "paused")
    assert status == 200
    assert paused | {"message": "", "paused_at": ""} == {
        "success": True, "route_id": "first", "message": "", "status": "paused", "execution_id": None,
        "paused_at": "", "changed": True,
    }  # fmt: skip
    _, read = await api.ask("GET", f"{PIPELINES}/first")
    assert (read["state"], read["paused_at"]) == ("paused", paused["paused_at"])
    (route,) = read["pipelines"]
    assert (route["execution_id"], route["state"]) == (execution_id, "paused")
    assert route["paused_by"] == ["route_paused_everywhere"]
    status, resumed = await control(api, "first", "running")
    assert (status, resumed["status"], resumed["paused_at"]) == (200, "running", None)
    assert resumed["message"] == "route first in all executions is not paused any more"


async def test_a_route_is_told_in_figures_over_executions(api: Api) -> None:
    """Those that go on, and as many of the latest as are asked for."""
    await api.ended(await api.execution("echo"))
    failed = await api.execution("reject")
    await api.ended(failed)
    running = await api.execution("wait")
    await control(api, "first", "paused", execution_id=running)
    status, stats = await api.ask("GET", f"{PIPELINES}/first/stats")
    assert status == 200
    assert {name: stats[name] for name in ("route_id", "executions", "running", "paused")} == {
        "route_id": "first", "executions": 3, "running": 1, "paused": 1,
    }  # fmt: skip
    assert (stats["completed"], stats["failed"]) == (1, 1)
    assert stats["p99_ms"] >= stats["p50_ms"] >= 0
    _, second = await api.ask("GET", f"{PIPELINES}/second/stats", params={"latest": 2})
    assert (second["executions"], second["total_messages"], second["p50_ms"]) == (2, 0, None)
    _, none = await api.ask("GET", f"{PIPELINES}/first/stats", params={"latest": 0})
    assert (none["executions"], none["running"], none["failed"]) == (1, 1, 0)
    status, problem = await api.ask("GET", f"{PIPELINES}/third/stats")
    assert (status, problem["error_code"]) == (404, "route_not_found")
    assert (await api.ask("GET", f"{PIPELINES}/first/stats", params={"latest": 101}))[0] == 422
    code, out, _ = await factflow(api, "pipeline", "stats", "first", "--latest", "0")
    assert (code, "running" in out) == (0, True)


async def test_asking_for_what_is_so_already_succeeds_and_says_so(api: Api) -> None:
    await api.execution("wait")
    _, first = await control(api, "first", "paused")
    status, again = await control(api, "first", "paused")
    assert (status, again["success"], again["changed"]) == (200, True, False)
    assert (again["paused_at"], "already" in again["message"]) == (first["paused_at"], True)
    await control(api, "first", "running")
    status, again = await control(api, "first", "running")
    assert (status, again["changed"]) == (200, False)
    assert again["message"] == "route first in all executions was not paused"


async def test_a_route_of_one_execution_is_paused_alone(api: Api) -> None:
    one, other = await api.execution("wait", tag="one"), await api.execution("wait")
    status, paused = await control(api, "first", "paused", execution_id="one")
    assert (status, paused["execution_id"]) == (200, one)
    _, read = await api.ask("GET", f"{PIPELINES}/first")
    assert read["state"] == "running"
    assert {row["execution_id"]: row["state"] for row in read["pipelines"]} == {
        one: "paused",
        other: "running",
    }
    _, page = await api.ask("GET", PIPELINES, params={"execution_id": "one"})
    assert [(row["route_id"], row["state"]) for row in page["pipelines"]] == [
        ("first", "paused"),
        ("second", "running"),
    ]
    _, page = await api.ask("GET", PIPELINES, params={"limit": 3})
    assert (len(page["pipelines"]), page["total"], page["has_more"]) == (3, 4, True)


async def test_a_pause_that_remains_is_named(api: Api) -> None:
    execution_id = await api.execution("wait")
    await control(api, "first", "paused")
    await control(api, "first", "paused", execution_id=execution_id)
    _, resumed = await control(api, "first", "running", execution_id=execution_id)
    assert (resumed["status"], resumed["changed"]) == ("paused", True)
    assert resumed["message"].endswith("; still paused: route first in all executions")


async def test_an_execution_is_paused_and_resumed_and_its_status_does_not_tell(api: Api) -> None:
    execution_id = await api.execution("wait")
    status, paused = await api.ask("POST", f"{EXECUTIONS}/{execution_id}/pause")
    assert (status, paused["status"], paused["changed"]) == (200, "running", True)
    _, read = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert (read["status"], read["paused_at"]) == ("running", paused["paused_at"])
    _, page = await api.ask("GET", PIPELINES, params={"execution_id": execution_id})
    assert [row["paused_by"] for row in page["pipelines"]] == [["execution_paused"]] * 2
    status, resumed = await api.ask("POST", f"{EXECUTIONS}/{execution_id}/resume")
    assert (status, resumed["paused_at"], resumed["changed"]) == (200, None, True)
    _, read = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert read["paused_at"] is None


async def test_what_has_ended_is_neither_paused_nor_resumed(api: Api) -> None:
    execution_id = await api.execution("echo")
    await api.ended(execution_id)
    for how in ("pause", "resume"):
        status, problem = await api.ask("POST", f"{EXECUTIONS}/{execution_id}/{how}")
        assert (status, problem["error_code"]) == (409, "pause_not_allowed")
    status, problem = await control(api, "first", "paused", execution_id=execution_id)
    assert (status, problem["error_code"]) == (409, "pause_not_allowed")


async def test_a_paused_execution_can_be_cancelled(api: Api) -> None:
    execution_id = await api.execution("wait")
    await api.ask("POST", f"{EXECUTIONS}/{execution_id}/pause")
    status, change = await api.ask("POST", f"{EXECUTIONS}/{execution_id}/cancel")
    assert (status, change["current_status"]) == (200, "cancelled")
    _, read = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert (read["status"], read["paused_at"]) == ("cancelled", None)


async def test_unknown_names_are_not_found(api: Api) -> None:
    execution_id = await api.execution("wait")
    asked = [
        (await control(api, "nobody", "paused"), "route_not_found"),
        (await control(api, "nobody", "running"), "route_not_found"),
        (await control(api, "nobody", "paused", execution_id=execution_id), "route_not_found"),
        (await control(api, "first", "paused", execution_id="nobody"), "execution_not_found"),
        (await api.ask("GET", f"{PIPELINES}/nobody"), "route_not_found"),
        (await api.ask("GET", PIPELINES, params={"execution_id": "nobody"}), "execution_not_found"),
        (await api.ask("POST", f"{EXECUTIONS}/nobody/pause"), "execution_not_found"),
        (await api.ask("POST", f"{EXECUTIONS}/nobody/resume"), "execution_not_found"),
    ]
    assert [(status, problem["error_code"]) for (status, problem), _ in asked] == [
        (404, code) for _, code in asked
    ]


async def test_a_route_that_is_only_configured_can_be_paused_before_it_ever_runs(api: Api) -> None:
    await api.config("echo")
    status, paused = await control(api, "first", "paused")
    assert (status, paused["status"]) == (200, "paused")
    _, page = await api.ask("GET", PIPELINES)
    assert page["pipelines"] == []
    _, read = await api.ask("GET", f"{PIPELINES}/first")
    assert (read["state"], read["pipelines"]) == ("paused", [])


@pytest.mark.parametrize("body", [{}, {"state": "stopped"}, {"state": None}, {"state": "paused", "x": 1}])
async def test_no_other_state_can_be_asked_for(api: Api, body: object) -> None:
    await api.execution("wait")
    status, problem = await api.ask("PATCH", f"{PIPELINES}/first", json=body)
    assert (status, problem["error_code"]) == (422, "validation_failed")


async def test_of_two_who_ask_at_once_one_has_changed_it(api: Api) -> None:
    execution_id = await api.execution("wait")
    for how in ("pause", "resume"):
        answers = await asyncio.gather(
            *(api.ask("POST", f"{EXECUTIONS}/{execution_id}/{how}") for _ in range(4))
        )
        assert [status for status, _ in answers] == [200] * 4
        assert sorted(answer["changed"] for _, answer in answers) == [False, False, False, True]
