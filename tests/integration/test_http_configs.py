"""Pipeline configs over HTTP: wire shapes, versions, and what keeps one from running."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http_server import PIPELINE, Api, serving

CONFIGS = "/api/v1/configs"
BROKEN = PIPELINE % "no_such_adapter"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


async def test_a_config_is_stored_read_and_listed(api: Api) -> None:
    body = {"name": "mine", "config_yaml": PIPELINE % "echo", "description": "why"}
    status, made = await api.ask("POST", CONFIGS, json=body)
    assert status == 201
    assert {"id", "config_hash", "created_at", "updated_at", "source_path"} <= made.keys()
    assert (made["name"], made["version"], made["is_active"], made["is_runnable"]) == ("mine", 1, True, True)
    assert made["source_type"] == "api"
    assert made["validation_report"]["is_valid"]
    status, read = await api.ask("GET", f"{CONFIGS}/{made['id']}")
    assert (status, read["config_yaml"]) == (200, body["config_yaml"])
    status, page = await api.ask("GET", CONFIGS)
    assert [config["id"] for config in page["configs"]] == [made["id"]]
    assert {key: page[key] for key in ("total", "limit", "offset", "has_more", "next_cursor")} == {
        "total": 1, "limit": 100, "offset": 0, "has_more": False, "next_cursor": None,
    }  # fmt: skip


async def test_a_page_says_whether_more_follows(api: Api) -> None:
    for _ in range(3):
        await api.config()
    _, page = await api.ask("GET", f"{CONFIGS}?limit=2")
    assert (len(page["configs"]), page["total"], page["has_more"]) == (2, 3, True)
    _, page = await api.ask("GET", f"{CONFIGS}?limit=2&offset=2")
    assert (len(page["configs"]), page["has_more"]) == (1, False)


async def test_a_config_with_errors_is_stored_but_does_not_run(api: Api) -> None:
    _, made = await api.ask("POST", CONFIGS, json={"name": "broken", "config_yaml": BROKEN})
    assert not made["is_runnable"]
    status, problem = await api.ask("POST", f"{CONFIGS}/{made['id']}/run")
    assert (status, problem["error_code"]) == (400, "config_not_runnable")
    assert problem["validation_report"]["findings"][0]["code"] == "E103"
    assert problem["findings"] == problem["validation_report"]["findings"]


async def test_a_text_that_is_not_yaml_is_refused_with_its_report(api: Api) -> None:
    status, problem = await api.ask("POST", CONFIGS, json={"name": "bad", "config_yaml": "a: ["})
    assert (status, problem["error_code"]) == (400, "config_unparseable")
    assert not problem["validation_report"]["is_valid"]


@pytest.mark.parametrize(("text", "is_valid"), [(PIPELINE % "echo", True), (BROKEN, False), ("a: [", False)])
async def test_validation_always_answers_with_a_report(api: Api, text: str, is_valid: bool) -> None:
    status, report = await api.ask("POST", f"{CONFIGS}/validate", json={"config_yaml": text})
    assert (status, report["is_valid"]) == (200, is_valid)
    assert report["error_count"] == sum(finding["severity"] == "error" for finding in report["findings"])


async def test_an_edit_is_a_new_version_with_a_new_tag(api: Api) -> None:
    config_id = await api.config()
    async with api.session.get(f"{api.url}{CONFIGS}/{config_id}") as response:
        tag = response.headers["ETag"]
    options: dict[str, Any] = {"json": {"name": "renamed"}, "headers": {"If-Match": tag}}
    async with api.session.put(f"{api.url}{CONFIGS}/{config_id}", **options) as response:
        edited = await response.json()
        assert (response.status, edited["version"], edited["name"]) == (200, 2, "renamed")
        assert response.headers["ETag"] == '"2"'
    status, problem = await api.ask("PUT", f"{CONFIGS}/{config_id}", **options)
    assert (status, problem["error_code"]) == (412, "precondition_failed")
    _, first = await api.ask("GET", f"{CONFIGS}/{config_id}?version=1")
    assert first["name"] == "a pipeline"


async def test_a_deactivated_config_is_kept_and_does_not_run(api: Api) -> None:
    config_id = await api.config()
    for _ in range(2):
        assert await api.ask("DELETE", f"{CONFIGS}/{config_id}") == (204, None)
    _, page = await api.ask("GET", CONFIGS)
    assert page["configs"] == []
    _, page = await api.ask("GET", f"{CONFIGS}?is_active=false")
    assert [config["id"] for config in page["configs"]] == [config_id]
    status, problem = await api.ask("POST", f"{CONFIGS}/{config_id}/run")
    assert (status, problem["error_code"]) == (409, "config_inactive")


async def test_a_run_takes_overrides_and_a_tag(api: Api) -> None:
    config_id = await api.config("reject")
    path = f"{CONFIGS}/{config_id}/run?tag=mine"
    status, run = await api.ask("POST", path, json={"init_payload_overrides": {"n": 2, "m": {"k": []}}})
    assert (status, run["tag"], run["config_id"]) == (201, "mine", config_id)
    assert run["execution_id"] == run["id"]
    await api.ended("mine")
    _, dead = await api.ask("GET", "/api/v1/executions/mine/dead-letters")
    assert dead["dead_letters"][0]["payload"] == {"n": 2, "m": {"k": []}}
    status, problem = await api.ask("POST", path)
    assert (status, problem["error_code"]) == (409, "tag_taken")


async def test_a_run_without_its_init_message_completes_at_once(api: Api) -> None:
    status, run = await api.ask("POST", f"{CONFIGS}/{await api.config('wait')}/run?skip_init_message=true")
    assert (status, run["status"], run["messages"]["total"]) == (201, "completed", 0)
