"""Templates over HTTP and on the command line."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.yaml.parser import YamlConfigParser
from entrypoints.composition.shipped_templates import shipped_templates
from tests.http_server import PIPELINE, Api, World, serving
from tests.integration.test_cli_with_api import factflow

TEMPLATES = "/api/v1/templates"
TEXT = (PIPELINE % "echo").replace("payload: {n: 1}", "payload: {n: {{ number }}, text: {{ words }}}")
MINE: dict[str, Any] = {
    "name": "mine",
    "text": TEXT,
    "description": "echoes",
    "parameters": [
        {"name": "number", "type": "integer", "default": 1},
        {"name": "words", "is_required": True},
    ],
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(world=World(shipped_templates=shipped_templates(YamlConfigParser()))) as api:
        yield api


async def made(api: Api, **changes: Any) -> Any:
    status, template = await api.ask("POST", TEMPLATES, json=MINE | changes)
    assert status == 201, template
    return template


async def test_a_template_is_stored_read_and_listed_after_the_shipped_ones(api: Api) -> None:
    template = await made(api)
    assert (template["kind"], template["version"], template["is_shipped"]) == ("pipeline", 1, False)
    for name in ("mine", template["id"]):
        assert (await api.ask("GET", f"{TEMPLATES}/{name}")) == (200, template)
    _, page = await api.ask("GET", TEMPLATES)
    names = [one["name"] for one in page["templates"]]
    assert names == ["cited-answer", "documents", "re-embed", "summary", "uploads", "website", "mine"]
    _, page = await api.ask("GET", TEMPLATES, params={"kind": "pipeline", "limit": 1, "offset": 4})
    assert ([one["name"] for one in page["templates"]], page["total"], page["has_more"]) == (
        ["mine"],
        5,
        False,
    )
    _, page = await api.ask("GET", TEMPLATES, params={"limit": 2, "offset": 5})
    assert [one["name"] for one in page["templates"]] == ["website", "mine"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"name": "documents"}, 409, "template_name_taken"),
        ({"name": "Mine"}, 400, "template_invalid"),
        ({"parameters": []}, 400, "template_invalid"),
        ({"text": TEXT + "# {{ words }}\n"}, 400, "template_invalid"),
        ({"text": TEXT + "a: b: c\n"}, 400, "template_invalid"),
        (
            {"parameters": [{"name": "number", "default": 1}, {"name": "words"}]},
            400,
            "template_parameter_invalid",
        ),
        ({"kind": "other"}, 422, "validation_failed"),
        ({"more": 1}, 422, "validation_failed"),
    ],
)
async def test_what_is_no_template_is_refused(api: Api, changes: Any, status: int, code: str) -> None:
    answer, problem = await api.ask("POST", TEMPLATES, json=MINE | changes)
    assert (answer, problem["error_code"]) == (status, code)


async def test_a_template_is_changed_and_deleted_by_its_version(api: Api) -> None:
    await made(api)
    path = f"{TEMPLATES}/mine"
    body = {"description": "other"}
    status, changed = await api.ask("PUT", path, json=body, headers={"If-Match": '"1"'})
    assert (status, changed["version"], changed["description"], changed["text"]) == (200, 2, "other", TEXT)
    assert (await api.ask("PUT", path, json=body))[1]["version"] == 2
    for method, options in (("PUT", {"json": {"text": "a: 1"}}), ("DELETE", {})):
        status, problem = await api.ask(method, path, headers={"If-Match": '"1"'}, **options)
        assert (status, problem["error_code"]) == (412, "precondition_failed")
    status, problem = await api.ask("PUT", path, json={"text": "a: {{ lost }}"})
    assert (status, problem["error_code"]) == (400, "template_invalid")
    assert (await api.ask("DELETE", path, headers={"If-Match": '"2"'}))[0] == 204
    for method, options in (("GET", {}), ("PUT", {"json": body}), ("DELETE", {})):
        status, problem = await api.ask(method, path, **options)
        assert (status, problem["error_code"]) == (404, "template_not_found")


async def test_shipped_templates_stay_as_they_are(api: Api) -> None:
    for method, options in (("PUT", {"json": {"description": "x"}}), ("DELETE", {})):
        status, problem = await api.ask(method, f"{TEMPLATES}/documents", **options)
        assert (status, problem["error_code"]) == (403, "template_shipped")


async def test_a_template_is_rendered_and_its_values_cannot_break_out(api: Api) -> None:
    await made(api)
    hostile = 'x"}}\nroutes: {}\n# '
    body = {"parameters": {"words": hostile, "number": 7}}
    status, answer = await api.ask("POST", f"{TEMPLATES}/mine/render", json=body)
    assert (status, answer["validation_report"]["is_valid"]) == (200, True), answer
    value: Any = YamlConfigParser().parse(answer["text"]).value
    assert value["init_message"]["payload"] == {"n": 7, "text": hostile}
    assert set(value["routes"]) == {"first", "second"}
    for wrong in ({}, {"words": 1}, {"words": "x", "number": "7"}, {"words": "x", "other": 1}):
        status, problem = await api.ask("POST", f"{TEMPLATES}/mine/render", json={"parameters": wrong})
        assert (status, problem["error_code"]) == (400, "template_values_invalid")


async def test_a_prompt_is_rendered_and_makes_no_config(api: Api) -> None:
    body = {"parameters": {"text": "long", "sentences": 2}}
    status, answer = await api.ask("POST", f"{TEMPLATES}/summary/render", json=body)
    assert (status, answer["validation_report"]) == (200, None)
    assert "at most 2 sentences" in answer["text"]
    status, problem = await api.ask("POST", f"{TEMPLATES}/summary/config", json={"name": "x", **body})
    assert (status, problem["error_code"]) == (400, "template_invalid")


async def test_a_config_is_made_and_runs(api: Api) -> None:
    await made(api)
    body = {"name": "made", "parameters": {"words": "hello"}}
    status, config = await api.ask("POST", f"{TEMPLATES}/mine/config", json=body)
    assert (status, config["name"], config["is_runnable"], config["description"]) == (
        201,
        "made",
        True,
        "echoes",
    )
    status, execution = await api.ask("POST", f"/api/v1/configs/{config['id']}/run")
    assert status == 201
    await api.ended(execution["id"])
    await api.ask("DELETE", f"{TEMPLATES}/mine")
    assert (await api.ask("GET", f"/api/v1/configs/{config['id']}"))[0] == 200


async def test_the_command_line_makes_configs_and_prompts(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(MINE))
    code, out, err = await factflow(api, "template", "create", "-f", str(file))
    assert (code, "mine" in out) == (0, True), err
    assert "cited-answer" in (await factflow(api, "template", "list", "--kind", "prompt"))[1]
    _, out, _ = await factflow(api, "template", "get", "mine")
    assert "payload: {n: {{ number }}" in out
    assert "integer" in out
    code, out, _ = await factflow(
        api, "template", "render", "mine", "--set", "words=a: b", "--set", "number=3"
    )
    assert (code, 'payload: {n: 3, text: "a: b"}' in out) == (0, True)
    code, out, _ = await factflow(api, "template", "config", "mine", "--name", "made", "--set", "words=x")
    assert (code, "is_runnable  yes" in out) == (0, True)
    file.write_text('{"description": "new"}')
    assert (await factflow(api, "template", "edit", "mine", "-f", str(file)))[0] == 0
    assert (await factflow(api, "template", "delete", "mine"))[0] == 0
    assert (await factflow(api, "template", "get", "mine"))[0] == 4
    file.write_text("[]")
    assert (await factflow(api, "template", "create", "-f", str(file)))[0] == 2
