"""Executions over HTTP: starting, reading, ending, and following their events."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.http_server import Api, events_of, serving

EXECUTIONS = "/api/v1/executions"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def test_an_execution_is_started_by_its_config(api: Api) -> None:
    body = {"config_id": await api.config(), "tag": "one", "metadata": {"why": "test"}}
    status, started = await api.ask("POST", EXECUTIONS, json=body)
    assert status == 201
    documented = {
        "id",
        "config_id",
        "status",
        "started_at",
        "completed_at",
        "parent_execution_id",
        "replay_source",
        "tag",
    }
    assert documented <= started.keys()
    assert started["execution_id"] == started["id"]
    for name in ("one", started["id"]):
        status, read = await api.ask("GET", f"{EXECUTIONS}/{name}")
        assert (status, read["id"], read["metadata"]) == (200, started["id"], {"why": "test"})
        assert read["config_snapshot"]["pipeline"]["version"] == "1.0"


async def test_an_unknown_config_in_the_body_is_a_bad_request(api: Api) -> None:
    body = {"config_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    status, problem = await api.ask("POST", EXECUTIONS, json=body)
    assert (status, problem["error_code"]) == (400, "unknown_config")


async def test_executions_are_listed_by_status_and_config(api: Api) -> None:
    done = await api.execution("echo")
    await api.ended(done)
    waiting = await api.execution("wait")
    _, page = await api.ask("GET", f"{EXECUTIONS}?status=running")
    assert [one["id"] for one in page["executions"]] == [waiting]
    _, read = await api.ask("GET", f"{EXECUTIONS}/{done}")
    _, page = await api.ask("GET", f"{EXECUTIONS}?config_id={read['config_id']}")
    assert [one["id"] for one in page["executions"]] == [done]


@pytest.mark.parametrize("how", ["patch", "cancel"])
async def test_a_running_execution_can_be_cancelled_once(api: Api, how: str) -> None:
    execution_id = await api.execution("wait")

    async def cancel() -> tuple[int, dict[str, object]]:
        if how == "cancel":
            return await api.ask("POST", f"{EXECUTIONS}/{execution_id}/cancel")
        return await api.ask("PATCH", f"{EXECUTIONS}/{execution_id}", json={"status": "cancelled"})

    status, change = await cancel()
    assert status == 200
    assert change | {"message": ""} == {
        "success": True, "execution_id": execution_id, "previous_status": "running",
        "current_status": "cancelled", "message": "",
    }  # fmt: skip
    status, problem = await cancel()
    assert (status, problem["error_code"]) == (400, "status_change_not_allowed")


async def test_an_administrator_can_fail_a_stuck_execution_with_a_reason(api: Api) -> None:
    execution_id = await api.execution("wait")
    body = {"status": "failed", "error_info": {"message": "stuck"}}
    assert (await api.ask("PATCH", f"{EXECUTIONS}/{execution_id}", json=body))[0] == 200
    _, read = await api.ask("GET", f"{EXECUTIONS}/{execution_id}")
    assert (read["status"], read["error_info"]) == ("failed", {"message": "stuck"})


@pytest.mark.parametrize("status", ["running", "interrupted", "nonsense", None, 3])
async def test_no_other_status_can_be_set(api: Api, status: object) -> None:
    execution_id = await api.execution("wait")
    answered, problem = await api.ask("PATCH", f"{EXECUTIONS}/{execution_id}", json={"status": status})
    assert (answered, problem["errors"][0]["path"]) == (422, "status")


async def test_more_executions_than_the_limit_are_refused_for_now(api: Api) -> None:
    config_id = await api.config("wait")
    run = f"{api.url}/api/v1/configs/{config_id}/run"
    for _ in range(3):
        async with api.session.post(run) as response:
            assert response.status == 201
    async with api.session.post(run) as response:
        problem = await response.json()
        assert (response.status, problem["error_code"]) == (429, "too_many_concurrent_executions")
        assert int(response.headers["Retry-After"]) > 0


async def test_dead_letters_tell_what_could_not_be_processed_and_why(api: Api) -> None:
    execution_id = await api.execution("reject")
    await api.ended(execution_id)
    status, page = await api.ask("GET", f"{EXECUTIONS}/{execution_id}/dead-letters")
    assert (status, page["total"]) == (200, 1)
    (dead,) = page["dead_letters"]
    assert (dead["route_id"], dead["payload"], dead["attempts"]) == ("first", {"n": 1}, 1)
    assert "not to be had" in str(dead["error"])


async def test_the_events_of_a_run_end_with_its_status(api: Api) -> None:
    execution_id = await api.execution("wait")
    async with api.session.get(f"{api.url}{EXECUTIONS}/{execution_id}/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        asyncio.get_running_loop().call_later(0.15, api.world.gate.set)
        text = await asyncio.wait_for(response.text(), 10)
    events = events_of(text)
    assert (events[0].event, events[0].data["status"]) == ("status", "running")
    assert (events[-1].event, events[-1].data["type"]) == ("status", "execution.completed")
    assert {"initiated", "completed"} <= {event.event for event in events}
    assert all(event.id for event in events[1:])
    assert "\n: still here\n" in text


async def test_the_events_of_a_finished_run_are_its_status_alone(api: Api) -> None:
    execution_id = await api.execution("echo")
    await api.ended(execution_id)
    async with api.session.get(
        f"{api.url}{EXECUTIONS}/{execution_id}/events", headers={"Last-Event-ID": "x"}
    ) as response:
        events = events_of(await response.text())
    assert [(event.event, event.data["status"]) for event in events] == [("status", "completed")]


async def test_the_stream_of_events_ends_when_the_time_is_up(api: Api) -> None:
    execution_id = await api.execution("wait")
    async with api.session.get(f"{api.url}{EXECUTIONS}/{execution_id}/events?timeout=1") as response:
        await asyncio.wait_for(response.text(), 5)


async def test_the_objects_of_a_run_are_told_as_they_are_stored(api: Api) -> None:
    """Those of one route or of all, then how the run ended; and of messages nothing."""
    execution_id = await api.execution("store")
    path = f"{api.url}{EXECUTIONS}/{execution_id}/storage-stream"
    async with (
        api.session.get(path) as every,
        api.session.get(f"{path}?route_id=first") as first,
        api.session.get(f"{path}?route_id=second") as second,
        api.session.get(f"{api.url}{EXECUTIONS}/{execution_id}/events") as messages,
    ):
        await api.heard_by(4)
        api.world.gate.set()
        streams = [events_of(await one.text()) for one in (every, first, second, messages)]
    for told, names in zip(streams, (["object_created"], ["object_created"], []), strict=False):
        assert [one.event for one in told] == ["status", *names, "status"]
        assert told[-1].data["type"] == "execution.completed"
    assert "object_created" not in {one.event for one in streams[3]}
    (_, kept, _) = streams[0]
    about = kept.data["data"]
    assert (kept.id, kept.data["type"]) == (kept.data["id"], "storage.object_created")
    assert about["key"] == f"executions/{execution_id}/first/note/{about['message_id']}.txt"
    assert (about["size"], about["route_id"], about["adapter_name"]) == (5, "first", "store")


async def test_a_stream_of_objects_needs_an_execution_and_a_route_of_it(api: Api) -> None:
    status, problem = await api.ask("GET", f"{EXECUTIONS}/nobody/storage-stream")
    assert (status, problem["error_code"]) == (404, "execution_not_found")
    execution_id = await api.execution("wait")
    status, problem = await api.ask("GET", f"{EXECUTIONS}/{execution_id}/storage-stream?route_id=third")
    assert (status, problem["error_code"]) == (404, "route_not_found")


async def test_an_unknown_execution_has_no_events(api: Api) -> None:
    status, problem = await api.ask("GET", f"{EXECUTIONS}/nobody/events")
    assert (status, problem["error_code"]) == (404, "execution_not_found")


async def test_a_client_that_goes_away_ends_its_listening(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    execution_id = await api.execution("wait")
    for _ in range(3):
        response = await api.session.get(f"{api.url}{EXECUTIONS}/{execution_id}/events")
        await response.content.readany()
        response.close()
    for _ in range(100):
        if not api.listeners():
            break
        await asyncio.sleep(0.02)
    assert api.listeners() == 0
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_a_list_goes_on_where_a_page_ended(api: Api) -> None:
    """Whatever starts meanwhile: no execution twice, and none left out."""
    ids = [await api.execution(skip_init_message="true") for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        _, page = await api.ask("GET", f"/api/v1/executions?limit=2{cursor}")
        seen += [execution["id"] for execution in page["executions"]]
        assert (page["has_more"], page["next_cursor"] is not None) == (len(seen) < 5, len(seen) < 5)
        cursor = f"&cursor={page['next_cursor']}"
        await api.execution(skip_init_message="true")
    assert seen == ids[::-1]


async def test_an_execution_is_told_in_figures(api: Api) -> None:
    await api.execution("echo", tag="good")
    await api.ended("good")
    status, stats = await api.ask("GET", "/api/v1/executions/good/stats")
    assert (status, stats["status"]) == (200, "completed")
    assert stats["metrics"] == {"total": 2, "completed": 2, "failed": 0, "processing": 0}
    assert stats["duration_seconds"] > 0
    assert stats["messages_per_second"] == pytest.approx(2 / stats["duration_seconds"])
    told = [
        (one["route_id"], one["completed"], one["failed"], one["in_progress"]) for one in stats["adapters"]
    ]
    assert told == [("first", 1, 0, 0), ("second", 1, 0, 0)]
    assert all(one["avg_duration_ms"] >= 0 for one in stats["adapters"])
    assert [one["route_id"] for one in stats["routes"] if one["queue"]] == ["first", "second"]
    await api.execution("wait", tag="going")
    _, stats = await api.ask("GET", "/api/v1/executions/going/stats")
    assert (stats["status"], stats["completed_at"], stats["metrics"]["processing"]) == ("running", None, 1)
    api.world.gate.set()
    status, problem = await api.ask("GET", "/api/v1/executions/nobody/stats")
    assert (status, problem["error_code"]) == (404, "execution_not_found")
