"""Versions of pipeline configs over HTTP and on the command line: listed, compared, restored; graphs; activating."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.http_server import PIPELINE, Api, serving
from tests.integration.test_cli_with_api import factflow

CONFIGS = "/api/v1/configs"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
async def config(api: Api) -> str:
    """A config of three versions; returns where it is."""
    path = f"{CONFIGS}/{await api.config('echo')}"
    for body in ({"config_yaml": PIPELINE % "wait"}, {"name": "renamed", "description": "why"}):
        status, answer = await api.ask("PUT", path, json=body)
        assert status == 200, answer
    return path


async def ok(api: Api, method: str, path: str, **options: Any) -> Any:
    status, answer = await api.ask(method, path, **options)
    assert status == 200, answer
    return answer


async def test_versions_are_listed_and_read(api: Api, config: str) -> None:
    page = await ok(api, "GET", f"{config}/versions?limit=2")
    assert [(one["version"], one["name"], one["is_latest"]) for one in page["versions"]] == [
        (3, "renamed", True),
        (2, "a pipeline", False),
    ]
    assert (page["total"], page["has_more"]) == (3, True)
    first = await ok(api, "GET", f"{config}/versions/1")
    assert (first["version"], first["config_yaml"]) == (1, PIPELINE % "echo")
    for path in (f"{config}/versions/4", f"{CONFIGS}/{uuid4()}/versions", f"{CONFIGS}/{uuid4()}/dag"):
        status, problem = await api.ask("GET", path)
        assert (status, problem["error_code"]) == (404, "config_not_found")
    assert (await api.ask("GET", f"{config}/versions/0"))[0] == 422


async def test_two_versions_are_compared(api: Api, config: str) -> None:
    answer = await ok(api, "GET", f"{config}/versions/compare?from=1&to=2")
    assert (answer["changed_fields"], answer["lines_added"], answer["lines_removed"]) == (
        ["config_yaml"],
        1,
        1,
    )
    assert "-    adapters: [{type: echo}]\n+    adapters: [{type: wait}]\n" in answer["diff"]
    assert answer["diff"].startswith("--- version 1\n+++ version 2\n")
    answer = await ok(api, "GET", f"{config}/versions/compare?from=1")
    assert (answer["to_version"], answer["changed_fields"]) == (3, ["name", "description", "config_yaml"])
    answer = await ok(api, "GET", f"{config}/versions/compare?from=2&to=2")
    assert (answer["is_same"], answer["diff"], answer["lines_added"]) == (True, "", 0)
    answer = await ok(api, "GET", f"{config}/versions/compare")
    assert (answer["from_version"], answer["to_version"]) == (2, 3)
    assert (await api.ask("GET", f"{config}/versions/compare?from=9"))[0] == 404


async def test_an_earlier_version_is_restored_as_the_next(api: Api, config: str) -> None:
    answer = await ok(api, "POST", f"{config}/versions/1/restore", headers={"If-Match": '"3"'})
    assert (answer["version"], answer["name"], answer["description"]) == (4, "a pipeline", None)
    assert (await ok(api, "GET", config))["config_yaml"] == PIPELINE % "echo"
    again = await ok(api, "POST", f"{config}/versions/1/restore")
    assert again["version"] == 4
    status, problem = await api.ask("POST", f"{config}/versions/2/restore", headers={"If-Match": '"3"'})
    assert (status, problem["error_code"]) == (412, "precondition_failed")
    assert (await api.ask("POST", f"{config}/versions/7/restore"))[0] == 404


async def test_a_deactivated_config_is_read_but_not_changed_until_it_is_activated(
    api: Api, config: str
) -> None:
    assert (await api.ask("DELETE", config))[0] == 204
    assert not (await ok(api, "GET", config))["is_active"]
    assert (await ok(api, "GET", f"{config}/versions"))["total"] == 3
    for path in ("/versions/1/restore", "/run"):
        status, problem = await api.ask("POST", config + path)
        assert (status, problem["error_code"]) == (409, "config_inactive")
    for _ in range(2):
        answer = await ok(api, "POST", f"{config}/activate")
        assert (answer["is_active"], answer["version"], answer["is_runnable"]) == (True, 3, True)
    assert [one["name"] for one in (await ok(api, "GET", CONFIGS))["configs"]] == ["renamed"]
    assert (await api.ask("POST", f"{CONFIGS}/{uuid4()}/activate"))[0] == 404


async def test_a_config_is_read_as_yaml(api: Api, config: str) -> None:
    async with api.session.get(f"{api.url}{config}/yaml?version=1") as response:
        assert (response.content_type, await response.text()) == ("application/yaml", PIPELINE % "echo")
        tag = response.headers["etag"]
    async with api.session.get(
        f"{api.url}{config}/yaml?version=1", headers={"If-None-Match": tag}
    ) as response:
        assert (response.status, await response.read()) == (304, b"")


async def test_a_config_has_a_graph(api: Api, config: str) -> None:
    graph = await ok(api, "GET", f"{config}/dag?version=1")
    assert [(node["route_id"], node["adapters"]) for node in graph["nodes"]] == [
        ("first", ["echo"]),
        ("second", ["echo"]),
    ]
    assert graph["edges"] == [{"from_route": "first", "to_route": "second", "queue": "two"}]
    assert (graph["init_queue"], graph["version"]) == ("one", 1)
    await ok(api, "PUT", config, json={"config_yaml": PIPELINE % "nothing_such"})
    status, problem = await api.ask("GET", f"{config}/dag")
    assert (status, problem["error_code"]) == (400, "config_not_runnable")


async def test_the_command_line_knows_versions(api: Api, config: str) -> None:
    config_id = config.rpartition("/")[2]
    code, out, _ = await factflow(api, "config", "versions", "renamed")
    assert (code, len(out.splitlines())) == (0, 4)
    code, out, err = await factflow(api, "config", "diff", "renamed", "1", "2")
    assert (code, "+    adapters: [{type: wait}]" in out, err) == (0, True, "changed: config_yaml\n")
    code, out, _ = await factflow(api, "config", "dag", "renamed")
    assert (code, "first: wait" in out, "two" in out) == (0, True, True)
    code, out, _ = await factflow(api, "config", "restore", "renamed", "1")
    assert (code, out) == (0, f"{config_id} is at version 4\n")
    await factflow(api, "config", "delete", config_id)
    assert await factflow(api, "config", "activate", config_id) == (0, "activated a pipeline\n", "")
