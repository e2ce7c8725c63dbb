"""Replays over HTTP: of one execution, detached, and the dry run of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.http_server import Api, serving
from tests.integration.test_cli_with_api import factflow


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def parent(api: Api, objects: int = 3) -> str:
    """An ended execution whose first route seems to have kept so many objects of the stage ``kept``."""
    execution_id = await api.execution(tag="parent")
    await api.ended(execution_id)
    for number in range(objects):
        await api.world.storage.write(
            f"executions/{execution_id}/first/kept/{number}.json",
            b"{}",
            content_type="application/json",
            metadata={"stage": "kept", "adapter_name": "echo", "title": f"T{number}"},
        )
    return execution_id


async def test_a_replay_is_an_execution_linked_to_its_parent(api: Api) -> None:
    execution_id = await parent(api)
    body = {"replay_source": "storage", "from_stage": "kept", "to_route": "second", "tag": "again"}
    status, started = await api.ask("POST", "/api/v1/executions/parent/replay", json=body)
    assert (status, started["parent_execution_id"], started["replay_source"]) == (
        201,
        execution_id,
        "storage",
    )
    await api.ended("again")
    _, ended = await api.ask("GET", "/api/v1/executions/again")
    assert (ended["status"], ended["messages"]["done"]) == ("completed", 4)
    assert ended["config_snapshot"]["replay"]["to_route"] == "second"
    status, page = await api.ask("GET", "/api/v1/executions/parent/replays?limit=1")
    assert (status, page["total"], page["has_more"]) == (200, 1, False)
    assert [one["id"] for one in page["executions"]] == [started["id"]]


async def test_the_answer_tells_where_the_replay_is(api: Api) -> None:
    await parent(api)
    url = f"{api.url}/api/v1/executions/parent/replay"
    async with api.session.post(url, json={"from_stage": "kept"}) as response:
        started = await response.json()
        assert response.headers["Location"] == f"/api/v1/executions/{started['id']}"


async def test_a_preview_says_what_a_dry_run_says(api: Api) -> None:
    """Obstacles are findings there, too; nothing is started."""
    execution_id = await parent(api)
    for to_route, is_replayable in (("second", True), ("nowhere", False)):
        body = {"from_execution_id": execution_id, "from_stage": "first/kept", "to_route": to_route}
        status, preview = await api.ask("POST", "/api/v1/replay/preview", json=body)
        assert (status, preview["is_replayable"]) == (200, is_replayable)
        assert await api.ask("POST", "/api/v1/replay", json={**body, "dry_run": True}) == (200, preview)
    body = {"from_execution_id": str(uuid4()), "from_stage": "first/kept", "to_route": "second"}
    _, preview = await api.ask("POST", "/api/v1/replay/preview", json=body)
    assert [one["code"] for one in preview["findings"]] == ["execution_not_found"]
    _, page = await api.ask("GET", "/api/v1/replay/batches")
    assert page["total"] == 0


async def test_replays_are_listed_and_read_as_batches(api: Api) -> None:
    execution_id = await parent(api)
    path = "/api/v1/replay/batches"
    body = {"from_execution_id": execution_id, "from_stage": "first/kept", "to_route": "second"}
    started = [(await api.ask("POST", "/api/v1/replay", json=body))[1] for _ in range(3)]
    for one in started:
        await api.ended(one["execution_id"])
    seen, query = [], "limit=2"
    while query:
        status, page = await api.ask("GET", f"{path}?{query}")
        assert (status, page["total"]) == (200, 3)
        seen += page["batches"]
        query = f"limit=2&cursor={page['next_cursor']}" if page["has_more"] else ""
    assert [one["replay_batch_id"] for one in seen] == [one["replay_batch_id"] for one in reversed(started)]
    status, batch = await api.ask("GET", f"{path}/{started[0]['replay_batch_id']}")
    assert (status, batch) == (200, seen[-1])
    assert (batch["execution_id"], batch["from_execution_id"]) == (started[0]["execution_id"], execution_id)
    assert (batch["from_route"], batch["from_stage"], batch["to_route"]) == ("first", "kept", "second")
    assert (batch["objects_found"], batch["status"], batch["messages"]["done"]) == (3, "completed", 4)
    _, page = await api.ask("GET", f"{path}?from_execution_id=parent&status=completed")
    assert page["total"] == 3
    _, page = await api.ask("GET", f"{path}?status=failed")
    assert page["batches"] == []
    for query, code in (
        (f"/{uuid4()}", "replay_batch_not_found"),
        ("?from_execution_id=no", "execution_not_found"),
    ):
        status, problem = await api.ask("GET", path + query)
        assert (status, problem["error_code"]) == (404, code)
    code_, out, _ = await factflow(api, "replay-batch", "list", "--execution", "parent", "--limit", "1")
    assert (code_, started[2]["replay_batch_id"] in out) == (0, True)
    code_, out, _ = await factflow(api, "replay-batch", "get", started[0]["replay_batch_id"])
    assert (code_, "first" in out) == (0, True)


async def test_the_graph_of_a_replay_begins_where_it_is_seeded(api: Api) -> None:
    await parent(api)
    _, started = await api.ask("POST", "/api/v1/executions/parent/replay", json={"from_stage": "kept"})
    status, dag = await api.ask("GET", f"/api/v1/executions/{started['id']}/dag")
    assert (status, dag["init_queue"]) == (200, "~replay")
    assert {"from_route": "~replay", "to_route": "second", "queue": "two"} in dag["edges"]


async def test_a_detached_replay_answers_in_numbers(api: Api) -> None:
    execution_id = await parent(api)
    body = {"from_execution_id": execution_id, "from_stage": "first/kept", "to_route": "second"}
    status, answer = await api.ask("POST", "/api/v1/replay", json=body)
    assert status == 201, answer
    assert UUID(answer["replay_batch_id"]).version == 7
    started = answer["execution_id"]
    assert answer == {
        "execution_id": started,
        "replay_batch_id": answer["replay_batch_id"],
        "from_execution_id": execution_id,
        "from_stage": "first/kept",
        "from_path": None,
        "to_route": "second",
        "to_queue": "two",
        "objects_found": 3,
        "objects_published": 3,
        "objects_failed": 0,
        "is_total_exact": True,
        "status": "running",
    }
    await api.ended(started)
    _, page = await api.ask("GET", f"/api/v1/executions/{execution_id}/replays")
    assert [one["id"] for one in page["executions"]] == [started]


@pytest.mark.parametrize("detached", [False, True])
async def test_a_dry_run_says_what_would_be_replayed_and_starts_nothing(api: Api, detached: bool) -> None:
    execution_id = await parent(api)
    body: dict[str, Any] = {"from_stage": "kept", "to_route": "second", "dry_run": True}
    path = "/api/v1/replay" if detached else "/api/v1/executions/parent/replay"
    whose = {"from_execution_id": execution_id} if detached else {}
    status, answer = await api.ask("POST", path, json=body | whose)
    _, config = await api.ask("GET", f"/api/v1/executions/{execution_id}")
    assert (status, answer) == (
        200,
        {
            "is_replayable": True,
            "findings": [],
            "from_execution_id": execution_id,
            "replay_source": "storage",
            "from_stage": "kept",
            "from_route": "first",
            "from_path": None,
            "to_route": "second",
            "enters_route": "second",
            "to_queue": "two",
            "config_id": config["config_id"],
            "objects_found": 3,
            "is_total_exact": True,
            "total_bytes": 6,
            "first_keys": [f"executions/{execution_id}/first/kept/{number}.json" for number in range(3)],
        },
    )
    _, page = await api.ask("GET", "/api/v1/executions")
    assert page["total"] == 1


async def test_a_dry_run_of_what_cannot_be_replayed_is_no_problem(api: Api) -> None:
    """Its findings have the codes of the problems that the replay would meet."""
    await parent(api)
    body: dict[str, Any] = {"from_stage": "nothing", "to_route": "nowhere", "tag": "parent"}
    status, answer = await api.ask("POST", "/api/v1/executions/parent/replay", json=body | {"dry_run": True})
    assert (status, answer["is_replayable"]) == (200, False)
    codes = [(finding["severity"], finding["code"]) for finding in answer["findings"]]
    assert codes == [
        ("error", code) for code in ("replay_stage_unknown", "replay_route_unknown", "tag_taken")
    ]
    status, problem = await api.ask("POST", "/api/v1/executions/parent/replay", json=body)
    assert (status, problem["error_code"]) == (400, "replay_stage_unknown")
    unknown = f"/api/v1/executions/{uuid4()}/replay"
    status, answer = await api.ask("POST", unknown, json={"from_stage": "kept", "dry_run": True})
    assert (status, answer["findings"][0]["code"]) == (200, "execution_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_replay"),
        ({"from_stage": "kept", "to_route": "nowhere"}, 400, "replay_route_unknown"),
        ({"from_stage": "kept", "from_path": "nothing"}, 409, "replay_source_empty"),
        ({"from_stage": "../kept"}, 400, "invalid_storage_key"),
        ({"from_stage": "kept", "from_path": "../../second"}, 400, "invalid_storage_key"),
        ({"from_stage": "kept", "config_id": str(uuid4())}, 400, "unknown_config"),
        ({"from_stage": "kept", "tag": "parent"}, 409, "tag_taken"),
        ({"from_stage": "kept", "replay_source": "elsewhere"}, 422, "validation_failed"),
        ({"from_stage": 5}, 422, "validation_failed"),
        ({"from_stage": "kept", "unknown": 1}, 422, "validation_failed"),
        (
            {"replay_source": "manual", "object_keys": ["gone"], "to_route": "second"},
            409,
            "replay_source_gone",
        ),
        (
            {"replay_source": "manual", "object_keys": ["../x"], "to_route": "second"},
            400,
            "invalid_storage_key",
        ),
    ],
)
async def test_a_replay_that_cannot_be_made_is_a_problem(
    api: Api, body: dict[str, Any], status: int, code: str
) -> None:
    await parent(api)
    answered, problem = await api.ask("POST", "/api/v1/executions/parent/replay", json=body)
    assert (answered, problem["error_code"]) == (status, code)


async def test_an_unknown_parent_is_not_found(api: Api) -> None:
    for path, body in [
        ("/api/v1/executions/nobody/replay", {"from_stage": "a"}),
        ("/api/v1/replay", {"from_execution_id": str(uuid4()), "from_stage": "a", "to_route": "b"}),
    ]:
        status, problem = await api.ask("POST", path, json=body)
        assert (status, problem["error_code"]) == (404, "execution_not_found")
    status, problem = await api.ask("GET", "/api/v1/executions/nobody/replays")
    assert (status, problem["error_code"]) == (404, "execution_not_found")


async def test_given_payloads_are_replayed(api: Api) -> None:
    await parent(api)
    body = {"replay_source": "manual", "payloads": [{"n": 1}, {"n": 2}], "to_route": "second", "tag": "given"}
    status, _ = await api.ask("POST", "/api/v1/executions/parent/replay", json=body)
    assert status == 201
    await api.ended("given")
    _, ended = await api.ask("GET", "/api/v1/executions/given")
    assert (ended["messages"]["done"], ended["replay_source"]) == (3, "manual")
